//! An archive mounted in axum under /files: `axum_mount ARCHIVE [ADDR]`.

use axum::Router;
use entryway::{Archive, FileSource};
use entryway_http::ArchiveService;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: axum_mount ARCHIVE [ADDR]")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());

    let source = FileSource::open(&path)?;
    // Any 32 bytes that change when the archive does; a server that knows its SHA-256 gives that.
    let identity = Sha256::digest(format!("{path} {}", source.modified_nanos()));
    let stored_at = std::fs::metadata(&path)?.modified()?;
    // Decodes every entry once. `ArchiveService::new` starts at once, without ranges and gzip.
    let files = ArchiveService::verified(Archive::open(source)?, identity.into(), stored_at)?;

    let app = Router::new().nest_service("/files", files);
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}
