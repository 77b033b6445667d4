//! Archives that the machine has: the jars, modules, wheels and the like of its system folders are
//! served whole, each entry decoded and checked, under the names that Python lists.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use entryway::{Archive, Directory, Error, FileSource, Rule};
use entryway_testkit::builder::{self, Entry};
use serde_json::{Value, json};

use super::names;
use crate::{built, open_and_read};
use entryway_tests_shared::machine::{has_command, skip};

/// How the names of zip archives end, whatever they are called beside that.
const ENDINGS: [&str; 21] = [
    "aar", "apk", "docx", "ear", "egg", "epub", "ipa", "jar", "jmod", "nupkg", "odg", "odp", "ods",
    "odt", "pptx", "pyz", "war", "whl", "xlsx", "xpi", "zip",
];

/// Firefox's own, the layout of which is refused: see the last test.
const OMNI: &str = "omni.ja";

/// Folders of what others test with, wrong on purpose or not.
const OF_TESTS: [&str; 5] = ["archivetestdata", "fixtures", "test", "testdata", "tests"];

/// Bounds on the walk: folders in folders, items, and bytes of archives.
const DEPTH: usize = 24;
const ITEMS: usize = 2_000_000;
const BYTES: u64 = 2 << 30;

/// Threads that read at once.
const THREADS: usize = 2;

/// Reads lines of `{"path", "refused"}`, and prints what Python makes of each archive: its names,
/// and of the entries that are refused here, or of all where it is null, how many it reads.
const PYTHON: &str = r#"
import json, sys, zipfile

def reads(archive, info):
    try:
        with archive.open(info) as content:
            while content.read(1 << 20):
                pass
        return True
    except Exception:
        return False

for line in sys.stdin:
    question = json.loads(line)
    try:
        with zipfile.ZipFile(question["path"]) as archive:
            infos = archive.infolist()
            refused = question["refused"]
            asked = infos if refused is None else [infos[number] for number in refused]
            names = [info.filename for info in infos]
            answer = {"names": names, "reads": [reads(archive, info) for info in asked]}
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer))
"#;

/// Where programs keep archives: the system's folders, a JDK elsewhere, what `fetch_real` fetched,
/// and Python's own folders.
fn roots() -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = ["/usr", "/opt"].into_iter().map(PathBuf::from).collect();
    roots.extend(
        ["JAVA_HOME", "ENTRYWAY_REAL"].into_iter().filter_map(std::env::var_os).map(PathBuf::from),
    );
    let script =
        "import sys, sysconfig; print(sys.base_prefix); print(sysconfig.get_path('purelib'))";
    if let Ok(output) = Command::new("python3").args(["-c", script]).output() {
        roots.extend(String::from_utf8_lossy(&output.stdout).lines().map(PathBuf::from));
    }
    roots
}

/// The archives below the roots, each file once, in the order of their paths.
fn archives() -> Vec<PathBuf> {
    let mut open: Vec<(PathBuf, usize)> = roots().into_iter().map(|root| (root, 0)).collect();
    let (mut items, mut bytes) = (0, 0);
    let mut found = BTreeSet::new();
    while let Some((folder, depth)) = open.pop() {
        // What may not be looked into is not there.
        for item in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            items += 1;
            let (name, path) = (item.file_name(), item.path());
            let Ok(kind) = item.file_type() else { continue };
            if kind.is_dir() {
                let is_of_tests = OF_TESTS.iter().any(|of_tests| name == *of_tests);
                if depth < DEPTH && items < ITEMS && !is_of_tests {
                    open.push((path, depth + 1));
                }
                continue;
            }
            let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            let is_archive = name == OMNI || ENDINGS.contains(&ending);
            if !kind.is_file() || !is_archive {
                continue;
            }
            let (Ok(about), Ok(path)) = (item.metadata(), path.canonicalize()) else { continue };
            // Python is told the path as text.
            if bytes + about.len() <= BYTES && path.to_str().is_some() && found.insert(path) {
                bytes += about.len();
            }
        }
    }
    found.into_iter().collect()
}

/// What became of an archive.
struct Outcome {
    path: PathBuf,
    /// The directory, and the numbers of refused entries with why; or why there is none.
    opened: Result<(Directory, Vec<(usize, Error)>), Error>,
}

/// Decodes every entry of an archive; `None` where the file may not be read.
fn read_whole(path: &Path) -> Option<Outcome> {
    let source = FileSource::open(path).ok()?;
    let opened = Archive::open(source).map(|archive| {
        let mut refused = Vec::new();
        for (number, entry) in archive.directory().entries().enumerate() {
            let read = archive.read(&archive.describe(&entry)).and_then(|mut reader| {
                while reader.next_chunk()?.is_some() {}
                Ok(())
            });
            refused.extend(read.err().map(|error| (number, error)));
        }
        (archive.into_directory(), refused)
    });
    Some(Outcome { path: path.to_owned(), opened })
}

