//! A push to a server, by the ingest routes and the upload that a runner makes.
//!
//! ```text
//! PUT  project   only where it is new, then with its visibility
//! POST pipeline  running      (PUT with --pipeline, where it is new)
//! POST job       running -> the job's token
//! POST artifacts              with that token
//! PUT  job, PUT pipeline      what they came to
//! ```
//!
//! The archive is judged here before anything is announced. Each step that fails ends the push:
//! what was announced until then cannot be taken back, so it is announced as failed.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use entryway::{Archive, Error, FileSource, ReadAt};
use http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::client::{Caller, Form, RemoteError, Server, ServerUrl, Step, TokenText};
use super::{Arguments, Handed, Progress};
use crate::catalog::{
    CatalogError, JobStatus, PipelineId, PipelineStatus, ProjectPath, Visibility,
};
use crate::cli::error::CliError;
use crate::store::Sha256Digest;
use crate::verification::{self, Verified};

/// Hands an archive in for a new job.
pub(super) fn push(
    arguments: &Arguments,
    server: &ServerUrl,
    place: (&ProjectPath, &str, &str),
    progress: &mut Progress<'_>,
) -> Result<Handed, CliError> {
    let (project, ref_name, job) = place;
    let token = TokenText::find(arguments.token_file.as_deref())?;
    let server = Server::new(server.clone())?;
    let judged = Judged::new(arguments, progress)?;
    let session = Session { server: &server, token: &token, project };

    let project_id = session.project(arguments.visibility)?;
    let pipeline = session.pipeline(arguments.pipeline, ref_name)?;
    let status = arguments.status.unwrap_or(PipelineStatus::Success);
    let handed = session.job(pipeline.id, job).and_then(|(job_id, job_token)| {
        let expire_in = arguments.expire_in.as_ref().map(|said| said.phrase.as_str());
        let outcome = judged
            .upload(&server, job_id, Caller::Job(&job_token), expire_in, progress)
            .and_then(|()| Ok(session.end_job(job_id, status.of_handed_in_job())?));
        if outcome.is_err() {
            // The push has failed already; whether that can be said too changes nothing.
            drop(session.end_job(job_id, JobStatus::Failed));
        }
        outcome.map(|()| job_id)
    });
    if handed.is_err() && pipeline.is_new {
        drop(session.end_pipeline(pipeline.id, PipelineStatus::Failed));
    }
    let job_id = handed?;
    if pipeline.is_new || arguments.status.is_some() {
        session.end_pipeline(pipeline.id, status)?;
    }
    Ok(judged.handed(Some(project_id), Some(pipeline.id), job_id))
}

/// Hands an archive in for a job that the server knows.
pub(super) fn hand_in_for(
    arguments: &Arguments,
    server: &ServerUrl,
    job: i64,
    progress: &mut Progress<'_>,
) -> Result<Handed, CliError> {
    let token = TokenText::find(arguments.token_file.as_deref())?;
    let server = Server::new(server.clone())?;
    let judged = Judged::new(arguments, progress)?;
    let expire_in = arguments.expire_in.as_ref().map(|said| said.phrase.as_str());
    judged.upload(&server, job, Caller::Owner(&token), expire_in, progress)?;
    Ok(judged.handed(None, arguments.pipeline, job))
}

/// What is announced with the token of the push.
struct Session<'a> {
    server: &'a Server,
    token: &'a TokenText,
    project: &'a ProjectPath,
}

struct Pipeline {
    id: i64,
    /// Made by this push, which then says what becomes of it.
    is_new: bool,
}

impl Session<'_> {
    fn path(&self, rest: &str) -> String {
        // Of the characters that a project path may have, only the slash is to be encoded.
        format!("/ingest/v1/projects/{}{rest}", self.project.as_str().replace('/', "%2F"))
    }

    /// Makes the project where it is new; else its visibility has to be the one asked for.
    fn project(&self, asked: Option<Visibility>) -> Result<i64, CliError> {
        let (server, step, path) = (self.server, Step::Project, self.path(""));
        let visibility = asked.unwrap_or(Visibility::Private);
        let new = json!({ "visibility": visibility.as_str() });
        if let Some(made) = server.announce_new(step, &path, self.token, &new)? {
            return Ok(made.member("id")?);
        }
        let known = server.announce(step, Method::PUT, &path, self.token, &json!({}))?;
        let word: String = known.member("visibility")?;
        match (word.parse(), asked) {
            (Ok(existing), Some(asked)) if existing != asked => {
                Err(CatalogError::VisibilityConflict { existing, asked }.into())
            }
            _ => Ok(known.member("id")?),
        }
    }

    /// Makes the pipeline where it is new; else it has to be one of the ref.
    fn pipeline(&self, asked: Option<i64>, ref_name: &str) -> Result<Pipeline, CliError> {
        let (server, step) = (self.server, Step::Pipeline);
        let new = json!({ "ref": ref_name, "status": PipelineStatus::Running.as_str() });
        let Some(id) = asked else {
            let path = self.path("/pipelines");
            let made = server.announce(step, Method::POST, &path, self.token, &new)?;
            return Ok(Pipeline { id: made.member("id")?, is_new: true });
        };
        let path = self.path(&format!("/pipelines/{id}"));
        if let Some(made) = server.announce_new(step, &path, self.token, &new)? {
            return Ok(Pipeline { id: made.member("id")?, is_new: true });
        }
        let known = server.announce(step, Method::PUT, &path, self.token, &json!({}))?;
        if known.member::<String>("ref")? != ref_name {
            return Err(CatalogError::RefConflict { pipeline: PipelineId(id) }.into());
        }
        Ok(Pipeline { id, is_new: false })
    }

    /// Makes the job, which runs until its archive is there.
    fn job(&self, pipeline: i64, name: &str) -> Result<(i64, TokenText), CliError> {
        let status = JobStatus::Running.as_str();
        let body = json!({ "pipeline_id": pipeline, "name": name, "status": status });
        let path = self.path("/jobs");
        let made = self.server.announce(Step::Job, Method::POST, &path, self.token, &body)?;
        let id = made.member("id")?;
        match TokenText::new(&made.member::<String>("token")?) {
            Some(token) => Ok((id, token)),
            None => Err(made.lacks("token").into()),
        }
    }

    fn end_job(&self, id: i64, status: JobStatus) -> Result<(), RemoteError> {
        let path = self.path(&format!("/jobs/{id}"));
        let body = json!({ "status": status.as_str() });
        self.server.announce(Step::EndOfJob, Method::PUT, &path, self.token, &body).map(drop)
    }

    fn end_pipeline(&self, id: i64, status: PipelineStatus) -> Result<(), RemoteError> {
        let path = self.path(&format!("/pipelines/{id}"));
        let body = json!({ "status": status.as_str() });
        self.server.announce(Step::EndOfPipeline, Method::PUT, &path, self.token, &body).map(drop)
    }
}

