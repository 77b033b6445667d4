//! Answers every request with one entry of a zip file: `ARCHIVE ENTRY`.

use std::io::{BufRead, BufReader, Read, copy};
use std::net::TcpListener;

use entryway::{Archive, FileSource};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let archive = Archive::open(FileSource::open(&arguments[1])?)?;
    let found = archive.find(arguments[2].as_bytes())?.ok_or("no such entry")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("listening on http://{}", listener.local_addr()?);
    for mut client in listener.incoming().flatten() {
        let request = BufReader::new((&client).take(16_384)).lines().map_while(Result::ok);
        request.take_while(|line| !line.is_empty()).for_each(drop);
        let length = found.entry.declared_uncompressed_size;
        let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n");
        let sent = copy(&mut head.as_bytes().chain(archive.read(&found)?), &mut client);
        sent.map_or_else(|error| eprintln!("{error}"), drop);
    }
    Ok(())
}
