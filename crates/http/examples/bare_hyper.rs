//! An archive behind bare hyper: `bare_hyper ARCHIVE [ADDR]`.

use entryway::{Archive, FileSource};
use entryway_http::ArchiveService;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: bare_hyper ARCHIVE [ADDR]")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());

    let source = FileSource::open(&path)?;
    // Any 32 bytes that change when the archive does; a server that knows its SHA-256 gives that.
    let identity = Sha256::digest(format!("{path} {}", source.modified_nanos()));
    let stored_at = std::fs::metadata(&path)?.modified()?;
    // Decodes every entry once. `ArchiveService::new` starts at once, without ranges and gzip.
    let files = ArchiveService::verified(Archive::open(source)?, identity.into(), stored_at)?;

    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(files.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("connection: {error}");
            }
        });
    }
}
