//! The catalog's rows as the rest of the program sees them. What a cached result holds is shared,
//! so that a hit copies no text.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::words::words;
use crate::credential::{Role, Scopes};
use crate::store::Sha256Digest;

/// Largest id of any kind: 2^53 - 1, the largest integer that every JSON reader keeps exactly.
pub const MAX_ID: i64 = (1 << 53) - 1;

macro_rules! id {
    ($(#[$outer:meta])* $name:ident) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// The number of a project.
    ProjectId
}
id! {
    /// The number of a pipeline; a later pipeline has a higher one.
    PipelineId
}
id! {
    /// The number of a job.
    JobId
}
id! {
    /// The number of a token's row; not the token.
    TokenId
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(pub i64);

impl UtcMillis {
    /// The clock's time.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// Later by a duration; the end of time where it does not fit.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// For HTTP dates; a time before 1970 becomes 1970.
    pub fn to_system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl From<SystemTime> for UtcMillis {
    fn from(time: SystemTime) -> Self {
        Self(0).after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

words! {
    /// Who sees that a project exists.
    pub enum Visibility {
        /// Everyone, anonymous callers included.
        Public = "public",
        /// Everyone with a valid token.
        Internal = "internal",
        /// Members only.
        Private = "private",
    }
}

words! {
    /// The state of a pipeline; only successful ones count for "latest".
    pub enum PipelineStatus {
        /// Made, and nothing of it has begun.
        Created = "created",
        /// Waits for a runner.
        Pending = "pending",
        /// Not over.
        Running = "running",
        /// Over, and good.
        Success = "success",
        /// Over, and not good.
        Failed = "failed",
        /// Stopped by somebody.
        Canceled = "canceled",
        /// Never begun.
        Skipped = "skipped",
        /// Waits for somebody.
        Manual = "manual",
    }
}

words! {
    /// The state of a job.
    pub enum JobStatus {
        /// Made, and waits for other jobs.
        Created = "created",
        /// Waits for a runner.
        Pending = "pending",
        /// Not over; its job token is valid.
        Running = "running",
        /// Over, and good.
        Success = "success",
        /// Over, and not good.
        Failed = "failed",
        /// Stopped by somebody.
        Canceled = "canceled",
        /// Never begun.
        Skipped = "skipped",
        /// Waits for somebody.
        Manual = "manual",
    }
}

/// How far something has come: what is over does not begin again under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It has not begun.
    Waiting,
    /// It has begun.
    Running,
    /// It is over, whatever came of it.
    Over,
}

impl PipelineStatus {
    /// How far a pipeline in this state has come. One that waits for somebody has begun: it goes
    /// from running to that and back.
    pub fn phase(self) -> Phase {
        match self {
            Self::Created | Self::Pending => Phase::Waiting,
            Self::Running | Self::Manual => Phase::Running,
            Self::Success | Self::Failed | Self::Canceled | Self::Skipped => Phase::Over,
        }
    }
}

impl PipelineStatus {
    /// The state of a job that is handed in with its pipeline: it is over, whatever the pipeline
    /// waits for.
    pub fn of_handed_in_job(self) -> JobStatus {
        match self {
            Self::Failed => JobStatus::Failed,
            Self::Canceled => JobStatus::Canceled,
            Self::Created
            | Self::Pending
            | Self::Running
            | Self::Success
            | Self::Skipped
            | Self::Manual => JobStatus::Success,
        }
    }
}

impl JobStatus {
    /// How far a job in this state has come.
    pub fn phase(self) -> Phase {
        match self {
            Self::Created | Self::Pending | Self::Manual => Phase::Waiting,
            Self::Running => Phase::Running,
            Self::Success | Self::Failed | Self::Canceled | Self::Skipped => Phase::Over,
        }
    }
}

words! {
    /// Who may download a job's artifacts, beyond the right to read the project's pipelines.
    pub enum ArtifactsAccess {
        /// Whoever may read the pipelines.
        All = "all",
        /// Developers and up.
        Developer = "developer",
        /// Maintainers and up.
        Maintainer = "maintainer",
        /// Nobody.
        None = "none",
    }
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its number.
    pub id: ProjectId,
    /// Its full path.
    pub path: Arc<str>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Whoever sees the project (on a private one: every member) may read its pipelines.
    pub public_pipelines: bool,
    /// Paths of the projects whose running jobs may read it with their job tokens.
    pub job_token_allowlist: Arc<[Box<str>]>,
}

impl Project {
    /// Whether the jobs of another project may read it with their tokens.
    pub fn allows_jobs_of(&self, project_path: &str) -> bool {
        self.job_token_allowlist.iter().any(|allowed| **allowed == *project_path)
    }
}

/// A running job, as the one who asks with its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningJob {
    /// Its number.
    pub id: JobId,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// That project's path.
    pub project_path: Arc<str>,
}

/// A job, with its archive if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// The project that it belongs to.
    pub project_id: ProjectId,
    /// The pipeline that it belongs to.
    pub pipeline_id: PipelineId,
    /// Its name; of several in a pipeline that are not retried, the newest job counts.
    pub name: Arc<str>,
    /// Its stage.
    pub stage: Arc<str>,
    /// Its state.
    pub status: JobStatus,
    /// A later job of the same name replaced it.
    pub retried: bool,
    /// Its artifacts are kept past their expiry.
    pub locked: bool,
    /// Who may download its artifacts.
    pub artifacts_access: ArtifactsAccess,
    /// When it was made.
    pub created_at: UtcMillis,
    /// Its archive, expired or lost ones included; ask [`Job::archive_at`].
    pub archive: Option<Archive>,
}

/// A job's archive, as far as the catalog knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Digest of its bytes, and its name in the store.
    pub sha256: Sha256Digest,
    /// Its length in bytes, measured when it was stored.
    pub len: u64,
    /// How many entries it has, counted when it was stored.
    pub entries: u64,
    /// The name that it was handed in with.
    pub filename: Arc<str>,
    /// When this job got it.
    pub stored_at: UtcMillis,
    /// From when on it is not served, unless the job is locked.
    pub expires_at: Option<UtcMillis>,
    /// The store does not have it any more.
    pub lost: bool,
}

/// What a job's archive is at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveState<'a> {
    /// There is none.
    Absent,
    /// Its time is over; answered as if there were none.
    Expired,
    /// The catalog has it and the store lost it.
    Lost(&'a Archive),
    /// It can be served.
    Stored(&'a Archive),
}

impl Job {
    /// The archive as it stands at a time: the one place that judges expiry and loss.
    pub fn archive_at(&self, now: UtcMillis) -> ArchiveState<'_> {
        match &self.archive {
            None => ArchiveState::Absent,
            Some(archive)
                if !self.locked && archive.expires_at.is_some_and(|expiry| expiry <= now) =>
            {
                ArchiveState::Expired
            }
            Some(archive) if archive.lost => ArchiveState::Lost(archive),
            Some(archive) => ArchiveState::Stored(archive),
        }
    }
}

/// Which job answers for (ref, job name).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Latest {
    /// This one; it has an archive, which may be expired or lost.
    Found(Arc<Job>),
    /// No successful pipeline of the ref, or no job of that name in it.
    NoJob,
    /// A job of that name, but no archive.
    NoArchive,
}

/// A token, as far as the catalog knows it: never its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The number of its row, for logs.
    pub id: TokenId,
    /// What its owner called it; not unique.
    pub name: Arc<str>,
    /// The projects that its role is for.
    pub prefix: super::ProjectPrefix,
    /// Its role on these projects.
    pub role: Role,
    /// What it may be used for.
    pub scopes: Scopes,
    /// From when on it is not valid.
    pub expires_at: Option<UtcMillis>,
    /// When it was made.
    pub created_at: UtcMillis,
    /// When it was revoked.
    pub revoked_at: Option<UtcMillis>,
}