/// Asks Python about all archives in one process.
fn python(outcomes: &[Outcome]) -> Vec<Value> {
    let mut questions = tempfile::tempfile().expect("a temporary file");
    for outcome in outcomes {
        let numbers = |refused: &Vec<(usize, Error)>| -> Vec<usize> {
            refused.iter().map(|(number, _)| *number).collect()
        };
        let refused = outcome.opened.as_ref().ok().map(|(_, refused)| numbers(refused));
        let question = json!({"path": outcome.path, "refused": refused});
        writeln!(questions, "{question}").expect("a temporary file can be written");
    }
    questions.rewind().expect("a temporary file");
    let output = Command::new("python3")
        .args(["-c", PYTHON])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(questions)
        .stderr(Stdio::inherit())
        .output()
        .expect("python3 starts");
    let lines = String::from_utf8(output.stdout).expect("JSON is ASCII");
    let answers: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(answers.len(), outcomes.len(), "python3 ended early: {}", output.status);
    answers
}

/// Where this reader and Python part; null, where nobody asked it, stands for one that reads all.
fn differences(outcome: &Outcome, python: &Value) -> Vec<String> {
    let reads = python["reads"].as_array();
    let does_read =
        |asked: usize| python.is_null() || reads.is_some_and(|reads| reads[asked] == true);
    let (directory, refused) = match &outcome.opened {
        Ok((directory, refused)) => (directory, refused),
        Err(error) => {
            let reads_all = reads.is_some_and(|reads| reads.iter().all(|read| *read == true));
            let is_wrong = python.is_null() || reads_all;
            return is_wrong.then(|| error.to_string()).into_iter().collect();
        }
    };
    // What Python does not read either is not held against anybody: encrypted, or damaged.
    let mut differences: Vec<String> = refused
        .iter()
        .enumerate()
        .filter(|(asked, _)| does_read(*asked))
        .map(|(_, (number, error))| format!("entry {number}: {error}"))
        .collect();
    let Some(listed) = python["names"].as_array() else { return differences };
    if listed.len() != directory.len() {
        differences.push(format!("{} entries, {} in Python", directory.len(), listed.len()));
    }
    for (entry, name) in directory.entries().zip(listed) {
        let (header, name) = (directory.header(&entry), name.as_str().unwrap_or_default());
        if names::in_python(name, &header).is_none() {
            differences.push(format!("{}, in Python {name:?}", header.name.escape_ascii()));
        }
    }
    differences
}

#[test]
fn the_archives_of_this_machine_are_served_whole() {
    let test = "the_archives_of_this_machine_are_served_whole";
    let paths = archives();
    if paths.is_empty() {
        skip(test, "no archives lie in the system's folders");
        return;
    }
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        // Each takes every other one: large ones stand beside each other.
        let readers: Vec<_> = (0..THREADS)
            .map(|first| {
                let paths = paths.iter().skip(first).step_by(THREADS);
                scope.spawn(move || paths.filter_map(|path| read_whole(path)).collect::<Vec<_>>())
            })
            .collect();
        readers.into_iter().flat_map(|reader| reader.join().expect("no panic")).collect()
    });
    let mut answers = vec![Value::Null; outcomes.len()];
    if has_command("python3") {
        answers = python(&outcomes);
    } else {
        skip(test, "python3 is not here: names are not compared");
    }
    let mut wrong = Vec::new();
    let (mut entries, mut refused_by_both) = (0, 0);
    for (outcome, answer) in outcomes.iter().zip(&answers) {
        if outcome.path.ends_with(OMNI)
            && outcome
                .opened
                .as_ref()
                .is_err_and(|error| error.label() == Rule::AmbiguousBase.label())
        {
            continue;
        }
        entries += outcome.opened.as_ref().map_or(0, |(directory, _)| directory.len());
        let found = differences(outcome, answer);
        let is_whole = outcome.opened.as_ref().is_ok_and(|(_, refused)| refused.is_empty());
        if !is_whole && found.is_empty() {
            refused_by_both += 1;
            println!("{}: refused, by Python too", outcome.path.display());
        }
        wrong.extend(found.into_iter().map(|it| format!("{}: {it}", outcome.path.display())));
    }
    println!("{} archives, {entries} entries; {refused_by_both} not whole", outcomes.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A length, the directory, and only then the files: readers that go by the directory's offset read
/// it, those that go by where the end record stands do not.
#[test]
fn a_directory_in_front_of_the_files_is_the_layout_that_is_refused() {
    let archive = builder::Archive {
        directory_first: true,
        ..builder::Archive::new().entry(Entry::deflated("chrome.manifest", "manifest"))
    };
    let bytes = built(&archive.prefix([0x55, 4, 0, 0], true));
    assert_eq!(open_and_read(bytes).unwrap_err().rule, Rule::AmbiguousBase);
}
