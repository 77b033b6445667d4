//! Positive answers kept in memory, so that a warm request runs no SQL.
//!
//! Every answer carries the generation that was current before the database was asked for it, and
//! is given out only while that generation lasts. A change ends the generation, so an answer that
//! was read before a change and kept after it is dead on arrival; no order of events brings it
//! back. Absence is never kept: whoever finds nothing asks the database, and so a push is seen at
//! once.
//!
//! The process's own writes end the generation when they have committed. Other processes' commits
//! are noticed by the watch, which looks every [`WATCH_INTERVAL`]; where it has not looked for
//! [`LEASE`], nothing is given out from memory at all, so a watch that is stuck, or was never
//! started, costs speed and not truth.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::Equivalent;
use moka::sync::Cache as Map;

use super::{Job, JobId, Project, ProjectId, RunningJob, Token};
use crate::credential::TokenDigest;

/// How often the watch looks for other processes' commits.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// How long after the watch looked its answer is trusted. What another process writes is in force
/// within a second at the latest; nine intervals leave room for a busy machine.
const LEASE: Duration = Duration::from_millis(900);

/// Bound of each map in bytes, by [`weigh`].
const MAP_BYTES: u64 = 16 * 1024 * 1024;

/// What one answer weighs beside its texts: the rows' fixed parts and the map's own bookkeeping.
const ANSWER_BYTES: usize = 512;

/// How long the answers of a time stay true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(u64);

#[derive(Clone)]
struct Answer<V> {
    generation: Generation,
    value: V,
}

pub(super) struct Cache {
    generation: AtomicU64,
    /// Milliseconds from `started` to when the watch began to look the last time; `u64::MAX` if
    /// it never did.
    watched: AtomicU64,
    started: Instant,
    projects_by_id: Map<ProjectId, Answer<Arc<Project>>>,
    projects_by_path: Map<Arc<str>, Answer<Arc<Project>>>,
    jobs: Map<(ProjectId, JobId), Answer<Arc<Job>>>,
    latest: Map<LatestKey, Answer<Arc<Job>>>,
    refs: Map<RefsKey, Answer<usize>>,
    tokens: Map<TokenDigest, Answer<Arc<Token>>>,
    running_jobs: Map<TokenDigest, Answer<Arc<RunningJob>>>,
}

/// Ends the generation when dropped: after a write's commit, and also where the write was
/// abandoned and nobody knows whether it committed.
pub(super) struct Invalidate<'a>(&'a Cache);

