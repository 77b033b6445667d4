//! How an archive gets in: received, verified, published, recorded; in this order.

use std::fs::File;
use std::path::{Path, PathBuf};

use entryway::{Archive, Error, FileSource, Policy, Profile, Progress, ReadAt};

use crate::catalog::{Catalog, CatalogError, PipelineStatus, Push, PushTarget, Pushed, UtcMillis};
use crate::shown::shown_path;
use crate::store::{Published, Store, StoreError, withdraw};
use crate::upload::ExpireIn;
use crate::verification::{self, Unfit, Verified};

/// How far a submission has come; for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Bytes copied, of so many.
    Receiving {
        /// Bytes so far.
        received_len: u64,
        /// The file's length.
        len: u64,
    },
    /// Entries decoded, of so many.
    Verifying {
        /// What has been decoded.
        done: Progress,
        /// Entries of the archive.
        entries: u64,
    },
}

/// An archive that is stored and can be asked for.
#[derive(Debug)]
pub struct Ingested {
    /// What the catalog gave it.
    pub pushed: Pushed,
    /// Its digest and length.
    pub published: Published,
    /// Its entries and their verdicts.
    pub verified: Verified,
}

/// Why an archive is not stored. Nothing of it can be reached then, and as good as always nothing
/// is left of it: see [`withdraw`].
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The file cannot be opened.
    #[error("cannot open {}: {error}", shown_path(path))]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The archive is refused, is none, or cannot be read.
    #[error("{}: {}", shown_path(path), error.labelled())]
    Archive {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: Unfit,
    },
    /// The store has a file for this archive already, and it is not what was stored.
    #[error(
        "{} was damaged since it was stored: move it away, then hand the archive in again",
        shown_path(path)
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The catalog failed, or what is asked contradicts it.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

/// Where archives get in.
#[derive(Clone, Copy, Debug)]
pub struct Intake<'a> {
    /// Where they are kept.
    pub store: &'a Store,
    /// Where they are recorded.
    pub catalog: &'a Catalog,
    /// The runtime that the catalog's connections live on.
    pub runtime: &'a tokio::runtime::Handle,
    /// How it is read: what is too much of it, and what becomes of entries of one name.
    pub policy: Policy,
    /// What it is held to.
    pub profile: Profile,
}

impl Intake<'_> {
    /// Stores the archive at `path` and records it for `target`, to expire so long after that; never
    /// where nothing is said.
    ///
    /// For a thread that may block, outside of any runtime.
    ///
    /// # Errors
    /// [`IngestError`].
    pub fn ingest(
        &self,
        path: &Path,
        target: &PushTarget<'_>,
        status: Option<PipelineStatus>,
        expire_in: Option<ExpireIn>,
        progress: &mut dyn FnMut(Stage),
    ) -> Result<Ingested, IngestError> {
        let Self { store, catalog, runtime, policy, profile } = self;
        let unfit = |error| IngestError::Archive { path: path.to_owned(), error };
        let refused = |error: Error| unfit(error.into());
        let source = FileSource::open(path)
            .map_err(|error| IngestError::Open { path: path.to_owned(), error })?;
        // What is no archive is known before a byte is copied; what counts is the copy.
        Archive::open_within(source.clone(), *policy).map_err(refused)?;
        runtime.block_on(catalog.check_push(target))?;

        let len = ReadAt::len(&source);
        let mut file =
            File::open(path).map_err(|error| IngestError::Open { path: path.to_owned(), error })?;
        let staged = store.receive(&mut file, Some(len), &mut |received_len| {
            progress(Stage::Receiving { received_len, len });
        })?;
        let staged_source = staged
            .file()
            .try_clone()
            .and_then(FileSource::new)
            .map_err(|error| IngestError::Open { path: path.to_owned(), error })?;
        let archive = Archive::open_within(staged_source, *policy).map_err(refused)?;
        verification::hold_to(&archive, *profile).map_err(unfit)?;
        let entries = archive.directory().len() as u64;
        let verified = verification::verify(archive, &mut |done| {
            progress(Stage::Verifying { done, entries });
        })
        .map_err(refused)?;

        let published = staged.publish()?;
        let now = UtcMillis::now();
        let filename = path.file_name().unwrap_or_default().to_string_lossy();
        let recorded = publish_sidecar(store, &published, &verified).and_then(|()| {
            let pushed = runtime.block_on(catalog.push(&Push {
                project: target.project,
                visibility: target.visibility,
                ref_name: target.ref_name,
                job: target.job,
                pipeline: target.pipeline,
                status,
                sha256: published.sha256,
                len: published.len,
                entries: verified.directory().len() as u64,
                filename: &filename,
                expires_at: match expire_in {
                    None | Some(ExpireIn::Never) => None,
                    Some(ExpireIn::After(time)) => Some(now.after(time)),
                },
                now,
            }))?;
            Ok(pushed)
        });
        match recorded {
            Ok(pushed) => Ok(Ingested { pushed, published, verified }),
            Err(failed) => {
                if let Err(error) = runtime.block_on(withdraw(store, published, catalog)) {
                    tracing::warn!(%error, "the next server to start removes an archive");
                }
                Err(failed)
            }
        }
    }
}

