//! Making and revoking tokens. The catalog never sees a token's text.

use super::cache::Invalidate;
use super::push::next_id;
use super::sqlite::Sqlite;
use super::{CatalogError, ProjectPrefix, Token, TokenId, UtcMillis, rows};
use crate::credential::{Role, Scopes, TokenDigest};

const ADD_TOKEN: &str = "INSERT INTO tokens
    (id, digest, name, prefix, role, scopes, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const TOKENS: &str = "SELECT id, name, prefix, role, scopes, created_at, expires_at, revoked_at
    FROM tokens ORDER BY id";
const REVOKE_TOKEN: &str = "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";

/// A token to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// Digest of its text.
    pub digest: &'a TokenDigest,
    /// What its owner calls it; need not be unique.
    pub name: &'a str,
    /// The projects that the role is for; they need not exist yet.
    pub prefix: &'a ProjectPrefix,
    /// The role.
    pub role: Role,
    /// What it may be used for.
    pub scopes: Scopes,
    /// From when on it is not valid.
    pub expires_at: Option<UtcMillis>,
    /// The time of making.
    pub now: UtcMillis,
}

pub(super) async fn create(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    token: &NewToken<'_>,
) -> Result<TokenId, CatalogError> {
    let mut transaction = sqlite.begin("record a token").await?;
    let id = next_id(&mut transaction, "token").await?;
    let query = sqlx::query(ADD_TOKEN)
        .bind(id)
        .bind(&token.digest.0[..])
        .bind(token.name)
        .bind(token.prefix.as_str())
        .bind(token.role.as_str())
        .bind(token.scopes.to_string())
        .bind(token.now.0)
        .bind(token.expires_at.map(|expiry| expiry.0));
    transaction.write(query).await?;
    transaction.commit().await?;
    drop(invalidate);
    Ok(TokenId(id))
}

/// All tokens, revoked and expired ones too, in the order of their making.
pub(super) async fn all(sqlite: &Sqlite) -> Result<Vec<Token>, CatalogError> {
    let found = sqlite.find_all("list tokens", sqlx::query(TOKENS)).await?;
    found.iter().map(rows::token).collect()
}

/// Returns whether there was a token to revoke.
pub(super) async fn revoke(
    sqlite: &Sqlite,
    invalidate: Invalidate<'_>,
    id: TokenId,
    now: UtcMillis,
) -> Result<bool, CatalogError> {
    let mut transaction = sqlite.begin("revoke a token").await?;
    let revoked = transaction.write(sqlx::query(REVOKE_TOKEN).bind(id.0).bind(now.0)).await?;
    transaction.commit().await?;
    drop(invalidate);
    Ok(revoked > 0)
}
