//! The rows of stored content, for recovery.

use super::cache::Invalidate;
use super::sqlite::Sqlite;
use super::{Blob, CatalogError, rows};
use crate::store::Sha256Digest;

const BLOBS: &str = "SELECT sha256, len, lost FROM blobs";
const BLOB: &str = "SELECT sha256, len, lost FROM blobs WHERE sha256 = $1";
const MARK_BLOB: &str = "UPDATE blobs SET lost = $2 WHERE sha256 = $1";

pub(super) async fn all(sqlite: &Sqlite) -> Result<Vec<Blob>, CatalogError> {
    let found = sqlite.find_all("list its blobs", sqlx::query(BLOBS)).await?;
    found.iter().map(rows::blob).collect()
}

pub(super) async fn find(
    sqlite: &Sqlite,
    sha256: &Sha256Digest,
) -> Result<Option<Blob>, CatalogError> {
    let query = sqlx::query(BLOB).bind(&sha256.0[..]);
    let row = sqlite.find_optional("find a blob", query).await?;
    row.as_ref().map(rows::blob).transpose()
}

pub(super) async fn mark(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    lost: &[Sha256Digest],
    found: &[Sha256Digest],
) -> Result<(), CatalogError> {
    let mut transaction = sqlite.begin("mark its blobs").await?;
    for (blobs, is_lost) in [(lost, true), (found, false)] {
        for sha256 in blobs {
            transaction.write(sqlx::query(MARK_BLOB).bind(&sha256.0[..]).bind(is_lost)).await?;
        }
    }
    transaction.commit().await?;
    drop(invalidate);
    Ok(())
}