/// Puts the sidecar beside the archive, bound to the file as it is in the store.
///
/// The verdicts are those of the bytes that were received: a file that was in the store before gets
/// them only if it has the same bytes still.
fn publish_sidecar(
    store: &Store,
    published: &Published,
    verified: &Verified,
) -> Result<(), IngestError> {
    let open_error = |error| IngestError::Open { path: published.path.clone(), error };
    let stored = FileSource::open(&published.path).map_err(open_error)?;
    if published.already_there
        && verification::digest(&stored).map_err(open_error)? != published.sha256
    {
        return Err(IngestError::Damaged { path: published.path.clone() });
    }
    store.publish_sidecar(&published.sha256, &verified.sidecar(&published.sha256, &stored))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use entryway_testkit::builder::{Archive as Zip, Entry};

    use super::*;
    use crate::catalog::Visibility;

    fn blobs(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(blobs(&path));
            } else if path.extension().is_some_and(|end| end == "zip" || end == "sidecar") {
                found.push(path);
            }
        }
        found
    }

    #[test]
    fn a_push_that_fails_at_its_last_step_leaves_nothing() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let catalog = runtime.block_on(Catalog::open(folder.path())).unwrap();
        let (policy, profile) = (Policy::default(), Profile::Serve);
        let runtime_handle = runtime.handle();
        let intake =
            Intake { store: &store, catalog: &catalog, runtime: runtime_handle, policy, profile };
        let archive = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, Zip::new().entry(Entry::stored(name, name)).build()).unwrap();
            path
        };
        let (first, second) = (archive("first"), archive("second"));
        let project = "group/app".parse().unwrap();
        let target = |visibility| PushTarget {
            project: &project,
            visibility: Some(visibility),
            ref_name: "main",
            job: "build",
            pipeline: None,
        };

        // While the first is verified, and so after it was judged, the project becomes another's.
        let mut overtaken = false;
        let outcome =
            intake.ingest(&first, &target(Visibility::Private), None, None, &mut |stage| {
                if matches!(stage, Stage::Verifying { .. })
                    && !std::mem::replace(&mut overtaken, true)
                {
                    intake
                        .ingest(&second, &target(Visibility::Public), None, None, &mut |_| {})
                        .unwrap();
                }
            });
        let Err(IngestError::Catalog(CatalogError::VisibilityConflict { .. })) = outcome else {
            panic!("{outcome:?}");
        };
        let mut left = blobs(&folder.path().join("blobs"));
        let rows = runtime.block_on(catalog.blobs()).unwrap();
        assert_eq!(rows.len(), 1);
        let mut expected = [store.blob_path(&rows[0].sha256), store.sidecar_path(&rows[0].sha256)];
        left.sort();
        expected.sort();
        assert_eq!(left, expected);

        // What others have stored before is theirs.
        let again = intake.ingest(&second, &target(Visibility::Private), None, None, &mut |_| {});
        assert!(again.is_err());
        assert!(store.open_blob(&rows[0].sha256).unwrap().is_some());
    }
}
