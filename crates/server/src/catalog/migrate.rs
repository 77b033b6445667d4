//! Brings a catalog's schema up to date. A migration that was released is never changed; a new
//! one is a new file.

use sqlx::Row;

use super::CatalogError;
use super::sqlite::{Sqlite, Transaction, failed};

/// One script for each version, in order; the first makes version 1.
const MIGRATIONS: &[&str] =
    &[include_str!("schema/sqlite/0001_first.sql"), include_str!("schema/sqlite/0002_life.sql")];

const MAKE_VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions (
    version INTEGER PRIMARY KEY NOT NULL
)";
const FIND_VERSION: &str = "SELECT COALESCE(MAX(version), 0) AS version FROM schema_versions";
const ADD_VERSION: &str = "INSERT INTO schema_versions (version) VALUES ($1)";

const OPERATION: &str = "update its schema";

/// Applies what is missing, all or nothing.
pub(super) async fn migrate(sqlite: &Sqlite) -> Result<(), CatalogError> {
    let mut transaction = sqlite.begin(OPERATION).await?;
    transaction.write(sqlx::query(MAKE_VERSIONS)).await?;
    let found = version(&mut transaction).await?;
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(CatalogError::NewerSchema { found, known });
    }
    if found == known {
        return Ok(());
    }
    for (version, script) in (1..).zip(MIGRATIONS).filter(|&(version, _)| version > found) {
        transaction.script(script).await?;
        transaction.write(sqlx::query(ADD_VERSION).bind(version)).await?;
    }
    transaction.commit().await
}

async fn version(transaction: &mut Transaction<'_>) -> Result<i64, CatalogError> {
    match transaction.find_optional(sqlx::query(FIND_VERSION)).await? {
        Some(row) => row.try_get("version").map_err(failed(OPERATION)),
        None => Ok(0),
    }
}
