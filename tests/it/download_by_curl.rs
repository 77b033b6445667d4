//! What a person or a script does: the real curl, with the options people use.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::client::{by_job, by_ref};
use crate::harness::{Push, Scratch, Server, has_command, skip};
use crate::sample::{LARGE_DEFLATED, LARGE_STORED, SMALL_DEFLATED, SMALL_STORED, Sample};

struct Site {
    sample: Sample,
    server: Server,
    scratch: Scratch,
    job_id: u64,
}

impl Site {
    fn start(test: &str) -> Option<Self> {
        if !has_command("curl") {
            skip(test, "curl is not here");
            return None;
        }
        let scratch = Scratch::new();
        let sample = Sample::new();
        let archive = scratch.file("sample.zip", &sample.built.bytes);
        let job_id = Push::public().store_in(&scratch.data(), &archive).job_id;
        let server = Server::start(&scratch.data());
        Some(Self { sample, server, scratch, job_id })
    }

    /// Endpoints C and D of an entry, as URLs.
    fn urls(&self, entry: &str) -> [String; 2] {
        [by_job(self.job_id, entry.as_bytes()), by_ref("main", entry.as_bytes())]
            .map(|target| self.server.url(&target))
    }

    /// The archive by job id and by ref, as URLs.
    fn archive_urls(&self) -> [String; 2] {
        let base = "/api/v4/projects/group%2Fapp/jobs";
        [
            self.server.url(&format!("{base}/{}/artifacts", self.job_id)),
            self.server.url(&format!("{base}/artifacts/main/download?job=build")),
        ]
    }
}

/// Runs curl with no settings of the user's; it must succeed.
#[track_caller]
fn curl(arguments: &[&str]) -> Output {
    let output = curl_unchecked(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "curl {arguments:?}: {stderr}");
    output
}

