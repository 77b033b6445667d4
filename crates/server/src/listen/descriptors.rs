//! The process's bound on descriptors.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for the store, the catalog and the program itself.
const RESERVED: u64 = 768;

/// Raises the soft limit on descriptors to the hard one and says how many connections that allows.
#[must_use]
pub fn raise_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit on descriptors");
    }
    // No limit at all reads as none.
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    // A download of an archive shares its descriptor with others: a connection takes one.
    let connections =
        if descriptors > 2 * RESERVED { descriptors - RESERVED } else { descriptors / 2 };
    usize::try_from(connections).unwrap_or(usize::MAX).max(1)
}
