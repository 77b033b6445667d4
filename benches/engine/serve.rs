//! Whole requests to an `ArchiveService`, in process: from the request's head to the body's last
//! byte, without a socket.
#![allow(clippy::unwrap_used, reason = "what fails ends the benchmark")]

use std::future::poll_fn;
use std::pin::Pin;
use std::time::{Duration, UNIX_EPOCH};

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use entryway::{Archive, FileSource};
use entryway_benches::content::Kind;
use entryway_benches::{archives, is_test_run};
use entryway_http::ArchiveService;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderName, IF_NONE_MATCH, RANGE};
use http::{Request, Response, StatusCode};
use http_body::Body;
use tokio::runtime::Runtime;
use tower_service::Service;

criterion_group!(benches, serve);
criterion_main!(benches);

const SMALL: usize = 4 * 1024;

type Files = ArchiveService<FileSource>;

fn serve(criterion: &mut Criterion) {
    let large = if is_test_run() { 1 << 20 } else { 64 << 20 };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let small_deflated = service(false, SMALL);
    let large_deflated = service(false, large);
    let large_stored = service(true, large);
    let content = Kind::Html.make(large);

    let entity_tag = {
        let (answer, body) = runtime.block_on(whole(&small_deflated, None));
        assert!(body == content[..SMALL]);
        answer.headers()[ETAG].to_str().unwrap().to_owned()
    };
    let mut group = criterion.benchmark_group("serve");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    let mut bench = |name: &str, files: &Files, field: Option<(HeaderName, &str)>, expected| {
        let Expected { status, is_gzip, content } = expected;
        let (answer, body) = runtime.block_on(whole(files, field.clone()));
        assert_eq!(answer.status(), status, "{name}");
        assert_eq!(answer.headers().contains_key(CONTENT_ENCODING), is_gzip, "{name}");
        match content {
            Some(content) if is_gzip => {
                // A fixed head of ten bytes; the last four say how long the content is.
                assert!(body.starts_with(&[0x1f, 0x8b, 8]), "{name}");
                let len = (content.len() as u32).to_le_bytes();
                assert!(body.len() < content.len() && body.ends_with(&len), "{name}");
            }
            Some(content) => assert!(body == content, "{name}"),
            None => assert!(body.is_empty(), "{name}"),
        }
        group.throughput(Throughput::Bytes(body.len() as u64));
        if body.len() > 1 << 20 {
            group.sample_size(10).sampling_mode(SamplingMode::Flat);
        }
        group.bench_function(name, |b| b.iter(|| len(&runtime, files, field.clone())));
    };
    let gzip = Some((ACCEPT_ENCODING, "gzip"));
    let known = Some((IF_NONE_MATCH, &*entity_tag));
    let part = Some((RANGE, "bytes=131072-196607"));
    let small = &content[..SMALL];
    let ok = StatusCode::OK;
    let partial = StatusCode::PARTIAL_CONTENT;
    let not_modified = StatusCode::NOT_MODIFIED;
    bench("identity, 4 KiB", &small_deflated, None, Expected::identity(ok, small));
    bench("gzip, 4 KiB", &small_deflated, gzip.clone(), Expected::gzip(small));
    bench("not modified", &small_deflated, known, Expected::empty(not_modified));
    let range = Expected::identity(partial, &content[131_072..196_608]);
    bench("range, stored, 64 KiB", &large_stored, part.clone(), range);
    let range = Expected::identity(partial, &content[131_072..196_608]);
    bench("range, deflated, 64 KiB", &large_deflated, part, range);
    bench("identity, 64 MiB", &large_deflated, None, Expected::identity(ok, &content));
    bench("gzip, 64 MiB", &large_deflated, gzip, Expected::gzip(&content));
    bench("stored, 64 MiB", &large_stored, None, Expected::identity(ok, &content));
    group.finish();
}

/// What an answer must be.
struct Expected<'a> {
    status: StatusCode,
    is_gzip: bool,
    content: Option<&'a [u8]>,
}

impl<'a> Expected<'a> {
    fn identity(status: StatusCode, content: &'a [u8]) -> Self {
        Self { status, is_gzip: false, content: Some(content) }
    }

    fn gzip(content: &'a [u8]) -> Self {
        Self { status: StatusCode::OK, is_gzip: true, content: Some(content) }
    }

    fn empty(status: StatusCode) -> Self {
        Self { status, is_gzip: false, content: None }
    }
}

fn service(is_stored: bool, len: usize) -> Files {
    let path = archives::one(Kind::Html, is_stored, len).unwrap();
    let archive = Archive::open(FileSource::open(path).unwrap()).unwrap();
    ArchiveService::verified(archive, [7; 32], UNIX_EPOCH + Duration::from_secs(784_111_777))
        .unwrap()
}

fn request(field: Option<(HeaderName, &str)>) -> Request<()> {
    let mut request = Request::get(format!("/{}", archives::ENTRY));
    if let Some((name, value)) = field {
        request = request.header(name, value);
    }
    request.body(()).unwrap()
}

/// The answer's head, and its body in one piece.
async fn whole(files: &Files, field: Option<(HeaderName, &str)>) -> (Response<()>, Vec<u8>) {
    let answer = files.clone().call(request(field)).await.unwrap();
    let (head, mut body) = answer.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        bytes.extend_from_slice(&frame.unwrap().into_data().unwrap());
    }
    (Response::from_parts(head, ()), bytes)
}

/// As [`whole`], with the body's length alone.
fn len(runtime: &Runtime, files: &Files, field: Option<(HeaderName, &str)>) -> usize {
    runtime.block_on(async {
        let mut body = files.clone().call(request(field)).await.unwrap().into_body();
        let mut len = 0;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            len += frame.unwrap().data_ref().unwrap().len();
        }
        len
    })
}