impl Drop for Invalidate<'_> {
    fn drop(&mut self) {
        self.0.end_generation();
    }
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            generation: AtomicU64::new(0),
            watched: AtomicU64::new(u64::MAX),
            started: Instant::now(),
            projects_by_id: map(|_, _| weigh(0)),
            projects_by_path: map(|path: &Arc<str>, _| weigh(path.len())),
            jobs: map(|_, _| weigh(0)),
            latest: map(|key: &LatestKey, _| weigh(key.ref_name.len() + key.job.len())),
            refs: map(|key: &RefsKey, _| weigh(key.refs.iter().map(|name| 16 + name.len()).sum())),
            tokens: map(|_, _| weigh(0)),
            running_jobs: map(|_, _| weigh(0)),
        }
    }

    /// To be read before the database is asked.
    pub(super) fn generation(&self) -> Generation {
        Generation(self.generation.load(Ordering::Acquire))
    }

    pub(super) fn end_generation(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn invalidate(&self) -> Invalidate<'_> {
        Invalidate(self)
    }

    /// Records that nothing has changed which was committed before `looked`.
    pub(super) fn watched(&self, looked: Instant) {
        let millis = looked.saturating_duration_since(self.started).as_millis() as u64;
        self.watched.store(millis, Ordering::Release);
    }

    /// The generation whose answers may be given out, if any may.
    pub(super) fn trusted(&self) -> Option<Generation> {
        let watched = self.watched.load(Ordering::Acquire);
        let now = self.started.elapsed().as_millis() as u64;
        let in_lease =
            watched != u64::MAX && now.saturating_sub(watched) <= LEASE.as_millis() as u64;
        in_lease.then(|| self.generation())
    }

    fn find<K, Q, V>(&self, map: &Map<K, Answer<V>>, key: &Q) -> Option<V>
    where
        K: Hash + Eq + Send + Sync + 'static,
        Q: Equivalent<K> + Hash + ?Sized,
        V: Clone + Send + Sync + 'static,
    {
        let trusted = self.trusted()?;
        let answer = map.get(key)?;
        (answer.generation == trusted).then_some(answer.value)
    }

    pub(super) fn project_by_id(&self, id: ProjectId) -> Option<Arc<Project>> {
        self.find(&self.projects_by_id, &id)
    }

    pub(super) fn project_by_path(&self, path: &str) -> Option<Arc<Project>> {
        self.find(&self.projects_by_path, path)
    }

    pub(super) fn job(&self, project: ProjectId, job: JobId) -> Option<Arc<Job>> {
        self.find(&self.jobs, &(project, job))
    }

    pub(super) fn latest(
        &self,
        project: ProjectId,
        ref_name: &str,
        job: &str,
        search_recent: bool,
    ) -> Option<Arc<Job>> {
        self.find(&self.latest, &LatestQuestion { project, search_recent, ref_name, job })
    }

    pub(super) fn ref_with_pipeline(
        &self,
        project: ProjectId,
        candidates: &[&str],
    ) -> Option<usize> {
        self.find(&self.refs, &RefsQuestion { project, refs: candidates })
    }

    pub(super) fn token(&self, digest: &TokenDigest) -> Option<Arc<Token>> {
        self.find(&self.tokens, digest)
    }

    pub(super) fn running_job(&self, digest: &TokenDigest) -> Option<Arc<RunningJob>> {
        self.find(&self.running_jobs, digest)
    }

    /// Kept under the number and under the path.
    pub(super) fn keep_project(&self, generation: Generation, project: &Arc<Project>) {
        let answer = Answer { generation, value: Arc::clone(project) };
        self.projects_by_id.insert(project.id, answer.clone());
        self.projects_by_path.insert(Arc::clone(&project.path), answer);
    }

    pub(super) fn keep_job(&self, generation: Generation, job: &Arc<Job>) {
        let answer = Answer { generation, value: Arc::clone(job) };
        self.jobs.insert((job.project_id, job.id), answer);
    }

    pub(super) fn keep_latest(
        &self,
        generation: Generation,
        ref_name: &str,
        search_recent: bool,
        job: &Arc<Job>,
    ) {
        let key = LatestKey {
            project: job.project_id,
            search_recent,
            ref_name: Box::from(ref_name),
            job: Box::from(&*job.name),
        };
        self.latest.insert(key, Answer { generation, value: Arc::clone(job) });
    }

    pub(super) fn keep_ref_with_pipeline(
        &self,
        generation: Generation,
        project: ProjectId,
        candidates: &[&str],
        index: usize,
    ) {
        let refs = candidates.iter().map(|&name| Box::from(name)).collect();
        self.refs.insert(RefsKey { project, refs }, Answer { generation, value: index });
    }

    pub(super) fn keep_running_job(
        &self,
        generation: Generation,
        digest: &TokenDigest,
        job: &Arc<RunningJob>,
    ) {
        let answer = Answer { generation, value: Arc::clone(job) };
        self.running_jobs.insert(*digest, answer);
    }

    pub(super) fn keep_token(
        &self,
        generation: Generation,
        digest: &TokenDigest,
        token: &Arc<Token>,
    ) {
        self.tokens.insert(*digest, Answer { generation, value: Arc::clone(token) });
    }
}

fn map<K, V>(weigher: fn(&K, &Answer<V>) -> u32) -> Map<K, Answer<V>>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Map::builder().max_capacity(MAP_BYTES).weigher(weigher).build()
}

fn weigh(text_bytes: usize) -> u32 {
    u32::try_from(ANSWER_BYTES + text_bytes).unwrap_or(u32::MAX)
}

/// What `latest` was asked, as it is kept.
#[derive(PartialEq, Eq)]
struct LatestKey {
    project: ProjectId,
    search_recent: bool,
    ref_name: Box<str>,
    job: Box<str>,
}

/// The same with borrowed text: a lookup allocates nothing. Both hash alike, by this type's hash.
#[derive(PartialEq, Eq, Hash)]
struct LatestQuestion<'a> {
    project: ProjectId,
    search_recent: bool,
    ref_name: &'a str,
    job: &'a str,
}

