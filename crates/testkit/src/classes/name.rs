//! F: names, and the modes that say what they name.

use super::{Class, Expected, beside_b, class, of, refused, served, stored};
use crate::builder::Entry;
use crate::extra::{unicode_path, unicode_path_declaring};
use crate::fixtures::crc32;
use crate::record::FLAG_UTF8;

pub(super) fn classes() -> Vec<Class> {
    let mut classes = refused_names();
    classes.extend(served_names());
    classes.extend(unicode_paths());
    classes.extend(together());
    classes.extend(modes());
    classes.push(deep());
    classes
}

fn refused_names() -> Vec<Class> {
    type Row = (&'static str, &'static str, &'static [u8], &'static str);
    let rows: [Row; 17] = [
        ("F01-dotdot", "climbs at once", b"../evil.txt", "name_dots"),
        ("F01b-dotdot-mid", "climbs further than it went", b"a/../../evil", "name_dots"),
        ("F01c-dotdot-inside", "climbs as far as it went", b"a/../b", "name_dots"),
        ("F02-abs", "absolute", b"/etc/passwd", "name_absolute"),
        ("F02b-slashes", "two slashes in front", b"//x", "name_absolute"),
        ("F03-drive", "with a drive", b"C:/x", "name_absolute"),
        ("F03b-unc", "of another machine", b"\\\\srv\\s\\x", "name_absolute"),
        ("F04b-backslash-dotdot", "climbs with a backslash", b"..\\evil", "name_dots"),
        ("F05-nul", "NUL before another ending", b"a.txt\0.html", "name_control"),
        ("F06-crlf", "a header field of its own", b"a\r\nSet-Cookie: x=1", "name_control"),
        ("F06b-ctrl", "a terminal's escape", b"a\x1b[31m.txt", "name_control"),
        ("F06c-del", "DEL", b"a\x7f", "name_control"),
        ("F08-bad-utf8-flag", "not UTF-8, and flagged so", b"\xff\xfe.txt", "name_utf8"),
        ("F15-empty-name", "empty", b"", "name_empty"),
        ("F16a-dot", "a dot", b".", "name_dots"),
        ("F16e-dotdot-only", "two dots", b"..", "name_dots"),
        (
            "F22-overlong",
            "dots and a slash in overlong UTF-8",
            b"..\xc0\xaf..\xc0\xafetc",
            "name_utf8",
        ),
    ];
    let mut classes: Vec<Class> = rows
        .into_iter()
        .map(|(id, description, name, rule)| {
            let flags = if rule == "name_utf8" { FLAG_UTF8 } else { 0 };
            let entry = Entry { flags, ..stored(name, "hello") };
            class(id, description, beside_b(entry)).refuses(name, rule)
        })
        .collect();
    classes.push(
        class("F02c-only-slash", "a slash", beside_b(stored("/", "")))
            .refuses("/", "name_absolute"),
    );
    classes.push(
        class(
            "F22b-surrogate",
            "a surrogate, flagged as UTF-8",
            beside_b(stored(b"\xed\xa0\x80", "hello").flags(FLAG_UTF8)),
        )
        .refuses(b"\xed\xa0\x80", "name_utf8"),
    );
    classes
}

fn served_names() -> Vec<Class> {
    const LOOKS_INVISIBLE: &[&str] = &["name_invisible"];
    const SEGMENTS: &[&str] = &["name_segments"];
    let longest = ["a/".repeat(32_767).as_bytes(), b"z"].concat();
    type Row<'a> = (&'static str, &'static str, &'a [u8], &'static [&'static str]);
    let rows: [Row<'_>; 15] = [
        ("F04-backslash", "a backslash", b"a\\b", &["name_backslash"]),
        ("F07-bidi", "turns what follows", "a\u{202e}txt.exe".as_bytes(), LOOKS_INVISIBLE),
        ("F07b-zerowidth", "a space without width", "a\u{200b}.txt".as_bytes(), LOOKS_INVISIBLE),
        ("F10-cp437", "a letter of code page 437", b"\x82.txt", &[]),
        ("F16b-dotslash", "a dot in front", b"./a", SEGMENTS),
        ("F16c-dblslash", "an empty segment", b"a//b", SEGMENTS),
        ("F16d-dotmid", "a dot in the middle", b"a/./b", SEGMENTS),
        ("F18-name-65535", "as long as can be", &longest, &[]),
        ("F19-reserved", "a device of Windows", b"con", &[]),
        ("F19b-trailing-dot", "a dot and a space at the end", b"a.txt. ", &["name_ending"]),
        ("F19c-ads", "a stream of another file", b"a.txt:evil:$DATA", &["name_colon"]),
        ("F23-percent", "climbs once decoded", b"%2e%2e%2fetc", &[]),
        ("F24-quotes", "ends a quoted file name", b"a\"; filename=\"b.html", &[]),
        ("F24b-semicolon", "ends a parameter", b"a;b=c.txt", &[]),
        ("F24d-question-hash", "ends a path", b"a?b#c.txt", &[]),
    ];
    let mut classes: Vec<Class> = rows
        .into_iter()
        .map(|(id, description, name, strict)| {
            class(id, description, beside_b(stored(name, "hello")))
                .serves(name, "hello")
                .strictly(strict)
        })
        .collect();
    let html = "<img src=x onerror=alert(1)>.txt";
    let accented = "\u{e9}.txt";
    classes.extend([
        class("F24c-html", "a tag of HTML", beside_b(stored(html, "hello"))).serves(html, "hello"),
        class(
            "F09-utf8-noflag",
            "UTF-8 that is not flagged so",
            beside_b(Entry { flags: 0, ..stored(accented, "hello") }),
        )
        .serves(accented, "hello"),
    ]);
    classes
}