fn curl_unchecked(arguments: &[&str]) -> Output {
    Command::new("curl")
        .args(["-q", "--noproxy", "*", "-sS", "--max-time", "120"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("curl starts")
}

const ENTRIES: [&str; 5] = [
    SMALL_DEFLATED,
    LARGE_DEFLATED,
    SMALL_STORED,
    LARGE_STORED,
    "\u{fc}ml\u{e4}ut stra\u{df}e.txt",
];

#[test]
fn curl_gets_a_file_byte_for_byte() {
    let Some(site) = Site::start("curl_gets_a_file_byte_for_byte") else {
        return;
    };
    for entry in ENTRIES {
        for url in site.urls(entry) {
            for protocol in ["--http1.0", "--http1.1", "--http2-prior-knowledge"] {
                let got = curl(&["-f", protocol, &url]).stdout;
                assert!(got == site.sample.content(entry), "{protocol} {url}: {}", got.len());
            }
        }
    }
}

#[test]
fn curl_compressed_gets_the_same_file() {
    let Some(site) = Site::start("curl_compressed_gets_the_same_file") else {
        return;
    };
    for entry in ENTRIES {
        for url in site.urls(entry) {
            for protocol in ["--http1.1", "--http2-prior-knowledge"] {
                let got = curl(&["-f", "--compressed", protocol, &url]).stdout;
                assert!(got == site.sample.content(entry), "{protocol} {url}: {}", got.len());
            }
        }
    }
    // curl undid the coding, so look at what went over the wire.
    let url = &site.urls(LARGE_DEFLATED)[1];
    let sent = curl(&["-f", "-H", "Accept-Encoding: gzip", url]).stdout;
    assert!(sent == site.sample.gzip(LARGE_DEFLATED));
}

#[test]
fn curl_gets_ranges() {
    let Some(site) = Site::start("curl_gets_ranges") else {
        return;
    };
    for entry in ENTRIES {
        let whole = site.sample.content(entry);
        let end = whole.len();
        for url in site.urls(entry) {
            for protocol in ["--http1.1", "--http2-prior-knowledge"] {
                for (range, expected) in [
                    ("0-0", &whole[..1]),
                    ("100-149", &whole[100..150]),
                    ("100-", &whole[100..]),
                    ("-50", &whole[end - 50..]),
                ] {
                    let got = curl(&["-f", "-r", range, "--compressed", protocol, &url]).stdout;
                    assert!(got == expected, "{range} {protocol} {url}");
                }
            }
        }
    }
}

#[test]
fn curl_goes_on_with_a_download_that_was_cut() {
    let Some(site) = Site::start("curl_goes_on_with_a_download_that_was_cut") else {
        return;
    };
    for entry in ENTRIES {
        let whole = site.sample.content(entry);
        for url in site.urls(entry) {
            for have in [1, whole.len() / 2, whole.len() - 1] {
                let file = site.scratch.file("partial", &whole[..have]);
                let name = file.to_str().expect("a plain path");
                curl(&["-f", "-C", "-", "-o", name, &url]);
                let got = std::fs::read(&file).expect("curl wrote it");
                assert!(got == whole, "{have} of {url}");
            }
        }
    }
}

#[test]
fn curl_head_shows_the_fields_of_the_contract() {
    let Some(site) = Site::start("curl_head_shows_the_fields_of_the_contract") else {
        return;
    };
    for entry in [LARGE_DEFLATED, LARGE_STORED] {
        let length = site.sample.content(entry).len();
        let file = Path::new(entry).file_name().and_then(|name| name.to_str());
        let file = file.expect("a plain name");
        for url in site.urls(entry) {
            for protocol in ["--http1.1", "--http2-prior-knowledge"] {
                let head = String::from_utf8(curl(&["-f", "-I", protocol, &url]).stdout);
                let head = head.expect("a head is text");
                let fields: Vec<(String, &str)> = head
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
                    .collect();
                for (name, value) in [
                    ("content-length", length.to_string()),
                    ("content-disposition", {
                        format!("attachment; filename=\"{file}\"; filename*=UTF-8''{file}")
                    }),
                    ("x-content-type-options", "nosniff".to_owned()),
                    ("content-security-policy", "default-src 'none'; sandbox".to_owned()),
                    ("x-frame-options", "DENY".to_owned()),
                    ("cross-origin-resource-policy", "same-origin".to_owned()),
                    ("referrer-policy", "no-referrer".to_owned()),
                    ("accept-ranges", "bytes".to_owned()),
                    ("vary", "Accept-Encoding".to_owned()),
                    ("etag", site.sample.entity_tag(entry)),
                ] {
                    let found: Vec<&str> = fields
                        .iter()
                        .filter(|(other, _)| other == name)
                        .map(|(_, value)| *value)
                        .collect();
                    assert_eq!(found, [value.as_str()], "{name} of {url} in {head}");
                }
                for name in ["content-type", "last-modified", "cache-control", "date"] {
                    let count = fields.iter().filter(|(other, _)| other == name).count();
                    assert_eq!(count, 1, "{name} of {url} in {head}");
                }
            }
        }
    }
}

#[test]
fn curl_remote_header_name_saves_under_the_entry_name() {
    let Some(site) = Site::start("curl_remote_header_name_saves_under_the_entry_name") else {
        return;
    };
    let folder = site.scratch.path("downloads");
    std::fs::create_dir(&folder).expect("a new folder");
    let url = &site.urls(LARGE_DEFLATED)[1];
    curl(&["-f", "-OJ", "--output-dir", folder.to_str().expect("a plain path"), url]);
    let got = std::fs::read(folder.join("large.txt")).expect("the file has the entry's name");
    assert!(got == site.sample.content(LARGE_DEFLATED));
}

#[test]
fn curl_gets_the_archive_and_ranges_of_it() {
    let Some(site) = Site::start("curl_gets_the_archive_and_ranges_of_it") else {
        return;
    };
    let whole = &site.sample.built.bytes;
    for url in site.archive_urls() {
        for protocol in ["--http1.1", "--http2-prior-knowledge"] {
            assert!(&curl(&["-f", "--compressed", protocol, &url]).stdout == whole, "{url}");
            let tail = curl(&["-f", "-r", "-22", protocol, &url]).stdout;
            assert!(tail == whole[whole.len() - 22..], "{url}");
        }
        let file = site.scratch.file("partial.zip", &whole[..whole.len() / 3]);
        curl(&["-f", "-C", "-", "-o", file.to_str().expect("a plain path"), &url]);
        assert!(&std::fs::read(&file).expect("curl wrote it") == whole, "{url}");
    }
}

#[test]
fn curl_dash_f_fails_where_there_is_no_such_file() {
    let Some(site) = Site::start("curl_dash_f_fails_where_there_is_no_such_file") else {
        return;
    };
    for url in site.urls("none.txt") {
        let output = curl_unchecked(&["-f", &url]);
        // 22 is curl's code for an answer of 400 and above.
        assert_eq!(output.status.code(), Some(22), "{url}");
        let code = curl(&["-o", "/dev/null", "-w", "%{http_code}", &url]).stdout;
        assert_eq!(code, b"404", "{url}");
    }
}
