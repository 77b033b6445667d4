//! Serves the entries of a zip file by their names, ranges and gzip included: `ARCHIVE`.

use axum::Router;
use entryway::{Archive, FileSource};
use entryway_http::ArchiveService;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which archive?")?;
    let stored_at = std::fs::metadata(&path)?.modified()?;
    // Any 32 bytes that change when the archive does.
    let identity = Sha256::digest(format!("{path} {stored_at:?}")).into();
    let archive = Archive::open(FileSource::open(&path)?)?;
    let files = ArchiveService::verified(archive, identity, stored_at)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().nest_service("/files", files)).await?;
    Ok(())
}
