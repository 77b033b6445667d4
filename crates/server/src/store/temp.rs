use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags, flock, linkat, openat, renameat_with,
    unlink,
};
use rustix::io::Errno;

use super::{Operation, StoreError};

/// Ending of named temporary files; nothing else in the folder is ever removed.
const SUFFIX: &str = ".part";

/// Names tried before giving up; a random name of 64 bits is taken once in the age of the
/// universe, so more than a few failures mean something else.
const ATTEMPTS: u32 = 16;

/// A file that nobody can find yet. Gone when dropped, unless it was given a name.
#[derive(Debug)]
pub(super) struct Temp {
    file: File,
    /// `None`: made by O_TMPFILE, so a crash leaves nothing. `Some`: the file system has no
    /// O_TMPFILE or a rename needs a name; locked, so that only a dead owner's file is removed.
    name: Option<PathBuf>,
}

/// Whether the name was free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Linked {
    New,
    /// A file of that name exists and was left alone.
    Exists,
}

impl Temp {
    pub(super) fn create(folder: &Path) -> Result<Self, StoreError> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => Ok(Self { file: File::from(fd), name: None }),
            // Which of these says "no O_TMPFILE here" depends on the file system and the kernel.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOENT) => {
                Self::create_named(folder)
            }
            Err(errno) => Err(StoreError::errno(Operation::MakeTemp, folder, errno)),
        }
    }

    pub(super) fn create_named(folder: &Path) -> Result<Self, StoreError> {
        let failed = |errno| StoreError::errno(Operation::MakeTemp, folder, errno);
        for _ in 0..ATTEMPTS {
            let random = getrandom::u64().map_err(|_| failed(Errno::IO))?;
            let path = folder.join(format!("{random:016x}{SUFFIX}"));
            let open =
                File::options().read(true).write(true).create_new(true).mode(0o600).open(&path);
            let file = match open {
                Ok(file) => file,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(StoreError::io(Operation::MakeTemp, folder, &error)),
            };
            // A sweep may lock and remove the file before this lock is taken.
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if still_named(&file, &path) => return Ok(Self { file, name: Some(path) }),
                Ok(()) | Err(Errno::WOULDBLOCK) => {}
                Err(errno) => {
                    let _ = unlink(&path);
                    return Err(failed(errno));
                }
            }
        }
        Err(failed(Errno::EXIST))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Names the file, unless a file of that name exists.
    pub(super) fn link_to(mut self, target: &Path) -> Result<Linked, StoreError> {
        let linked = match self.name.take() {
            None => link_anonymous(&self.file, target),
            Some(name) => {
                let result = link_named(&name, target);
                if result != Ok(Linked::New) {
                    self.name = Some(name);
                }
                result
            }
        };
        linked.map_err(|errno| StoreError::errno(Operation::Publish, target, errno))
    }

    /// Names the file, in place of what has the name now. Only for files with a name.
    pub(super) fn rename_over(mut self, target: &Path) -> Result<(), StoreError> {
        let failed = |errno| StoreError::errno(Operation::Publish, target, errno);
        let name = self.name.take().ok_or_else(|| failed(Errno::INVAL))?;
        rustix::fs::rename(&name, target).map_err(|errno| {
            self.name = Some(name);
            failed(errno)
        })
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = unlink(name);
        }
    }
}

fn link_anonymous(file: &File, target: &Path) -> Result<Linked, Errno> {
    // Linking the descriptor itself needs CAP_DAC_READ_SEARCH; its name under /proc does not.
    let by_proc = format!("/proc/self/fd/{}", file.as_raw_fd());
    let linked = match linkat(CWD, by_proc, CWD, target, AtFlags::SYMLINK_FOLLOW) {
        Err(Errno::NOENT) => linkat(file.as_fd(), "", CWD, target, AtFlags::EMPTY_PATH),
        other => other,
    };
    exists_or(linked)
}

fn link_named(name: &Path, target: &Path) -> Result<Linked, Errno> {
    match renameat_with(CWD, name, CWD, target, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            let linked = exists_or(linkat(CWD, name, CWD, target, AtFlags::empty()))?;
            if linked == Linked::New {
                unlink(name)?;
            }
            Ok(linked)
        }
        other => exists_or(other),
    }
}

fn exists_or(result: Result<(), Errno>) -> Result<Linked, Errno> {
    match result {
        Ok(()) => Ok(Linked::New),
        Err(Errno::EXIST) => Ok(Linked::Exists),
        Err(errno) => Err(errno),
    }
}

fn still_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), path.symlink_metadata()) {
        (Ok(open), Ok(named)) => open.dev() == named.dev() && open.ino() == named.ino(),
        _ => false,
    }
}

/// Removes the named temporary files whose owner is gone, which is: whose lock is free. Returns
/// how many.
pub(super) fn remove_abandoned(folder: &Path) -> Result<u64, StoreError> {
    let listed = |error: std::io::Error| StoreError::io(Operation::List, folder, &error);
    let mut removed = 0;
    for entry in std::fs::read_dir(folder).map_err(listed)? {
        let path = entry.map_err(listed)?.path();
        if !path.as_os_str().as_encoded_bytes().ends_with(SUFFIX.as_bytes()) {
            continue;
        }
        let nofollow = OFlags::NOFOLLOW.bits() as i32;
        let Ok(file) = File::options().read(true).custom_flags(nofollow).open(&path) else {
            continue;
        };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        match unlink(&path) {
            Ok(()) => removed += 1,
            // Its owner published it between the listing and the lock.
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(StoreError::errno(Operation::Remove, &path, errno)),
        }
    }
    Ok(removed)
}