/// The field 0x7075, which gives a name another name.
fn unicode_paths() -> Vec<Class> {
    const RAW: &[u8] = b"x.txt";
    let own = crc32(RAW);
    let renames = |name: &[u8]| unicode_path_declaring(1, own, name);
    let class_of = |id, description, field: Vec<u8>| {
        class(id, description, beside_b(stored(RAW, "hello").extra(field)))
    };
    let odd = [
        ("F11b-unicodepath-badcrc", "of another name", unicode_path_declaring(1, 0, b"evil.txt")),
        ("F11c-unicodepath-ascii", "another name in ASCII", renames(b"evil.txt")),
        (
            "F11d-unicodepath-dup",
            "two that differ",
            [renames(b"e1.txt"), renames(b"e2.txt")].concat(),
        ),
        ("F11e-unicodepath-ver2", "of version 2", unicode_path_declaring(2, own, b"e.txt")),
        ("F11f-unicodepath-badutf8", "not UTF-8", renames(b"\xff\xff")),
        ("F11g-unicodepath-traversal", "climbs", renames(b"../../e")),
        ("F11i-unicodepath-nul", "holds NUL", renames(b"e\0.txt")),
    ];
    let mut classes = vec![
        class_of("F11a-unicodepath-ok", "as it should be", unicode_path(RAW, "\u{e9}.txt"))
            .serves(RAW, "hello"),
        class(
            "F11h-unicodepath-cd-only",
            "in the directory alone",
            beside_b(Entry { central_extra: unicode_path(RAW, "\u{e9}"), ..stored(RAW, "hello") }),
        )
        .serves(RAW, "hello")
        .strictly(&["unicode_path"]),
    ];
    classes.extend(odd.map(|(id, description, field)| {
        class_of(id, description, field).serves(RAW, "hello").strictly(&["unicode_path"])
    }));
    classes
}

/// Names and contents, all of which are served.
fn all_served<const N: usize>(files: [(&str, &str); N]) -> [Expected; N] {
    files.map(|(name, content)| served(name, content))
}

fn files<const N: usize>(files: [(&str, &str); N]) -> [Entry; N] {
    files.map(|(name, content)| stored(name, content))
}

fn together() -> Vec<Class> {
    let case = [("a.txt", "1"), ("A.TXT", "2")];
    let normalized = [("\u{e9}", "1"), ("e\u{301}", "2")];
    let child = [("a", "1"), ("a/b", "2")];
    let spellings = [("a/b", "1"), ("a//b", "2"), ("./a/b", "3")];
    let directories = [("d/", ""), ("d/", ""), ("b.txt", "world")];
    let twice = |first, second| of(files([("a.txt", first), ("a.txt", second), directories[2]]));
    let neither = || {
        let twice = ["a.txt", "a.txt"].map(|name| refused(name, "duplicate_name"));
        twice.into_iter().chain([super::served_b()])
    };
    vec![
        class("F12-duplicate", "two files of one name", twice("first", "second")).reads(neither()),
        class("F12b-duplicate-same", "the same file twice", twice("same", "same")).reads(neither()),
        class("F12c-dup-dir", "the same directory twice", of(files(directories)))
            .reads(all_served(directories)),
        class("F13-case", "names that differ in case", of(files(case)))
            .reads(all_served(case))
            .strictly(&["names_collide"]),
        class("F13b-nfc-nfd", "names that differ in normalization", of(files(normalized)))
            .reads(all_served(normalized))
            .strictly(&["names_collide"]),
        class("F14-file-and-dir", "a file, and another below it", of(files(child)))
            .reads(all_served(child))
            .strictly(&["file_with_children"]),
        class(
            "F14b-file-and-dirslash",
            "a file and a directory of one name",
            of(files([("a", "1"), ("a/", "")])),
        )
        .reads(["a", "a/"].map(|name| refused(name, "file_and_directory"))),
        class("F16f-collide", "three spellings of one path", of(files(spellings)))
            .reads(all_served(spellings))
            .strictly(&["name_segments"]),
    ]
}

fn modes() -> Vec<Class> {
    let link = |target: &str| stored("l", target).mode(0o120_777);
    let of_mode = |name, mode| beside_b(stored(name, "hello").mode(mode));
    vec![
        class(
            "F17-dirattr-noslash",
            "a directory by its mode, a file by its name",
            beside_b(
                stored("d", "hello")
                    .mode(0o040_755)
                    .edit_central(|header| header.external_attributes |= 0x10),
            ),
        )
        .serves("d", "hello"),
        class("F25-symlink", "a link to a file of the system", beside_b(link("/etc/passwd")))
            .serves("l", "/etc/passwd"),
        class(
            "F25b-symlink-then-file",
            "a link, and a file below it",
            of([link("/tmp"), stored("l/x", "pwn")]),
        )
        .reads(all_served([("l", "/tmp"), ("l/x", "pwn")]))
        .strictly(&["file_with_children"]),
        class("F25c-device", "a device", of_mode("dev", 0o020_666)).refuses("dev", "unix_mode"),
        class("F25d-setuid", "runs as its owner", of_mode("su", 0o104_755)).serves("su", "hello"),
        class("F25e-fifo", "a pipe", of_mode("p", 0o010_666)).refuses("p", "unix_mode"),
    ]
}

fn deep() -> Class {
    let names: Vec<String> =
        (0..3_000).map(|number| format!("{number}/{}f", "x/".repeat(300))).collect();
    class(
        "F21-deep-superlinear",
        "three thousand files, each three hundred folders deep in folders of its own",
        of(names.iter().map(|name| stored(name, ""))),
    )
    .reads(names.iter().map(|name| served(name, "")))
}
