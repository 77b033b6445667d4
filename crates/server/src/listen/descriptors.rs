//! The process's bound on descriptors, and who may have how many.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors of the program itself: standard streams, SQLite's files (three for each of six
/// connections), runtimes, listeners and locks, and archives on their way to be opened.
const RESERVED: u64 = 128;
/// Descriptors of an open archive: its file and its sidecar.
const ARCHIVE_DESCRIPTORS: u64 = 2;

/// How the descriptors are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Connections, each with one descriptor. An archive that is downloaded shares its own with all
    /// who ask for it.
    pub connections: usize,
    /// Archives that may be kept open.
    pub archives: u64,
}

/// Raises the soft limit on descriptors to the hard one and shares out what that gives.
///
/// `open_archives` is how many archives are to be kept open at most.
#[must_use]
pub fn raise_limit(open_archives: u64) -> Shares {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit on descriptors");
    }
    // No limit at all reads as none.
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    share(descriptors, open_archives)
}

/// Archives get what is asked for them, but half of what there is at most; connections the rest.
fn share(descriptors: u64, open_archives: u64) -> Shares {
    // Where there are very few, the program's own come out of one half.
    let free = descriptors.saturating_sub(RESERVED).max(descriptors / 2);
    let archives = open_archives.min(free / 2 / ARCHIVE_DESCRIPTORS).max(1);
    let connections = free.saturating_sub(archives * ARCHIVE_DESCRIPTORS).max(1);
    Shares { connections: usize::try_from(connections).unwrap_or(usize::MAX), archives }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_and_connections_share_what_the_program_leaves() {
        let table = [
            ("plenty", 20_000, 256, 19_360, 256),
            ("a common limit", 1_024, 256, 448, 224),
            ("many archives", 20_000, 1_000_000, 9_936, 4_968),
            ("none to be kept", 1_024, 0, 894, 1),
            ("few", 64, 256, 16, 8),
            ("next to none", 1, 256, 1, 1),
        ];
        for (name, descriptors, open_archives, connections, archives) in table {
            let expected = Shares { connections, archives };
            assert_eq!(share(descriptors, open_archives), expected, "{name}");
        }
        let all = share(u64::MAX, u64::MAX);
        assert!(all.archives < u64::MAX / 2, "no overflow");
    }
}
