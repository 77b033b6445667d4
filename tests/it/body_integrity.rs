//! A damaged entry never arrives as a complete response: whatever is wrong with it, over HTTP/1.1
//! and HTTP/2, by GET and HEAD, in ranges and as a coding, before its archive is verified and
//! afterwards.

use std::collections::HashMap;
use std::path::Path;

use bytes::Bytes;
use entryway::Standing;
use entryway_testkit::builder::{Archive, Built, DescriptorForm, Entry};
use entryway_testkit::fixtures::{crc32, noise, text};
use entryway_testkit::record::{DataDescriptor, FLAG_DATA_DESCRIPTOR};
use entryway_tests_shared::packed::PACKINGS;

use crate::client::PROTOCOLS;
use crate::harness::{Push, Scratch, run};
use crate::sample::{LARGE, SMALL};
use crate::standings::{Came, Cell, Site, ask_in_every_way, by_job_literally, defect};

/// What is wrong with an entry, the entry, and the rule that it breaks, where each fault of its
/// kind breaks the same.
type Fault = (String, Entry, Option<&'static str>);

/// Blocks without compression, none of them the last, and then one of a type that there is not.
fn bad_block_behind_good_ones(content: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    for block in content[..content.len() / 2].chunks(60_000) {
        let len = block.len() as u16;
        data.push(0);
        data.extend_from_slice(&len.to_le_bytes());
        data.extend_from_slice(&(!len).to_le_bytes());
        data.extend_from_slice(block);
    }
    data.push(7);
    data
}

/// Payloads and descriptors that lie, each small enough to be checked before the head of an answer,
/// and too large for that.
fn lies() -> Vec<Fault> {
    let mut faults = Vec::new();
    let bomb = Entry::deflated("", vec![0; 16 << 20]);
    for len in [SMALL, LARGE] {
        let content = text(len, len as u64);
        let deflated = Entry::deflated("", &content);
        let stored = Entry::stored("", &content);
        let data = |data: Vec<u8>| Entry { data, ..deflated.clone() };
        let sized =
            |entry: &Entry, len: usize| Entry { uncompressed_len: len as u64, ..entry.clone() };
        let prefix_crc = crc32(&content[..len - 1]);
        let cut = deflated.data[..deflated.data.len() - 1].to_vec();
        let longer = [&deflated.data[..], &[0]].concat();
        let rows = [
            ("CRC-32", Entry { crc32: 1, ..deflated.clone() }, "crc"),
            ("size too small", sized(&deflated, len - 1), "data_long"),
            (
                "size too small, CRC-32 of so much",
                Entry { crc32: prefix_crc, ..sized(&deflated, len - 1) },
                "data_long",
            ),
            ("size too large", sized(&deflated, len + 1), "data_short"),
            ("bytes after the final block", data(longer), "data_trailing"),
            ("cut by a byte", data(cut), "data_truncated"),
            ("block of type 3", data(vec![7; 9]), "data"),
            ("late block of type 3", data(bad_block_behind_good_ones(&content)), "data"),
            ("distance too far", data(b"\x4b\x04\x01\xfc\xff".to_vec()), "data"),
            ("16 MiB of zeros", sized(&bomb, len), "data_long"),
            ("stored, CRC-32", Entry { crc32: 1, ..stored.clone() }, "crc"),
            ("stored, sizes differ", sized(&stored, len - 1), "stored_sizes"),
        ];
        faults.extend(
            rows.map(|(fault, entry, rule)| (format!("{fault}, {len}"), entry, Some(rule))),
        );
        for (kind, entry) in [("deflated", deflated), ("stored", stored)] {
            let described = entry.clone().descriptor(DescriptorForm::SIGNED_32);
            let changed =
                |change: fn(&mut DataDescriptor)| described.clone().edit_descriptor(change);
            let missing = entry.flags(FLAG_DATA_DESCRIPTOR).edit_local(|header| {
                (header.crc32, header.compressed_size, header.uncompressed_size) = (0, 0, 0);
            });
            let rows = [
                ("CRC-32", changed(|it| it.crc32 ^= 1), "descriptor"),
                ("size", changed(|it| it.uncompressed_size += 1), "descriptor"),
                ("compressed size", changed(|it| it.compressed_size -= 1), "descriptor"),
                ("zeros", changed(|it| *it = DataDescriptor::default()), "descriptor"),
                ("missing", missing, "overlap"),
            ];
            faults.extend(rows.map(|(fault, entry, rule)| {
                (format!("{kind}, descriptor, {fault}, {len}"), entry, Some(rule))
            }));
        }
    }
    faults
}

/// Flips the lowest bit of a byte of every victim, at the place that a row names. DEFLATE fills
/// bytes from there, so even in a stream's last byte that bit is no padding.
struct Damage {
    name: &'static str,
    /// The position of the byte to damage, given the archive and the victim's number.
    position: fn(&Built, usize) -> usize,
}

/// Offsets within a central directory header (APPNOTE 4.3.12).
const CENTRAL_CRC32: usize = 16;
const CENTRAL_COMPRESSED_SIZE: usize = 20;
const CENTRAL_UNCOMPRESSED_SIZE: usize = 24;

fn central(built: &Built, victim: usize, field: usize) -> usize {
    built.entries[victim].central_header_offset.expect("every victim is listed") + field
}

const DAMAGES: [Damage; 11] = [
    Damage { name: "data: first byte", position: |built, n| built.entries[n].data().start },
    Damage {
        name: "data: middle byte",
        position: |built, n| {
            let data = built.entries[n].data();
            data.start + data.len() / 2
        },
    },
    Damage { name: "data: last byte", position: |built, n| built.entries[n].data().end - 1 },
    Damage { name: "CRC-32: first byte", position: |built, n| central(built, n, CENTRAL_CRC32) },
    Damage { name: "CRC-32: last byte", position: |built, n| central(built, n, CENTRAL_CRC32 + 3) },
    Damage {
        name: "compressed size: low",
        position: |built, n| central(built, n, CENTRAL_COMPRESSED_SIZE),
    },
    Damage {
        name: "compressed size: second",
        position: |built, n| central(built, n, CENTRAL_COMPRESSED_SIZE + 1),
    },
    Damage {
        name: "compressed size: high",
        position: |built, n| central(built, n, CENTRAL_COMPRESSED_SIZE + 3),
    },
    Damage {
        name: "uncompressed size: low",
        position: |built, n| central(built, n, CENTRAL_UNCOMPRESSED_SIZE),
    },
    Damage {
        name: "uncompressed size: second",
        position: |built, n| central(built, n, CENTRAL_UNCOMPRESSED_SIZE + 1),
    },
    Damage {
        name: "uncompressed size: high",
        position: |built, n| central(built, n, CENTRAL_UNCOMPRESSED_SIZE + 3),
    },
];

/// A name and what it holds.
type NamedContent = (String, Vec<u8>);

/// Victims of every kind, the same with data descriptors, and one healthy entry after each.
fn victims() -> (Vec<NamedContent>, Vec<NamedContent>, Archive) {
    let (mut victims, mut healthy, mut archive) = (Vec::new(), Vec::new(), Archive::new());
    for (number, length) in [SMALL, LARGE].into_iter().enumerate() {
        for descriptor in [None, Some(DescriptorForm::SIGNED_32), Some(DescriptorForm::BARE_32)] {
            for deflated in [true, false] {
                let name = format!("victim-{length}-{descriptor:?}-{deflated}.bin")
                    .replace([' ', '{', '}', '(', ')', ',', ':'], "");
                // Text, so that a deflated victim has a stream of several blocks and matches.
                let content = if deflated { text(length, number as u64) } else { noise(length, 9) };
                let entry = if deflated {
                    Entry::deflated(&name, &content)
                } else {
                    Entry::stored(&name, &content)
                };
                let entry = match descriptor {
                    Some(form) => entry.descriptor(form),
                    None => entry,
                };
                let beside = format!("healthy-{}.txt", healthy.len());
                let beside_content = text(5_000 + healthy.len(), 3);
                archive = archive.entry(entry).entry(Entry::deflated(&beside, &beside_content));
                victims.push((name, content));
                healthy.push((beside, beside_content));
            }
        }
    }
    (victims, healthy, archive)
}

/// Data of every method that is damaged in its middle and at its end.
fn damaged_methods() -> Vec<Fault> {
    let mut faults = Vec::new();
    for packing in PACKINGS {
        for len in [SMALL, LARGE] {
            let good = packing.entry("", &text(len, len as u64));
            let mut flipped = good.data.clone();
            flipped[good.data.len() / 2] ^= 1;
            let rows = [
                ("a flipped bit", flipped),
                ("a byte too few", good.data[..good.data.len() - 1].to_vec()),
                ("a byte more", [&good.data[..], &[0]].concat()),
            ];
            faults.extend(rows.map(|(fault, data)| {
                (format!("{}, {fault}, {len}", packing.name), Entry { data, ..good.clone() }, None)
            }));
        }
    }
    faults
}

/// An archive, the entries of it that are damaged with the rule that each breaks, and the others.
struct Damaged {
    name: &'static str,
    bytes: Vec<u8>,
    victims: Vec<(String, &'static str)>,
    healthy: Vec<NamedContent>,
}

impl Damaged {
    /// The victims' rules are what the engine says, and what the table says where it does.
    fn new(
        name: &'static str,
        bytes: Vec<u8>,
        victims: Vec<(String, Option<&'static str>)>,
        healthy: Vec<NamedContent>,
    ) -> Self {
        let rules = rules(&bytes);
        let with_rule = |(victim, expected): (String, Option<&'static str>)| {
            let rule = rules.get(victim.as_bytes()).copied();
            assert!(rule.is_some(), "{name}, {victim}: the engine finds nothing wrong");
            assert!(expected.is_none() || rule == expected, "{name}, {victim}: {rule:?}");
            (victim, rule.unwrap_or_default())
        };
        Self { name, bytes, victims: victims.into_iter().map(with_rule).collect(), healthy }
    }

    /// Faults, each in an entry of its own, and a healthy entry behind each.
    fn of(name: &'static str, faults: Vec<Fault>) -> Self {
        let (mut victims, mut healthy, mut archive) = (Vec::new(), Vec::new(), Archive::new());
        for (fault, entry, rule) in faults {
            let beside = format!("healthy-{}.txt", healthy.len());
            let content = text(500 + healthy.len(), 3);
            archive = archive
                .entry(Entry { name: fault.clone().into_bytes(), ..entry })
                .entry(Entry::deflated(&beside, &content));
            victims.push((fault, rule));
            healthy.push((beside, content));
        }
        Self::new(name, archive.build(), victims, healthy)
    }
}

/// The rules by which the engine refuses entries.
fn rules(archive: &[u8]) -> HashMap<Vec<u8>, &'static str> {
    let archive = entryway::Archive::open(Bytes::copy_from_slice(archive)).expect("an archive");
    let mut rules = HashMap::new();
    let note = |entry: &entryway::Entry, standing| {
        if let Standing::Bad(refusal) = standing {
            rules.insert(archive.directory().raw_name(entry).to_vec(), refusal.rule.label());
        }
    };
    archive.verify(|_| {}, note).expect("bytes in memory");
    rules
}

fn all_damaged() -> Vec<Damaged> {
    let mut all = vec![Damaged::of("lies", lies()), Damaged::of("methods", damaged_methods())];
    for damage in &DAMAGES {
        let (victims, healthy, archive) = victims();
        let mut built = archive.build_placed();
        // Every other entry is a victim.
        let positions: Vec<usize> =
            (0..victims.len()).map(|n| (damage.position)(&built, 2 * n)).collect();
        for position in positions {
            built.bytes[position] ^= 1;
        }
        let victims = victims.into_iter().map(|(name, _)| (name, None)).collect();
        all.push(Damaged::new(damage.name, built.bytes, victims, healthy));
    }
    all
}

/// A row of the table: what came of every request for one entry.
fn row(what: &str, cells: &[Cell]) -> String {
    let cells = cells
        .iter()
        .map(|cell| format!("\n    {:?} {:<12} {:?}", cell.protocol, cell.request, cell.came));
    format!("{what}:{}", cells.collect::<String>())
}

#[tokio::test]
async fn what_is_damaged_never_arrives_whole_and_what_is_beside_it_does() {
    let damaged = all_damaged();
    let mut site = Site::new();
    let jobs: Vec<u64> = damaged.iter().map(|it| site.hand_in(&it.bytes)).collect();
    let (mut wrong, mut cut) = (Vec::new(), 0);
    for is_verified in [false, true] {
        if is_verified {
            for (damaged, pushed) in damaged.iter().zip(site.verify()) {
                let (named, expected) = (pushed.refused.len(), damaged.victims.len());
                if named != expected {
                    wrong.push(format!("{}: {named} of {expected} are named", damaged.name));
                }
            }
        }
        for (damaged, &job) in damaged.iter().zip(&jobs) {
            let name = damaged.name;
            for (victim, rule) in &damaged.victims {
                let target = by_job_literally(job, victim.as_bytes());
                let cells = ask_in_every_way(&site, &target).await;
                cut += cells.iter().filter(|cell| matches!(cell.came, Came::Cut(_))).count();
                let defects = cells.iter().filter_map(|cell| defect(cell, rule, is_verified));
                let defects: Vec<_> = defects.collect();
                if !defects.is_empty() {
                    let what = format!("{name}, {victim}, verified: {is_verified}, {rule}");
                    wrong.push(row(&format!("{what}: {defects:?}"), &cells));
                }
            }
            let mut client = site.client(PROTOCOLS[0]);
            for (healthy, content) in &damaged.healthy {
                let answer = client.get(&by_job_literally(job, healthy.as_bytes())).await;
                assert_eq!(answer.status, 200, "{name}: {healthy}");
                assert!(answer.bytes() == content, "{name}: {healthy}");
                site.assert_standing(healthy, &answer);
            }
            // The whole archive can still be had, as it was handed in.
            let target = format!("/api/v4/projects/group%2Fapp/jobs/{job}/artifacts");
            assert!(client.get(&target).await.bytes() == &damaged.bytes, "{name}");
        }
    }
    assert!(cut > 100, "only {cut} bodies were begun: the table holds nothing that shows late");
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_damaged_entry_is_named_by_push_verify_and_cat() {
    let (victims, healthy, archive) = victims();
    let scratch = Scratch::new();
    for damage in &DAMAGES {
        let mut built = archive.build_placed();
        let position = (damage.position)(&built, 0);
        built.bytes[position] ^= 1;
        let file = scratch.file("damaged.zip", &built.bytes);
        let victim = &victims[0].0;

        let pushed = Push::public().store_in(&scratch.data(), &file);
        assert_eq!(pushed.refused.len(), 1, "{}", damage.name);
        assert!(pushed.refused[0].to_string().contains(victim.as_str()), "{}", damage.name);

        let report = run([Path::new("verify"), &file, Path::new("--json")]).exits(1).json();
        assert_eq!(report["archive"], "accepted", "{}", damage.name);
        let entries = report["entries"].as_array().expect("entries");
        for entry in entries {
            let refused = entry["name"] == victim.as_str();
            let verdict = if refused { "refused" } else { "served" };
            assert_eq!(entry["verdict"], verdict, "{}: {entry}", damage.name);
            if refused {
                assert!(entry["rule"].as_str().is_some_and(|rule| !rule.is_empty()), "{entry}");
                assert!(entry["offset"].is_u64(), "{entry}");
            }
        }

        let cat = run([Path::new("cat"), &file, Path::new(victim)]).exits(5);
        assert!(cat.stderr.contains(victim.as_str()), "{}", cat.stderr);
        let cat = run([Path::new("cat"), &file, Path::new(&healthy[0].0)]).exits(0);
        assert!(cat.stdout == healthy[0].1, "{}", damage.name);
    }
}
