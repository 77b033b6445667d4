//! tower-http's `ServeDir` over a folder of extracted files, on a free port of loopback.
//!
//! hyper's HTTP/1 and tokio's runtime with its default of a thread for each core, and every setting
//! of `ServeDir` as it comes, but that `file.gz` is sent for `file` to who accepts gzip.

use std::env;
use std::error::Error;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).ok_or("usage: servedir FOLDER")?;
    let files = ServeDir::new(folder).precompressed_gzip();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = TowerToHyperService::new(files.clone());
        tokio::spawn(async move {
            // A connection that the client breaks off is no failure of the server.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
