//! The listing of a directory of an archive: names of entries, seen as paths.
//!
//! An archive has no directories, only names; one that is longer than `dir/` makes a directory of
//! `dir`, whether there is an entry `dir/` or not. Names are listed without a leading `./`, and
//! left out where no request can address them: with a segment that is empty, `.` or `..`, absolute,
//! with a drive or a control character; of one whose front part can be addressed, that part is listed
//! as a directory all the same. Names that are not UTF-8 are listed
//! as they are displayed, their directories in code page 437, which a path is read back from.
//!
//! # Cost
//! Headers that are looked at, n being the entries of the archive: 2 log2(n) to find the directory;
//! then one for each file in it and about 2 log2(m) for each sub-directory of m names, which is
//! leapt over; with `recursive` one for each name below; and one for each item of the page. Through
//! a sidecar a header is a read of a page (4 KiB) and one of the archive's directory (1 KiB) where
//! it is far from the one before, and nothing where it is next to it in both; up to 64 KiB of the
//! directory are read at once. Memory: 8 bytes for each file, and for each directory its path and
//! 16 bytes, which [`DIRECTORIES_LEN_BOUND`] bounds.

use std::fmt;
use std::ops::Range;

use crate::entry::declared_uncompressed_size;
use crate::name;
use crate::sorted::{IndexError, SortedEntries, past_prefix, prefix_range, raw_prefixes};

/// The most bytes that the directories of a listing may take.
///
/// Names of 64 KiB imply thousands of directories each, with paths as long. A million entries of an
/// honest archive in 100,000 folders take a tenth of this.
pub const DIRECTORIES_LEN_BOUND: usize = 64 << 20;

/// Which part of a listing is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The page's number, from 1 on.
    pub number: u64,
    /// Items of a page.
    pub per_page: u64,
}

impl Page {
    fn range(self) -> Range<u64> {
        let start = self.number.saturating_sub(1).saturating_mul(self.per_page);
        start..start.saturating_add(self.per_page)
    }
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The items of the page: directories, then files, each in the order of their paths' bytes.
    pub items: Vec<TreeItem>,
    /// Items of all pages.
    pub total: u64,
}

/// A file or a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeItem {
    /// The last segment of the path.
    pub name: Box<str>,
    /// The path from the archive's root, without a slash at its end.
    pub path: Box<str>,
    /// Which of the two it is.
    pub kind: TreeKind,
    /// Declared bytes of content; a directory has none.
    pub size: Option<u64>,
    /// The Unix mode, type bits included, where the entry was made on Unix and has one; shown as
    /// `{:06o}`. A directory without an entry of its own has none.
    pub mode: Option<u32>,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TreeKind {
    /// A directory.
    Tree,
    /// A file, or a symbolic link.
    Blob,
}

/// Why a directory cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeError {
    /// The entries cannot be gone through.
    Index(IndexError),
    /// The names imply more directories than [`DIRECTORIES_LEN_BOUND`] has room for.
    TooManyDirectories,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(error) => error.fmt(f),
            Self::TooManyDirectories => f.write_str("the names imply too many directories to list"),
        }
    }
}

impl std::error::Error for TreeError {}

impl From<IndexError> for TreeError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

