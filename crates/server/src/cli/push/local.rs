//! A push into a data folder.

use super::{Arguments, Handed, Progress};
use crate::catalog::{PipelineId, ProjectPath, PushTarget};
use crate::cli::error::CliError;
use crate::cli::serve::open_catalog;
use crate::ingest::{Ingested, Intake, Stage};
use crate::store::Store;

/// Stores the archive in the folder and records it.
pub(super) fn push(
    arguments: &Arguments,
    data: &std::path::Path,
    place: (&ProjectPath, &str, &str),
    progress: &mut Progress<'_>,
) -> Result<Handed, CliError> {
    let (project, ref_name, job) = place;
    let store = Store::open(data)?;
    let (runtime, catalog) = open_catalog(&store)?;
    let target = PushTarget {
        project,
        visibility: arguments.visibility,
        ref_name,
        job,
        pipeline: arguments.pipeline.map(PipelineId),
    };
    let (policy, profile) = (arguments.policy.policy(), arguments.profile.profile());
    let runtime_handle = runtime.handle();
    let intake =
        Intake { store: &store, catalog: &catalog, runtime: runtime_handle, policy, profile };
    let expire_in = arguments.expire_in.as_ref().map(|said| said.meaning);
    let mut staged = |stage| match stage {
        Stage::Receiving { received_len, len } => progress("storing", received_len, len),
        Stage::Verifying { done, entries } => progress("verifying", done.entries, entries),
    };
    let outcome =
        intake.ingest(&arguments.archive, &target, arguments.status, expire_in, &mut staged);
    runtime.block_on(catalog.close());
    let Ingested { pushed, published, verified } = outcome?;
    Ok(Handed {
        project_id: Some(pushed.project_id.0),
        pipeline_id: Some(pushed.pipeline_id.0),
        job_id: pushed.job_id.0,
        sha256: published.sha256,
        len: published.len,
        verified,
    })
}
