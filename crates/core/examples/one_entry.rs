//! One entry of a zip file to standard output: `one_entry ARCHIVE ENTRY`.

use std::io::{copy, stdout};

use entryway::{Archive, FileSource};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("usage: one_entry ARCHIVE ENTRY".into());
    };
    let archive = Archive::open(FileSource::open(path)?)?;
    let found = archive.find(name.as_bytes())?.ok_or("no such entry")?;
    copy(&mut archive.read(&found)?, &mut stdout())?;
    Ok(())
}