impl Token {
    /// Neither revoked nor expired. A revoked token is revoked whatever the clock says.
    pub fn is_valid_at(&self, now: UtcMillis) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|expiry| now < expiry)
    }

    /// The role on a project; `None` where the token is not for it.
    pub fn role_on(&self, project_path: &str) -> Option<Role> {
        self.prefix.covers(project_path).then_some(self.role)
    }
}

/// A row of stored content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub sha256: Sha256Digest,
    /// Its length in bytes.
    pub len: u64,
    /// It is marked lost.
    pub lost: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(locked: bool, expires_at: Option<i64>, lost: bool) -> Job {
        Job {
            id: JobId(1),
            project_id: ProjectId(1),
            pipeline_id: PipelineId(1),
            name: "build".into(),
            stage: "test".into(),
            status: JobStatus::Success,
            retried: false,
            locked,
            artifacts_access: ArtifactsAccess::All,
            created_at: UtcMillis(0),
            archive: Some(Archive {
                sha256: Sha256Digest([0; 32]),
                len: 1,
                entries: 1,
                filename: "a.zip".into(),
                stored_at: UtcMillis(0),
                expires_at: expires_at.map(UtcMillis),
                lost,
            }),
        }
    }

    #[test]
    fn archives_expire_at_their_time_unless_locked() {
        let table = [
            ("no expiry", job(false, None, false), "stored"),
            ("a millisecond before", job(false, Some(1001), false), "stored"),
            ("at the very time", job(false, Some(1000), false), "expired"),
            ("locked", job(true, Some(1000), false), "stored"),
            ("lost", job(false, None, true), "lost"),
            ("lost and expired", job(false, Some(1), true), "expired"),
            ("absent", Job { archive: None, ..job(false, None, false) }, "absent"),
        ];
        for (name, job, expected) in table {
            let state = match job.archive_at(UtcMillis(1000)) {
                ArchiveState::Absent => "absent",
                ArchiveState::Expired => "expired",
                ArchiveState::Lost(_) => "lost",
                ArchiveState::Stored(_) => "stored",
            };
            assert_eq!(state, expected, "{name}");
        }
    }

    #[test]
    fn times_survive_the_way_to_the_systems_clock() {
        for millis in [0, 1, 1_700_000_000_123] {
            assert_eq!(UtcMillis::from(UtcMillis(millis).to_system_time()), UtcMillis(millis));
        }
        assert_eq!(UtcMillis(5).after(Duration::MAX), UtcMillis(i64::MAX));
        assert_eq!(UtcMillis(-1).to_system_time(), UNIX_EPOCH);
    }
}
