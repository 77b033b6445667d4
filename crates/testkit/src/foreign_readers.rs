//! The good archives, read by readers that others wrote.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::builder::{Archive, Entry};
use crate::samples::{self, Sample};
use crate::sparse::{Giant, many_entries};

/// A file that goes away with the test.
struct TemporaryFile(PathBuf);

impl TemporaryFile {
    fn holding(label: &str, bytes: &[u8]) -> Self {
        let name = format!("entryway-testkit-{}-{label}.zip", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn is_installed(program: &str, argument: &str) -> bool {
    let found = Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        println!("SKIPPED: {program} is not installed");
    }
    found
}

fn said(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    text
}

fn portable() -> impl Iterator<Item = Sample> {
    let samples = samples::good();
    assert!(samples.iter().filter(|sample| sample.portable).count() > 20);
    samples.into_iter().filter(|sample| sample.portable)
}

#[test]
fn unzip_tests_the_good_archives_without_complaint() {
    if !is_installed("unzip", "-v") {
        return;
    }
    let file = |bytes: &[u8]| TemporaryFile::holding("unzip", bytes);
    for sample in portable() {
        let file = file(&sample.archive.build());
        let output = Command::new("unzip").arg("-t").arg(&file.0).output().unwrap();
        assert!(output.status.success(), "{}: {}", sample.name, said(&output));
    }
    // The check itself: one flipped byte of data is a complaint.
    let mut built = Archive::new().entry(Entry::stored("a", "hello")).build_placed();
    let data = built.entries[0].data();
    built.bytes[data.start] ^= 1;
    let file = file(&built.bytes);
    let output = Command::new("unzip").arg("-t").arg(&file.0).output().unwrap();
    assert!(!output.status.success(), "{}", said(&output));
}

#[test]
fn python_reads_the_content_of_the_good_archives() {
    if !is_installed("python3", "--version") {
        return;
    }
    // Prints count, then length and CRC-32 of each entry, in the directory's order.
    const SCRIPT: &str = "
import sys, zipfile, zlib
with zipfile.ZipFile(sys.argv[1]) as z:
    for info in z.infolist():
        content = z.read(info)
        print(len(content), zlib.crc32(content))
";
    for sample in portable() {
        let file = TemporaryFile::holding("python", &sample.archive.build());
        let output = Command::new("python3").args(["-c", SCRIPT]).arg(&file.0).output().unwrap();
        let expected: String = sample
            .contents
            .iter()
            .map(|(_, content)| format!("{} {}\n", content.len(), crc32fast::hash(content)))
            .collect();
        assert_eq!(said(&output), expected, "{}", sample.name);
    }
}

#[test]
fn python_finds_the_entries_of_the_giants() {
    if !is_installed("python3", "--version") {
        return;
    }
    // Opens every entry, which reads its local header, and reads the small ones.
    const SCRIPT: &str = "
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    for info in z.infolist()[-3:]:
        with z.open(info) as f:
            small = info.file_size < 1 << 20
            print(info.filename, info.file_size, info.header_offset, small and f.read())
    print(len(z.infolist()))
";
    let describe = |giant: &Giant| {
        let mut lines = String::new();
        for entry in &giant.entries {
            let content = if entry.data_len < 1 << 20 {
                let content = giant.archive.read(entry.data());
                format!("b'{}'", content.escape_ascii())
            } else {
                "False".to_owned()
            };
            let (len, offset) = (entry.data_len, entry.local_header_offset);
            lines.push_str(&format!("{} {len} {offset} {content}\n", entry.name));
        }
        lines + &format!("{}\n", giant.entries.len())
    };
    let python = |file: &TemporaryFile| {
        said(&Command::new("python3").args(["-c", SCRIPT]).arg(&file.0).output().unwrap())
    };
    for giant in [Giant::stored_zeros(5 << 30), Giant::late_local_header(5 << 30)] {
        let file = TemporaryFile::holding("giant", b"");
        giant.archive.write_to(&mut std::fs::File::create(&file.0).unwrap()).unwrap();
        assert_eq!(python(&file), describe(&giant));
    }
    for count in [65_535, 65_537] {
        let file = TemporaryFile::holding("many", &many_entries(count).build());
        assert!(python(&file).ends_with(&format!("b'{}'\n{count}\n", count - 1)), "{count}");
    }
}