/// Lists a directory: its children, or with `recursive` all that lies below it.
///
/// `path` is the directory's, empty for the root; a slash at its end does not count. `None` where
/// nothing lies below it and it has no entry of its own; the root is always there.
///
/// Of entries of one raw name the first is listed, of `a` and `./a` the former, as a lookup has it.
/// A file and a directory of one name are both listed.
///
/// ```
/// # use entryway_testkit::builder::{Archive as Zip, Entry};
/// # let a = Entry::stored("docs/a.txt", "hello");
/// # let zip = Zip::new().entry(a).entry(Entry::stored("b", ""));
/// # let bytes = bytes::Bytes::from(zip.build());
/// use entryway::tree::{Page, TreeKind, list};
/// use entryway::{Archive, SortedDirectory};
///
/// let archive = Archive::open(bytes)?;
/// let page = Page { number: 1, per_page: 20 };
/// let listing = list(&mut SortedDirectory::new(&archive), b"", false, page)?;
/// let listing = listing.expect("the root is there");
/// assert_eq!(listing.total, 2);
/// assert_eq!((&*listing.items[0].path, listing.items[0].kind), ("docs", TreeKind::Tree));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`TreeError`].
pub fn list<E: SortedEntries>(
    entries: &mut E,
    path: &[u8],
    recursive: bool,
    page: Page,
) -> Result<Option<Listing>, TreeError> {
    let is_root = path.is_empty();
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if path.is_empty() && !is_root {
        return Ok(None);
    }
    let Some(pairs) = raw_prefixes(path) else { return Ok(None) };
    for prefixes in pairs {
        let mut directories = Directories::default();
        let mut is_there = is_root;
        let mut files = [Vec::new(), Vec::new()];
        for (prefix, files) in prefixes.iter().zip(&mut files) {
            let range = prefix_range(entries, prefix)?;
            is_there |= !range.is_empty();
            *files = walk(entries, range, prefix, recursive, &mut directories)?;
        }
        if is_there {
            let [first, second] = files;
            let files = merge(entries, first, second)?;
            return Ok(Some(paginate(entries, directories, &files, page)?));
        }
    }
    Ok(None)
}

/// Goes through the names of `range`, which start with `prefix`: notes the directories and gives
/// the indexes of the files, in the order of their names.
fn walk<E: SortedEntries>(
    entries: &mut E,
    range: Range<u64>,
    prefix: &[u8],
    recursive: bool,
    directories: &mut Directories,
) -> Result<Vec<u64>, TreeError> {
    // Segments of the root's names are the first ones of a path.
    let is_at_root = prefix.is_empty() || prefix == b"./";
    let base = name::without_dot_slash(prefix).unwrap_or(if is_at_root { b"" } else { prefix });
    let mut files = Vec::new();
    let (mut name, mut previous) = (Vec::new(), None::<Vec<u8>>);
    let mut index = range.start;
    while index < range.end {
        name.clear();
        let raw = entries.header(index)?.name;
        name.extend_from_slice(raw.get(prefix.len()..).unwrap_or_default());
        let shared = match &previous {
            Some(previous) if *previous == name => {
                index += 1;
                continue;
            }
            Some(previous) => shared_len(previous, &name),
            None => 0,
        };
        let mut next = index + 1;
        let mut start = 0;
        loop {
            let rest = &name[start..];
            let Some(len) = memchr::memchr(b'/', rest) else {
                if name::is_addressable_segment(rest, is_at_root && start == 0) {
                    files.push(index);
                }
                break;
            };
            let end = start + len;
            let is_addressable =
                name::is_addressable_segment(&rest[..len], is_at_root && start == 0);
            // The name before led to the same directory where it has this slash too.
            if is_addressable && (shared <= end || previous.is_none()) {
                let own = (name.len() == end + 1).then_some(index);
                directories.push(base, &name[..end], own)?;
            }
            if !recursive {
                let sub_tree = [prefix, &name[..=end]].concat();
                next = past_prefix(entries, index + 1, &sub_tree)?.min(range.end);
                break;
            }
            if !is_addressable {
                break;
            }
            start = end + 1;
        }
        index = next;
        std::mem::swap(previous.get_or_insert_default(), &mut name);
    }
    Ok(files)
}

