//! Small catalogs, made through the catalog's own calls, and all that is in them.

use serde_json::Value;

use super::*;

pub(super) fn sha(byte: u8) -> Sha256Digest {
    Sha256Digest([byte; 32])
}

/// The digest of a job's token.
pub(super) fn token(number: u8) -> TokenDigest {
    TokenDigest::of(&[number])
}

/// The digest of a token that nobody asks for.
fn fresh_token() -> TokenDigest {
    TokenSecret::generate().unwrap().digest()
}

pub(super) fn later(millis: i64) -> UtcMillis {
    UtcMillis(NOW.0 + millis)
}

#[track_caller]
pub(super) fn done<T: std::fmt::Debug>(announced: Announced<T>) -> T {
    match announced {
        Announced::Done(value) => value,
        other => panic!("not recorded: {other:?}"),
    }
}

/// What makes a successful pipeline.
pub(super) fn of_ref(ref_name: &str) -> PipelineChange {
    PipelineChange {
        ref_name: Some(ref_name.into()),
        status: Some(PipelineStatus::Success),
        ..PipelineChange::default()
    }
}

/// What makes a job that runs.
pub(super) fn running(pipeline: PipelineId, name: &str) -> JobChange {
    JobChange {
        pipeline_id: Some(pipeline),
        name: Some(name.into()),
        status: Some(JobStatus::Running),
        ..JobChange::default()
    }
}

/// A handover of an archive by a running job; fields are replaced as a test needs.
pub(super) fn archive(job: JobId, byte: u8) -> Handover<'static> {
    Handover {
        job,
        must_run: true,
        file: HandedFile::Archive { entries: 3 },
        sha256: sha(byte),
        len: 1000 + u64::from(byte),
        filename: "dist.zip",
        expires_at: None,
        now: NOW,
    }
}

/// The same of a report.
pub(super) fn report(job: JobId, byte: u8, file_type: &'static str) -> Handover<'static> {
    Handover {
        file: HandedFile::Report { file_type, file_format: "gzip" },
        filename: "report.xml.gz",
        ..archive(job, byte)
    }
}

impl Catalog {
    pub(super) async fn has_project(&self, text: &str) -> ProjectId {
        let change = ProjectChange::default();
        done(self.put_project(&path(text), &change, false, NOW).await.unwrap()).id
    }

    pub(super) async fn has_pipeline(
        &self,
        project: ProjectId,
        change: &PipelineChange,
    ) -> PipelineId {
        done(self.put_pipeline(project, None, change, false, NOW).await.unwrap()).id
    }

    /// A job that runs.
    pub(super) async fn has_job(
        &self,
        project: ProjectId,
        pipeline: PipelineId,
        name: &str,
    ) -> JobId {
        let change = running(pipeline, name);
        done(self.put_job(project, None, &change, &fresh_token(), NOW).await.unwrap()).id
    }

    /// A pipeline of its own with a job that runs and has this archive.
    pub(super) async fn has_archive(
        &self,
        project: ProjectId,
        ref_name: &str,
        byte: u8,
        expires_at: Option<UtcMillis>,
    ) -> JobId {
        let pipeline = self.has_pipeline(project, &of_ref(ref_name)).await;
        let job = self.has_job(project, pipeline, "build").await;
        self.takes(&Handover { expires_at, ..archive(job, byte) }).await;
        job
    }

    pub(super) async fn takes(&self, handover: &Handover<'_>) {
        let outcome = self.hand_over(handover).await.unwrap();
        assert_eq!(outcome, HandoverOutcome::Taken);
    }

    pub(super) async fn sets_job(&self, project: ProjectId, job: JobId, change: &JobChange) {
        done(self.put_job(project, Some(job), change, &fresh_token(), NOW).await.unwrap());
    }

    /// The one value that a question gives, as JSON.
    pub(super) async fn json(&self, question: &str) -> Value {
        // Leaked, since the catalog takes static text only; short strings in tests.
        let question = Box::leak(question.to_owned().into_boxed_str());
        let row = self.sqlite().find_optional("test", sqlx::query(&*question)).await.unwrap();
        serde_json::from_str(rows::get(&row.unwrap(), "json").unwrap()).unwrap()
    }

    /// Every row of every table, as text that can be compared.
    pub(super) async fn everything(&self) -> String {
        let tables = self
            .json(
                "SELECT json_group_array(json_array(m.name, (
                     SELECT group_concat('quote(' || name || ')', '||'',''||')
                     FROM pragma_table_info(m.name)))) AS json
                 FROM sqlite_schema AS m WHERE m.type = 'table' ORDER BY m.name",
            )
            .await;
        let mut everything = String::new();
        for table in tables.as_array().unwrap() {
            let (name, columns) = (table[0].as_str().unwrap(), table[1].as_str().unwrap());
            let rows = self
                .json(&format!("SELECT json_group_array({columns} ORDER BY 1) AS json FROM {name}"))
                .await;
            everything.push_str(&format!("{name}: {rows:#}\n"));
        }
        everything
    }
}

/// Asks until the answer is kept. The watch sees this process's own commits too, up to an interval
/// later, and then ends once more what was kept since.
pub(super) async fn until_kept(is_kept: impl AsyncFnMut() -> bool) {
    within(Duration::from_secs(20), is_kept).await;
}

/// Only what is stored is compared: a call that refuses leaves every row as it was.
#[track_caller]
pub(super) fn assert_unchanged(before: &str, after: &str, name: &str) {
    assert!(before == after, "{name} changed something:\n{before}\n{after}");
}
