//! What is counted, and how it is told (`/-/metrics`).
//!
//! Labels are bounded: statuses, the stable words of failures, and the numbers of projects. No
//! label holds a name, a path or anything that a client sent: whoever may read the metrics of a
//! server does not learn from them what its private projects are called.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use http::StatusCode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::catalog::ProjectStorage;
use crate::store::Swept;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stored {
    project_id: i64,
    /// `archive` or `report`.
    kind: &'static str,
}

/// The counters of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// The two answers of nearly all downloads, kept at hand: a family is locked for each look.
    ok: Counter,
    not_modified: Counter,
    answers: Family<Status, Counter>,
    failures: Family<Reason, Counter>,
    uploads: Counter,
    uploaded: Counter,
    swept: Counter,
    swept_len: Counter,
    files: Family<Stored, Gauge<i64>>,
    stored_len: Family<Stored, Gauge<u64, AtomicU64>>,
    decoder_memory: Gauge<u64, AtomicU64>,
    /// Held while the gauges are set and written, so that two readers do not mix.
    writing: Mutex<()>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("entryway");
        let answers = Family::<Status, Counter>::default();
        let failures = Family::<Reason, Counter>::default();
        let counter = Counter::default;
        let (uploads, uploaded) = (counter(), counter());
        let (swept, swept_len) = (counter(), counter());
        let files = Family::<Stored, Gauge<i64>>::default();
        let stored_len = Family::<Stored, Gauge<u64, AtomicU64>>::default();
        registry.register("answers", "Answers by status", answers.clone());
        registry.register("failures", "Refused and failed requests by reason", failures.clone());
        registry.register("uploads", "Files taken in over HTTP", uploads.clone());
        registry.register_with_unit("upload", "Files taken in", Unit::Bytes, uploaded.clone());
        registry.register("swept_files", "Expired files taken off their jobs", swept.clone());
        registry.register_with_unit("swept", "Removed", Unit::Bytes, swept_len.clone());
        registry.register("project_files", "Files of a project's jobs", files.clone());
        registry.register_with_unit(
            "project_storage",
            "Files of a project's jobs, shared content counted for each job",
            Unit::Bytes,
            stored_len.clone(),
        );
        let decoder_memory = Gauge::<u64, AtomicU64>::default();
        registry.register_with_unit(
            "decoder_memory",
            "Shared out to the decoders of running answers",
            Unit::Bytes,
            decoder_memory.clone(),
        );
        let status =
            |status: StatusCode| answers.get_or_create_owned(&Status { status: status.as_u16() });
        Self {
            ok: status(StatusCode::OK),
            not_modified: status(StatusCode::NOT_MODIFIED),
            registry,
            answers,
            failures,
            uploads,
            uploaded,
            swept,
            swept_len,
            files,
            stored_len,
            decoder_memory,
            writing: Mutex::new(()),
        }
    }
}

impl Metrics {
    /// A request was answered; `label` is a failure's.
    pub(super) fn answered(&self, status: StatusCode, label: Option<&'static str>) {
        match status {
            StatusCode::OK => drop(self.ok.inc()),
            StatusCode::NOT_MODIFIED => drop(self.not_modified.inc()),
            status => {
                let status = Status { status: status.as_u16() };
                self.answers.get_or_create(&status).inc();
            }
        }
        if let Some(reason) = label {
            self.failures.get_or_create(&Reason { reason }).inc();
        }
    }

    /// A file was taken in.
    pub(super) fn uploaded(&self, len: u64) {
        self.uploads.inc();
        self.uploaded.inc_by(len);
    }

    /// The sweeper has been at work.
    pub fn swept(&self, swept: &Swept) {
        self.swept.inc_by(swept.expired);
        self.swept_len.inc_by(swept.removed_len);
    }

    /// All of it in the text format of OpenMetrics, with the storage as it is now, and the bytes that
    /// decoders hold.
    pub(super) fn text(&self, storage: &[ProjectStorage], decoder_memory: u64) -> Bytes {
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.decoder_memory.set(decoder_memory);
        self.files.clear();
        self.stored_len.clear();
        for project in storage {
            let kinds = [
                ("archive", project.archives, project.archives_len),
                ("report", project.reports, project.reports_len),
            ];
            for (kind, files, len) in kinds {
                let labels = Stored { project_id: project.id.0, kind };
                self.files.get_or_create(&labels).set(files.cast_signed());
                self.stored_len.get_or_create(&labels).set(len);
            }
        }
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = encode(&mut text, &self.registry);
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ProjectId, Visibility};

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::default();
        for _ in 0..3 {
            metrics.answered(StatusCode::OK, None);
        }
        metrics.answered(StatusCode::NOT_FOUND, Some("file_not_found"));
        metrics.uploaded(1_000);
        metrics.swept(&Swept { expired: 2, removed_len: 77, ..Swept::default() });
        let project = |id, archives_len| ProjectStorage {
            id: ProjectId(id),
            path: "secret/name".into(),
            visibility: Visibility::Private,
            public_pipelines: true,
            archives: 1,
            archives_len,
            reports: 0,
            reports_len: 0,
        };
        metrics.text(&[project(1, 5), project(2, 6)], 0);
        let text = metrics.text(&[project(2, 7)], 4_096);
        let text = std::str::from_utf8(&text).unwrap();
        for line in [
            "entryway_answers_total{status=\"200\"} 3",
            "entryway_answers_total{status=\"304\"} 0",
            "entryway_answers_total{status=\"404\"} 1",
            "entryway_failures_total{reason=\"file_not_found\"} 1",
            "entryway_uploads_total 1",
            "entryway_upload_bytes_total 1000",
            "entryway_swept_files_total 2",
            "entryway_swept_bytes_total 77",
            "entryway_decoder_memory_bytes 4096",
            "entryway_project_files{project_id=\"2\",kind=\"archive\"} 1",
            "entryway_project_storage_bytes{project_id=\"2\",kind=\"archive\"} 7",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
        assert!(!text.contains("project_id=\"1\""), "a project that is gone is not told of");
        assert!(!text.contains("secret"));
        assert!(text.ends_with("# EOF\n"));
    }
}
