//! How much each project has in the store.

use std::sync::Arc;

use super::rows::{self, get, text};
use super::sqlite::Sqlite;
use super::{CatalogError, ProjectId, Visibility};

const STORAGE: &str = "SELECT p.id, p.path, p.visibility, p.public_pipelines,
      COALESCE(a.files, 0) AS archives, COALESCE(a.len, 0) AS archives_len,
      COALESCE(r.files, 0) AS reports, COALESCE(r.len, 0) AS reports_len
    FROM projects AS p
    LEFT JOIN (SELECT j.project_id AS project_id, COUNT(*) AS files, SUM(b.len) AS len
               FROM archives AS a
               JOIN jobs AS j ON j.id = a.job_id
               JOIN blobs AS b ON b.sha256 = a.sha256
               GROUP BY j.project_id) AS a ON a.project_id = p.id
    LEFT JOIN (SELECT j.project_id AS project_id, COUNT(*) AS files, SUM(b.len) AS len
               FROM reports AS r
               JOIN jobs AS j ON j.id = r.job_id
               JOIN blobs AS b ON b.sha256 = r.sha256
               GROUP BY j.project_id) AS r ON r.project_id = p.id
    ORDER BY p.path";

/// A project with what its jobs have handed in and still have, expired files that have not been
/// swept yet included. Content that several jobs have is stored once, and counted for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectStorage {
    /// The project's number.
    pub id: ProjectId,
    /// Its path.
    pub path: Arc<str>,
    /// Who sees it.
    pub visibility: Visibility,
    /// Whoever sees it may read its pipelines.
    pub public_pipelines: bool,
    /// Archives of its jobs.
    pub archives: u64,
    /// Their bytes.
    pub archives_len: u64,
    /// Reports of its jobs.
    pub reports: u64,
    /// Their bytes.
    pub reports_len: u64,
}

/// All projects, by path. Reads every row of archives and reports.
pub(super) async fn all(sqlite: &Sqlite) -> Result<Vec<ProjectStorage>, CatalogError> {
    let found = sqlite.find_all("add up storage", sqlx::query(STORAGE)).await?;
    let storage = found.iter().map(|row| {
        Ok(ProjectStorage {
            id: ProjectId(get(row, "id")?),
            path: text(row, "path")?,
            visibility: rows::word(row, "visibility")?,
            public_pipelines: get(row, "public_pipelines")?,
            archives: rows::count(row, "archives")?,
            archives_len: rows::count(row, "archives_len")?,
            reports: rows::count(row, "reports")?,
            reports_len: rows::count(row, "reports_len")?,
        })
    });
    storage.collect()
}