/// An archive that a server will take, as far as can be told here.
struct Judged<'a> {
    path: &'a Path,
    source: FileSource,
    sha256: Sha256Digest,
    verified: Verified,
}

impl<'a> Judged<'a> {
    fn new(arguments: &'a Arguments, progress: &mut Progress<'_>) -> Result<Self, CliError> {
        let (path, policy) = (&arguments.archive, arguments.policy.policy());
        let open = |error| CliError::Open { path: path.to_owned(), error };
        let refused = |error| CliError::archive(path, error);
        let source = FileSource::open(path).map_err(open)?;
        let archive = Archive::open_within(source.clone(), policy).map_err(refused)?;
        verification::hold_to(&archive, arguments.profile.profile())
            .map_err(|unfit| CliError::archive(path, unfit))?;
        let entries = archive.directory().len();
        let verified = verification::verify(archive, &mut |done| {
            progress("verifying", done.entries, entries as u64);
        })
        .map_err(refused)?;
        let sha256 = verification::digest(&source).map_err(open)?;
        Ok(Self { path, source, sha256, verified })
    }

    /// Sends what was judged: other bytes than those are no success.
    fn upload(
        &self,
        server: &Server,
        job: i64,
        caller: Caller<'_>,
        expire_in: Option<&str>,
        progress: &mut Progress<'_>,
    ) -> Result<(), CliError> {
        let open = |error| CliError::Open { path: self.path.to_owned(), error };
        let file = File::open(self.path).map_err(open)?;
        let len = ReadAt::len(&self.source);
        let filename = self.path.file_name().unwrap_or_default().to_string_lossy();
        // A file that holds its own SHA-256 is as hard to make as two files with the same one. Its
        // 64 digits are fewer than the 70 characters that RFC 2046 section 5.1.1 allows.
        let boundary = self.sha256.to_string();
        let fields: Vec<_> = expire_in.map(|phrase| ("expire_in", phrase)).into_iter().collect();
        let form = Form { boundary: &boundary, fields: &fields, filename: &filename };
        let mut sent = Hashed { file, len, sent_len: 0, digest: Sha256::new(), progress };
        let path = format!("/api/v4/jobs/{job}/artifacts");
        server.upload(&path, caller, &form, &mut sent, len)?;
        // A server that knows this very archive may answer before it has been sent whole.
        if sent.sent_len == len && Sha256Digest(sent.digest.finalize().into()) != self.sha256 {
            return Err(CliError::archive(self.path, Error::Changed));
        }
        Ok(())
    }

    fn handed(self, project_id: Option<i64>, pipeline_id: Option<i64>, job_id: i64) -> Handed {
        let len = ReadAt::len(&self.source);
        let Self { sha256, verified, .. } = self;
        Handed { project_id, pipeline_id, job_id, sha256, len, verified }
    }
}

/// A file's first `len` bytes, hashed as they are read: neither more nor fewer.
struct Hashed<'a, 'b> {
    file: File,
    len: u64,
    sent_len: u64,
    digest: Sha256,
    progress: &'a mut Progress<'b>,
}

impl Read for Hashed<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len - self.sent_len).unwrap_or(usize::MAX);
        let wanted_len = left.min(buffer.len());
        if wanted_len == 0 {
            return Ok(0);
        }
        let read_len = self.file.read(&mut buffer[..wanted_len])?;
        if read_len == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter"));
        }
        self.digest.update(&buffer[..read_len]);
        self.sent_len += read_len as u64;
        (self.progress)("sending", self.sent_len, self.len);
        Ok(read_len)
    }
}