/// Bytes that two names have in common at their front.
fn shared_len(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The directories that a walk comes by.
#[derive(Default)]
struct Directories {
    /// Their paths from the archive's root, one after the other.
    paths: Vec<u8>,
    found: Vec<FoundDirectory>,
}

#[derive(Clone, Copy)]
struct FoundDirectory {
    start: u32,
    len: u32,
    /// Index of its own entry, or [`NO_ENTRY`].
    own: u64,
}

const NO_ENTRY: u64 = u64::MAX;
const _: () = assert!(size_of::<FoundDirectory>() <= 16);
const _: () = assert!(DIRECTORIES_LEN_BOUND <= u32::MAX as usize);

impl Directories {
    fn push(&mut self, base: &[u8], path: &[u8], own: Option<u64>) -> Result<(), TreeError> {
        let len = base.len() + path.len();
        let found_len = (self.found.len() + 1) * size_of::<FoundDirectory>();
        if self.paths.len() + len + found_len > DIRECTORIES_LEN_BOUND {
            return Err(TreeError::TooManyDirectories);
        }
        // Both below 2^32: the bound.
        let (start, len) = (self.paths.len() as u32, len as u32);
        self.paths.extend_from_slice(base);
        self.paths.extend_from_slice(path);
        self.found.push(FoundDirectory { start, len, own: own.unwrap_or(NO_ENTRY) });
        Ok(())
    }

    fn path(&self, directory: FoundDirectory) -> &[u8] {
        &self.paths[directory.start as usize..][..directory.len as usize]
    }

    /// Sorts by path, where the names had `a-b/` before `a/`, and keeps one of each.
    fn sort(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        // With an entry of its own before without.
        found.sort_unstable_by_key(|&directory| (self.path(directory), directory.own));
        found.dedup_by(|&mut later, &mut first| self.path(later) == self.path(first));
        self.found = found;
    }
}

/// The page of directories and files, with what their headers say.
fn paginate<E: SortedEntries>(
    entries: &mut E,
    mut directories: Directories,
    files: &[u64],
    page: Page,
) -> Result<Listing, TreeError> {
    directories.sort();
    let directories_len = directories.found.len() as u64;
    let total = directories_len + files.len() as u64;
    let wanted = page.range();
    let mut items = Vec::new();
    for number in wanted.start.min(total)..wanted.end.min(total) {
        items.push(match number.checked_sub(directories_len) {
            None => {
                let directory = directories.found[number as usize];
                let mode = match directory.own {
                    NO_ENTRY => None,
                    own => mode_of(entries, own)?,
                };
                let path = name::shown_path(directories.path(directory));
                TreeItem::new(&path, TreeKind::Tree, None, mode)
            }
            Some(number) => file_item(entries, files[number as usize])?,
        });
    }
    Ok(Listing { items, total })
}

/// Files in the order of their names; of two that are listed alike the first walk's, without `./`.
fn merge<E: SortedEntries>(
    entries: &mut E,
    first: Vec<u64>,
    second: Vec<u64>,
) -> Result<Vec<u64>, TreeError> {
    if first.is_empty() || second.is_empty() {
        return Ok(if first.is_empty() { second } else { first });
    }
    let mut listed = |index: u64| -> Result<(u64, Vec<u8>), IndexError> {
        let raw = entries.header(index)?.name;
        Ok((index, name::without_dot_slash(raw).unwrap_or(raw).to_vec()))
    };
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let mut second = second.into_iter();
    let mut other = second.next().map(&mut listed).transpose()?;
    for index in first {
        let (_, name) = listed(index)?;
        while let Some((other_index, other_name)) = other.take_if(|(_, other)| *other <= name) {
            if other_name < name {
                merged.push(other_index);
            }
            other = second.next().map(&mut listed).transpose()?;
        }
        merged.push(index);
    }
    merged.extend(other.map(|(index, _)| index));
    merged.extend(second);
    Ok(merged)
}

fn file_item<E: SortedEntries>(entries: &mut E, index: u64) -> Result<TreeItem, TreeError> {
    let mode = mode_of(entries, index)?;
    let header = entries.header(index)?;
    // Not by an extra field where the raw name can be shown: it is what a lookup asks for first.
    let shown = match std::str::from_utf8(header.name) {
        Ok(raw) => raw.into(),
        Err(_) => name::display(header.name, header.extra),
    };
    let path = shown.strip_prefix("./").unwrap_or(&shown);
    Ok(TreeItem::new(path, TreeKind::Blob, Some(declared_uncompressed_size(&header)), mode))
}

fn mode_of<E: SortedEntries>(entries: &mut E, index: u64) -> Result<Option<u32>, TreeError> {
    let mode = entries.header(index)?.unix_mode();
    Ok(mode.filter(|&mode| mode != 0).map(u32::from))
}

impl TreeItem {
    fn new(path: &str, kind: TreeKind, size: Option<u64>, mode: Option<u32>) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        Self { name: name.into(), path: path.into(), kind, size, mode }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use entryway_testkit::builder::{self, Entry};
    use proptest::prelude::*;

    use super::*;
    use crate::archive::Archive;
    use crate::plan::Standing;
    use crate::policy::Duplicates;
    use crate::sidecar::{Binding, Sidecar, SortedSidecar, write};
    use crate::sorted::SortedDirectory;
    use crate::source::testing::Counting;

    const ALL: Page = Page { number: 1, per_page: u64::MAX };

    fn open(entries: impl IntoIterator<Item = Entry>) -> Archive<Bytes> {
        let bytes = builder::Archive::new().entries(entries).build();
        Archive::open(bytes.into()).unwrap()
    }

    fn named(names: &[impl AsRef<[u8]>]) -> Archive<Bytes> {
        open(names.iter().map(|name| Entry::stored(name, "")))
    }

    /// The sidecar of an archive of which nobody asks for a standing.
    fn sidecar(archive: &Archive<Bytes>) -> (Bytes, Binding) {
        let len = archive.source().len() as u64;
        let binding = Binding { sha256: [1; 32], len, modified_nanos: 0 };
        let standing = Standing::Good { data_offset: 0, is_text: false, fits_zstd_coding: false };
        let standings = vec![standing; archive.directory().len()];
        (write(archive.directory(), &binding, &standings, Duplicates::Refuse).into(), binding)
    }

    /// The listing by either index, which is the same.
    fn listed(
        archive: &Archive<Bytes>,
        path: &[u8],
        recursive: bool,
        page: Page,
    ) -> Option<Listing> {
        let in_memory = list(&mut SortedDirectory::new(archive), path, recursive, page).unwrap();
        let (pages, binding) = sidecar(archive);
        let sidecar = Sidecar::open(pages, &binding).unwrap();
        let mut sorted = SortedSidecar::new(&sidecar, archive.source()).unwrap();
        assert_eq!(list(&mut sorted, path, recursive, page).unwrap(), in_memory);
        in_memory
    }

    /// Directories with a slash, then files; `None` where the path is no directory.
    fn paths(archive: &Archive<Bytes>, path: &str, recursive: bool) -> Option<Vec<String>> {
        let listing = listed(archive, path.as_bytes(), recursive, ALL)?;
        assert_eq!(listing.total, listing.items.len() as u64);
        let shown = |item: &TreeItem| {
            assert_eq!(item.path.rsplit('/').next(), Some(&*item.name));
            assert_eq!(item.size.is_none(), item.kind == TreeKind::Tree);
            let slash = if item.kind == TreeKind::Tree { "/" } else { "" };
            format!("{}{slash}", item.path)
        };
        Some(listing.items.iter().map(shown).collect())
    }

    #[test]
    fn directories_come_first_and_are_implied_by_longer_names() {
        let archive =
            named(&["z", "a/b/c", "a-b/x", "a.txt", "a/", "d/", "a/b/d", "a/x", "z", "e", "e/f"]);
        type Row<'a> = (&'a str, &'a str, bool, Option<&'a [&'a str]>);
        let rows: [Row<'_>; 14] = [
            ("root", "", false, Some(&["a/", "a-b/", "d/", "e/", "a.txt", "e", "z"])),
            ("a directory", "a", false, Some(&["a/b/", "a/x"])),
            ("with a slash", "a/", false, Some(&["a/b/", "a/x"])),
            ("implied", "a/b", false, Some(&["a/b/c", "a/b/d"])),
            ("empty", "d", false, Some(&[])),
            ("a file and a directory", "e", false, Some(&["e/f"])),
            (
                "recursive",
                "",
                true,
                Some(&[
                    "a/", "a-b/", "a/b/", "d/", "e/", "a-b/x", "a.txt", "a/b/c", "a/b/d", "a/x",
                    "e", "e/f", "z",
                ]),
            ),
            ("recursive below", "a", true, Some(&["a/b/", "a/b/c", "a/b/d", "a/x"])),
            ("a file", "z", false, None),
            ("absent", "b", false, None),
            ("a part of a segment", "a/b/", true, Some(&["a/b/c", "a/b/d"])),
            ("two slashes", "a//", false, None),
            ("a slash", "/", false, None),
            ("climbing", "a/../a", false, None),
        ];
        for (name, path, recursive, expected) in rows {
            let expected = expected.map(|paths| paths.iter().map(ToString::to_string).collect());
            assert_eq!(paths(&archive, path, recursive), expected, "{name}");
        }
        assert_eq!(paths(&named(&[""; 0]), "", false), Some(vec![]), "an empty archive has a root");
    }

    #[test]
    fn names_are_listed_as_requests_have_them() {
        let archive = named(&[
            b"./a/b".as_slice(),
            b"a/c",
            b"./a/c",
            b"./t",
            b"./",
            b"",
            b"/etc/x",
            b"..",
            b"x/../y",
            b"x//y",
            b"c:/w",
            b"d\\..\\e",
            b"n\x01",
            b"\x82/\x82.txt",
            b"././q",
        ]);
        let root = ["a/", "x/", "\u{e9}/", "t"].map(str::to_owned).to_vec();
        assert_eq!(paths(&archive, "", false), Some(root));
        assert_eq!(paths(&archive, "a", false), Some(vec!["a/b".into(), "a/c".into()]));
        assert_eq!(paths(&archive, "x", true), Some(vec![]));
        let by_code_page = Some(vec!["\u{e9}/\u{e9}.txt".into()]);
        assert_eq!(paths(&archive, "\u{e9}", false), by_code_page);
        assert_eq!(paths(&archive, "./a", false), None);
    }

    #[test]
    fn an_item_has_its_size_and_mode() {
        let archive = open([
            Entry::deflated("dir/a", "hello hello hello"),
            Entry::directory("dir/"),
            Entry::symlink("link", "dir/a"),
            Entry { mode: None, ..Entry::stored("dos", "x") },
            Entry::stored("none", "x").mode(0),
            Entry::stored("own/sh", "").mode(0o100_755),
        ]);
        let listing = listed(&archive, b"", true, ALL).unwrap();
        let shown: Vec<_> = listing
            .items
            .iter()
            .map(|item| {
                let mode = item.mode.map_or("null".into(), |mode| format!("{mode:06o}"));
                format!("{} {:?} {mode}", item.path, item.size)
            })
            .collect();
        assert_eq!(
            shown,
            [
                "dir None 040755",
                "own None null",
                "dir/a Some(17) 100644",
                "dos Some(1) null",
                "link Some(5) 120777",
                "none Some(1) null",
                "own/sh Some(0) 100755",
            ]
        );
    }

    #[test]
    fn pages_joined_are_the_whole() {
        let names: Vec<String> = (0..23).map(|n| format!("{}/{n}", n % 7)).collect();
        let archive = named(&names);
        for recursive in [false, true] {
            let whole = listed(&archive, b"", recursive, ALL).unwrap();
            for per_page in 1..=whole.total + 1 {
                let mut items = Vec::new();
                for number in 1..=whole.total.div_ceil(per_page) {
                    let page = listed(&archive, b"", recursive, Page { number, per_page }).unwrap();
                    assert_eq!(page.total, whole.total);
                    items.extend(page.items);
                }
                assert_eq!(items, whole.items);
            }
            for page in [Page { number: 99, per_page: 20 }, Page { number: u64::MAX, per_page: 9 }]
            {
                let past = listed(&archive, b"", recursive, page).unwrap();
                assert_eq!((past.items.len(), past.total), (0, whole.total));
            }
        }
    }

    #[test]
    fn a_sub_tree_is_leapt_over() {
        let names = (0..100_000).map(|n| format!("logs/{n}")).chain(["a".into(), "z/z".into()]);
        let archive = open(names.map(|name| Entry::stored(name, "")));
        let (pages, binding) = sidecar(&archive);
        let sidecar = Sidecar::open(Counting::new(pages), &binding).unwrap();
        let pages = Counting::new(archive.source().clone());
        let mut sorted = SortedSidecar::new(&sidecar, &pages).unwrap();
        let page = Page { number: 1, per_page: 20 };
        let listing = list(&mut sorted, b"", false, page).unwrap().unwrap();
        assert_eq!(listing.total, 3);
        let asked = pages.take();
        assert!(asked.len() <= 60, "{} reads", asked.len());
        assert!(asked.iter().map(|it| it.end - it.start).sum::<u64>() < 1 << 20);

        // All the names, and still not a read for each.
        let listing = list(&mut sorted, b"logs", false, page).unwrap().unwrap();
        assert_eq!((listing.total, listing.items.len()), (100_000, 20));
        assert_eq!(&*listing.items[1].path, "logs/1");
    }

    #[test]
    fn names_in_order_are_read_many_at_once() {
        let archive = named(&(0..20_000).map(|n| format!("logs/{n:05}")).collect::<Vec<_>>());
        let (pages, binding) = sidecar(&archive);
        let sidecar = Sidecar::open(pages, &binding).unwrap();
        let source = Counting::new(archive.source().clone());
        let mut sorted = SortedSidecar::new(&sidecar, &source).unwrap();
        let listing = list(&mut sorted, b"logs", true, ALL).unwrap().unwrap();
        assert_eq!(listing.total, 20_000);
        let directory = archive.directory().extent().extent.clone();
        let most = 2 * (directory.end - directory.start) / READ_AHEAD + 60;
        let asked = source.take().len() as u64;
        assert!(asked <= most + most, "{asked} reads of at most {most}");
    }

    /// Bytes that a sidecar's entries are read by.
    const READ_AHEAD: u64 = 64 * 1024;

    #[test]
    fn names_that_imply_too_many_directories_are_refused() {
        let deep = |first: usize| format!("{first:04}{}", "/a".repeat(30_000));
        let archive = named(&(0..2).map(deep).collect::<Vec<_>>());
        let mut sorted = SortedDirectory::new(&archive);
        assert_eq!(list(&mut sorted, b"", true, ALL), Err(TreeError::TooManyDirectories));
        assert_eq!(list(&mut sorted, b"", false, ALL).unwrap().unwrap().total, 2);
    }

    /// The rules of the module's head, over a list of names.
    fn naive(names: &[String], path: &str, recursive: bool) -> Option<Vec<String>> {
        let below = if path.is_empty() { String::new() } else { format!("{path}/") };
        let names: BTreeSet<&str> = names
            .iter()
            .map(|name| name.strip_prefix("./").filter(|it| !it.is_empty()).unwrap_or(name))
            .filter(|name| name.starts_with(&below))
            .collect();
        let is_there =
            path.is_empty() || (name::is_addressable(path.as_bytes()) && !names.is_empty());
        let (mut directories, mut files) = (BTreeSet::new(), BTreeSet::new());
        for listed in names {
            for (end, _) in listed.match_indices('/').filter(|&(end, _)| end >= below.len()) {
                let directory = &listed[..end];
                let is_child = !directory[below.len()..].contains('/');
                if name::is_addressable(directory.as_bytes()) && (recursive || is_child) {
                    directories.insert(directory.to_owned());
                }
            }
            let is_child = !listed[below.len()..].contains('/');
            if name::is_addressable(listed.as_bytes()) && (recursive || is_child) {
                files.insert(listed.to_owned());
            }
        }
        let directories = directories.iter().map(|path| format!("{path}/"));
        is_there.then(|| directories.chain(files.iter().cloned()).collect())
    }

    proptest! {
        #[test]
        fn any_names_are_listed_as_the_naive_reading_has_them(
            names in proptest::collection::vec(
                proptest::collection::vec("|[.]|[.][.]|a|b|a-b|a[.]b|a b|c:|\\\\|\u{1}", 1..5)
                    .prop_map(|segments| segments.join("/")),
                0..30,
            ),
            path in proptest::collection::vec("|a|b|a-b", 0..3).prop_map(|it| it.join("/")),
            recursive in any::<bool>(),
        ) {
            prop_assume!(!path.starts_with('/') && !path.ends_with('/'));
            let archive = named(&names);
            prop_assert_eq!(paths(&archive, &path, recursive), naive(&names, &path, recursive));
        }
    }
}
