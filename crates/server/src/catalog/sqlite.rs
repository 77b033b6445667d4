//! The embedded database: one file in the data folder, one connection that writes, a few that
//! read, and one that looks for other processes' commits.
//!
//! Every statement of the catalog goes through [`Sqlite::find_optional`], [`Sqlite::find_all`] or a
//! [`Transaction`], which count it.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use super::{CatalogError, migrate};
use crate::store::Operation;

/// Name of the catalog's file in the data folder.
pub(super) const FILE_NAME: &str = "catalog.sqlite";

/// How long a statement waits for another process's write, and a request for a connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two attempts where SQLite does not wait itself.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// Connections that read. A warm request uses none; each is a thread of its own.
const READERS: u32 = 4;

pub(super) type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments>;

#[derive(Debug)]
pub(super) struct Sqlite {
    options: SqliteConnectOptions,
    writer: SqlitePool,
    readers: SqlitePool,
    statements: AtomicU64,
}

impl Sqlite {
    pub(super) async fn open(data_dir: &Path) -> Result<Self, CatalogError> {
        let path = data_dir.join(FILE_NAME);
        // Made here for its mode, which SQLite gives to the files beside it as well.
        File::options().write(true).create(true).truncate(false).mode(0o640).open(&path).map_err(
            |error| CatalogError::Io {
                operation: Operation::Open,
                path: path.clone(),
                errno: Errno::from_io_error(&error).unwrap_or(Errno::IO),
            },
        )?;
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            // Uploads are acknowledged: a commit has to survive a power failure.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();

        let writer = connect_writer(&options).await?;
        let readers = pool(READERS).connect_lazy_with(options.clone().pragma("query_only", "1"));
        let sqlite = Self { options, writer, readers, statements: AtomicU64::new(0) };
        migrate::migrate(&sqlite).await?;
        Ok(sqlite)
    }

    /// Statements run so far, the ones of [`Sqlite::connect_watcher`] apart.
    pub(super) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(super) async fn find_optional(
        &self,
        operation: &'static str,
        query: Query<'_>,
    ) -> Result<Option<SqliteRow>, CatalogError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        query.fetch_optional(&self.readers).await.map_err(failed(operation))
    }

    pub(super) async fn find_all(
        &self,
        operation: &'static str,
        query: Query<'_>,
    ) -> Result<Vec<SqliteRow>, CatalogError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        query.fetch_all(&self.readers).await.map_err(failed(operation))
    }

    /// Begins a transaction that may write from its first statement on, so that it never has to
    /// give up half way because another process wrote first.
    pub(super) async fn begin(
        &self,
        operation: &'static str,
    ) -> Result<Transaction<'_>, CatalogError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let inner = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed(operation))?;
        Ok(Transaction { inner, operation, statements: &self.statements })
    }

    /// A connection whose `PRAGMA data_version` tells of commits by every other connection.
    pub(super) async fn connect_watcher(&self) -> Result<SqliteConnection, CatalogError> {
        self.options.connect().await.map_err(failed("watch for changes"))
    }

    /// Changes whenever another connection, of this process or of another, has committed.
    pub(super) async fn data_version(watcher: &mut SqliteConnection) -> Result<i64, CatalogError> {
        sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(watcher)
            .await
            .map_err(failed("watch for changes"))
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A write that is all or nothing: rolled back when it is dropped without a commit.
pub(super) struct Transaction<'a> {
    inner: sqlx::Transaction<'static, sqlx::Sqlite>,
    operation: &'static str,
    statements: &'a AtomicU64,
}

impl Transaction<'_> {
    pub(super) async fn find_optional(
        &mut self,
        query: Query<'_>,
    ) -> Result<Option<SqliteRow>, CatalogError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        query.fetch_optional(&mut *self.inner).await.map_err(failed(self.operation))
    }

    pub(super) async fn find_all(
        &mut self,
        query: Query<'_>,
    ) -> Result<Vec<SqliteRow>, CatalogError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        query.fetch_all(&mut *self.inner).await.map_err(failed(self.operation))
    }

    /// Returns how many rows were written.
    pub(super) async fn write(&mut self, query: Query<'_>) -> Result<u64, CatalogError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let done = query.execute(&mut *self.inner).await.map_err(failed(self.operation))?;
        Ok(done.rows_affected())
    }

    /// Runs a script of several statements.
    pub(super) async fn script(&mut self, sql: &'static str) -> Result<(), CatalogError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        sqlx::raw_sql(sql).execute(&mut *self.inner).await.map_err(failed(self.operation))?;
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<(), CatalogError> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.inner.commit().await.map_err(failed(self.operation))
    }
}

pub(super) fn failed(operation: &'static str) -> impl FnOnce(sqlx::Error) -> CatalogError {
    move |source| CatalogError::Database { operation, source }
}

/// The connection that writes. Of two processes that turn a new file to WAL at once, SQLite refuses
/// one without waiting, since neither could go on while both wait.
async fn connect_writer(options: &SqliteConnectOptions) -> Result<SqlitePool, CatalogError> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        // A full disk or a failing one makes SQLite itself end a transaction. sqlx, whose own
        // rollback fails then, takes the connection for one with a transaction for ever.
        let writer = pool(1).before_acquire(|connection, _| {
            let is_usable = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_usable) })
        });
        let connected = writer.connect_with(options.clone()).await;
        match connected.map_err(failed("open its file")) {
            Err(error) if error.is_busy() && Instant::now() < deadline => {
                tokio::time::sleep(BUSY_PAUSE).await;
            }
            connected => return connected,
        }
    }
}

/// Connections stay open, with their prepared statements, as long as the catalog.
fn pool(max_connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(BUSY_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}