impl LatestKey {
    fn question(&self) -> LatestQuestion<'_> {
        LatestQuestion {
            project: self.project,
            search_recent: self.search_recent,
            ref_name: &self.ref_name,
            job: &self.job,
        }
    }
}

impl Hash for LatestKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.question().hash(state);
    }
}

impl Equivalent<LatestKey> for LatestQuestion<'_> {
    fn equivalent(&self, key: &LatestKey) -> bool {
        *self == key.question()
    }
}

/// A list of candidate refs, as it is kept.
#[derive(PartialEq, Eq)]
struct RefsKey {
    project: ProjectId,
    refs: Box<[Box<str>]>,
}

struct RefsQuestion<'a> {
    project: ProjectId,
    refs: &'a [&'a str],
}

fn hash_refs<'a, H: std::hash::Hasher>(
    project: ProjectId,
    refs: impl ExactSizeIterator<Item = &'a str>,
    state: &mut H,
) {
    project.hash(state);
    state.write_usize(refs.len());
    refs.for_each(|name| name.hash(state));
}

impl Hash for RefsKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        hash_refs(self.project, self.refs.iter().map(|name| &**name), state);
    }
}

impl Hash for RefsQuestion<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        hash_refs(self.project, self.refs.iter().copied(), state);
    }
}

impl Equivalent<RefsKey> for RefsQuestion<'_> {
    fn equivalent(&self, key: &RefsKey) -> bool {
        self.project == key.project
            && key.refs.iter().map(|name| &**name).eq(self.refs.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Visibility;

    fn project(path: &str) -> Arc<Project> {
        Arc::new(Project {
            id: ProjectId(1),
            path: path.into(),
            visibility: Visibility::Public,
            public_pipelines: true,
            job_token_allowlist: [].into(),
        })
    }

    #[test]
    fn an_answer_read_before_a_change_is_never_given_out_after_it() {
        let cache = Cache::new();
        cache.watched(Instant::now());
        let before = cache.generation();
        cache.end_generation();
        cache.keep_project(before, &project("a/b"));
        assert_eq!(cache.project_by_path("a/b"), None);

        cache.keep_project(cache.generation(), &project("a/b"));
        assert_eq!(cache.project_by_path("a/b"), Some(project("a/b")));
        assert_eq!(cache.project_by_id(ProjectId(1)), Some(project("a/b")));
        drop(cache.invalidate());
        assert_eq!(cache.project_by_path("a/b"), None);
        assert_eq!(cache.project_by_id(ProjectId(1)), None);
    }

    #[test]
    fn nothing_is_given_out_without_a_watch() {
        let mut cache = Cache::new();
        cache.keep_project(cache.generation(), &project("a/b"));
        assert_eq!(cache.project_by_path("a/b"), None, "never watched");
        cache.watched(Instant::now());
        assert!(cache.project_by_path("a/b").is_some(), "watched just now");
        cache.started -= LEASE + Duration::from_millis(1);
        assert_eq!(cache.project_by_path("a/b"), None, "watched too long ago");
    }

    #[test]
    fn every_part_of_a_question_counts() {
        let cache = Cache::new();
        cache.watched(Instant::now());
        let generation = cache.generation();
        let key = |project, search_recent, ref_name: &str, job: &str| LatestKey {
            project: ProjectId(project),
            search_recent,
            ref_name: ref_name.into(),
            job: job.into(),
        };
        let question = LatestQuestion {
            project: ProjectId(1),
            search_recent: false,
            ref_name: "ab",
            job: "c",
        };
        assert!(question.equivalent(&key(1, false, "ab", "c")));
        for other in [
            key(2, false, "ab", "c"),
            key(1, true, "ab", "c"),
            key(1, false, "a", "bc"),
            key(1, false, "ab", "C"),
        ] {
            assert!(!question.equivalent(&other));
        }

        cache.keep_ref_with_pipeline(generation, ProjectId(1), &["a", "a/raw/b"], 1);
        let asked = |project, refs: &[&str]| cache.ref_with_pipeline(ProjectId(project), refs);
        assert_eq!(asked(1, &["a", "a/raw/b"]), Some(1));
        assert_eq!(asked(2, &["a", "a/raw/b"]), None);
        assert_eq!(asked(1, &["a"]), None);
        assert_eq!(asked(1, &["a", "a/raw/c"]), None);
    }
}
