//! Changes an archive as an archive: its records, their order and what they say, and then mostly
//! puts lengths, CRC-32s and offsets right again, so that what was changed is what is met.

use entryway_testkit::record::{
    CentralDirectoryHeader, DATA_DESCRIPTOR, DataDescriptor, FLAG_DATA_DESCRIPTOR, Zip64Locator,
    Zip64Record,
};
use entryway_testkit::{extra, fixtures};

use crate::draw::Draw;
use crate::zip_model::{Listed, Member, Mend, Model, Zip64End, central_numbers, extra_fields};

/// Changes bytes as libFuzzer does: the buffer, how much of it is in use, and how much may be.
pub type Bytewise = fn(&mut [u8], usize, usize) -> usize;

/// Names that readers understand in more than one way.
const NAMES: [&[u8]; 24] = [
    b"a",
    b"a.txt",
    b"./a.txt",
    b"a.txt/",
    b"dir/",
    b"dir",
    b"dir/b",
    b"..",
    b"../a",
    b"a/../b",
    b"/a",
    b"//a",
    b"c:/a",
    b"a\\b",
    b"..\\a",
    b"a\0b",
    b"a\nb",
    b"\x7f",
    b"\xc3\xa9",
    b"\xe9",
    b".",
    b"",
    b"a//b",
    b"A.TXT",
];

/// Bits of the general purpose flags that mean something.
const FLAGS: [u16; 8] = [1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 6, 1 << 11, 1 << 13];

/// Methods: read, not read, and never given to one.
const METHODS: [u16; 12] = [0, 8, 9, 12, 14, 20, 93, 95, 98, 99, 1, 0xffff];

/// Header IDs that some reader knows.
const EXTRA_IDS: [u16; 8] = [0x0001, 0x5455, 0x7075, 0x6375, 0x000a, 0x9901, 0x7875, 0xcafe];

/// Makes another archive out of the first `len` bytes of `data`; gives its length, at most `max`.
pub fn mutate(data: &mut [u8], len: usize, max: usize, seed: u32, bytewise: Bytewise) -> usize {
    let mut draw = Draw::new(seed.into());
    let parsed = if draw.one_in(5) { None } else { Model::parse(&data[..len]) };
    let Some(mut model) = parsed else { return bytewise(data, len, max) };
    for _ in 0..draw.within(0, 3) {
        change(&mut model, &mut draw, bytewise);
    }
    if !draw.one_in(8) {
        let identity = !draw.one_in(3);
        model.mend(Mend { identity, sizes: !draw.one_in(6), places: !draw.one_in(10) });
    }
    for _ in 0..draw.within(0, 2) {
        lie(&mut model, &mut draw);
    }
    if draw.one_in(3) {
        model.mend(Mend { identity: false, sizes: false, places: true });
    }
    let changed = model.to_bytes();
    if changed.len() > max || changed.is_empty() {
        return bytewise(data, len, max);
    }
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}

/// Changes some bytes as libFuzzer does.
fn bytewise_in(bytes: &mut Vec<u8>, bytewise: Bytewise) {
    let len = bytes.len();
    bytes.resize(len + 64, 0);
    let changed_len = bytewise(bytes, len, len + 64);
    bytes.truncate(changed_len);
}

/// Changes what the archive is; what its records say of it is put right afterwards.
fn change(model: &mut Model, draw: &mut Draw, bytewise: Bytewise) {
    match draw.below(16) {
        0 => add_member(model, draw),
        1 => remove(&mut model.members, draw).map_or((), |index| unlink(model, index)),
        2 => drop(remove(&mut model.directory, draw)),
        3 if !model.directory.is_empty() => {
            // Listed twice, or at another place.
            let listed = draw.pick(&model.directory).clone();
            let at = draw.index(model.directory.len() + 1);
            model.directory.insert(at, listed);
        }
        4 if model.directory.len() > 1 => {
            let (a, b) = (draw.index(model.directory.len()), draw.index(model.directory.len()));
            model.directory.swap(a, b);
        }
        5 if model.members.len() > 1 => {
            let (a, b) = (draw.index(model.members.len()), draw.index(model.members.len()));
            model.members.swap(a, b);
            for listed in &mut model.directory {
                listed.member = listed.member.map(|index| match index {
                    index if index == a => b,
                    index if index == b => a,
                    index => index,
                });
            }
        }
        6 | 7 => rename(model, draw, bytewise),
        8 => change_data(model, draw, bytewise),
        9 => change_descriptor(model, draw),
        10 => change_extra(model, draw, bytewise),
        11 => change_gap(model, draw, bytewise),
        12 => change_zip64_end(model, draw),
        13 => saturate(model, draw),
        14 => {
            let comment = &mut model.end.comment;
            if comment.is_empty() {
                comment.extend_from_slice(b"a comment");
            }
            bytewise_in(comment, bytewise);
            comment.truncate(1 << 10);
        }
        _ => change_kind(model, draw),
    }
}

fn remove<T>(of: &mut Vec<T>, draw: &mut Draw) -> Option<usize> {
    let index = draw.index(of.len());
    (index < of.len()).then(|| {
        of.remove(index);
        index
    })
}

/// What pointed at a member that is gone points at nothing, what is behind it one further on.
fn unlink(model: &mut Model, gone: usize) {
    for listed in &mut model.directory {
        listed.member = match listed.member {
            Some(index) if index == gone => None,
            Some(index) if index > gone => Some(index - 1),
            other => other,
        };
    }
}

fn add_member(model: &mut Model, draw: &mut Draw) {
    let content = fixtures::text(draw.below(300) as usize, draw.number());
    let is_deflated = draw.one_in(2);
    let mut member = Member {
        gap: Vec::new(),
        local: Default::default(),
        data: if is_deflated { fixtures::deflate(6, &content) } else { content },
        descriptor: None,
    };
    let name = draw.pick(&NAMES).to_vec();
    member.local.name.clone_from(&name);
    let method = if is_deflated { 8 } else { 0 };
    let header = CentralDirectoryHeader { name, method, ..CentralDirectoryHeader::default() };
    let index = model.members.len();
    model.members.push(member);
    model.directory.push(Listed { header, member: Some(index) });
}

fn rename(model: &mut Model, draw: &mut Draw, bytewise: Bytewise) {
    if model.directory.is_empty() {
        return;
    }
    let other = draw.pick(&model.directory).header.name.clone();
    let index = draw.index(model.directory.len());
    let listed = &mut model.directory[index];
    let mut name = listed.header.name.clone();
    match draw.below(6) {
        0 => name = other,
        1 => name.push(b'/'),
        2 => name.splice(0..0, *b"./").for_each(drop),
        3 => bytewise_in(&mut name, bytewise),
        4 => name.make_ascii_uppercase(),
        _ => name = draw.pick(&NAMES).to_vec(),
    }
    name.truncate(1 << 10);
    if draw.one_in(3) {
        listed.header.flags ^= 1 << 11;
    }
    listed.header.name = name;
}

fn change_data(model: &mut Model, draw: &mut Draw, bytewise: Bytewise) {
    let index = draw.index(model.directory.len());
    let Some(listed) = model.directory.get_mut(index) else { return };
    let Some(member) = listed.member.and_then(|index| model.members.get_mut(index)) else { return };
    let content = member.content(listed.header.method);
    match (draw.below(6), content) {
        (0, Some(content)) => {
            listed.header.method = 8;
            member.data = fixtures::deflate(draw.below(10) as u32, &content);
        }
        (1, Some(content)) => {
            listed.header.method = 0;
            member.data = content;
        }
        (2, Some(mut content)) => {
            bytewise_in(&mut content, bytewise);
            let is_deflated = listed.header.method == 8;
            member.data = if is_deflated { fixtures::deflate(6, &content) } else { content };
        }
        (3, _) => member.data.truncate(draw.index(member.data.len() + 1)),
        (4, _) => member.data.extend_from_slice(&draw.number().to_le_bytes()),
        _ => bytewise_in(&mut member.data, bytewise),
    }
}

fn change_descriptor(model: &mut Model, draw: &mut Draw) {
    let index = draw.index(model.members.len());
    let Some(member) = model.members.get_mut(index) else { return };
    member.descriptor = match draw.below(5) {
        0 => None,
        form => Some(DataDescriptor {
            signature: (form & 1 == 0).then_some(DATA_DESCRIPTOR),
            wide: form > 2,
            ..DataDescriptor::default()
        }),
    };
    member.local.flags &= !FLAG_DATA_DESCRIPTOR;
    member.local.flags |= FLAG_DATA_DESCRIPTOR * u16::from(member.descriptor.is_some());
}

/// The extra field area of one header.
fn some_extra<'m>(model: &'m mut Model, draw: &mut Draw) -> Option<(&'m mut Vec<u8>, Vec<u8>)> {
    if draw.one_in(2) {
        let index = draw.index(model.members.len());
        let local = &mut model.members.get_mut(index)?.local;
        Some((&mut local.extra, local.name.clone()))
    } else {
        let index = draw.index(model.directory.len());
        let header = &mut model.directory.get_mut(index)?.header;
        Some((&mut header.extra, header.name.clone()))
    }
}

fn change_extra(model: &mut Model, draw: &mut Draw, bytewise: Bytewise) {
    let Some((area, name)) = some_extra(model, draw) else { return };
    match draw.below(7) {
        0 => area.clear(),
        1 => area.truncate(draw.index(area.len() + 1)),
        2 => area.extend_from_slice(&[0; 3][..draw.within(1, 3) as usize]),
        3 => {
            let (fields, _) = extra_fields(area);
            if !fields.is_empty() {
                let (id, data) = draw.pick(&fields);
                area.extend_from_slice(&extra::field(*id, data));
            }
        }
        4 => area.extend_from_slice(&extra::unicode_path(
            &name,
            draw.pick::<&str>(&["a.txt", "\u{e9}"]),
        )),
        5 => bytewise_in(area, bytewise),
        _ => {
            let data = draw.number().to_le_bytes().repeat(4);
            let len = draw.index(data.len() + 1);
            area.extend_from_slice(&extra::field(*draw.pick(&EXTRA_IDS), &data[..len]));
        }
    }
    area.truncate(1 << 12);
}

fn change_gap(model: &mut Model, draw: &mut Draw, bytewise: Bytewise) {
    let nested = if draw.one_in(4) { Some(model.to_bytes()) } else { None };
    let index = draw.index(model.members.len());
    let gap = match draw.below(7) {
        0 => &mut model.before_directory,
        1 => &mut model.directory_tail,
        2 => &mut model.after_directory,
        3 => &mut model.trailing,
        4 => match &mut model.zip64 {
            Some(zip64) => &mut zip64.gap,
            None => &mut model.before_directory,
        },
        5 => match model.members.first_mut() {
            Some(first) => {
                // A prefix, which offsets count or not.
                let grown = draw.below(40);
                first.gap.extend(std::iter::repeat_n(b'#', grown as usize));
                if draw.one_in(2) {
                    model.base += grown;
                }
                return;
            }
            None => &mut model.before_directory,
        },
        _ => match model.members.get_mut(index) {
            Some(member) => &mut member.gap,
            None => &mut model.before_directory,
        },
    };
    match (draw.below(5), nested) {
        (_, Some(nested)) if nested.len() < 1 << 12 => gap.extend_from_slice(&nested),
        (0, _) => gap.clear(),
        (1, _) => {
            let signature =
                draw.pick(&[b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x05", b"PK\x05\x06"]);
            gap.extend_from_slice(*signature);
            gap.extend(std::iter::repeat_n(0, draw.below(30) as usize));
        }
        (2, _) => gap.extend(std::iter::repeat_n(0, draw.below(20) as usize)),
        _ => bytewise_in(gap, bytewise),
    }
}

fn change_zip64_end(model: &mut Model, draw: &mut Draw) {
    match &mut model.zip64 {
        Some(_) if draw.one_in(4) => model.zip64 = None,
        Some(zip64) if draw.one_in(4) => zip64.record.extensible.extend_from_slice(b"more"),
        Some(_) => {
            let end = &mut model.end;
            let is_saturated = end.directory_offset == u32::MAX;
            end.directory_offset = if is_saturated { 0 } else { u32::MAX };
        }
        None => {
            let (record, locator) = (Zip64Record::default(), Zip64Locator::default());
            model.zip64 = Some(Zip64End { record, gap: Vec::new(), locator });
            if draw.one_in(2) {
                model.end.directory_offset = u32::MAX;
            }
        }
    }
}

/// Lets fields of one header stand in a zip64 extra field.
fn saturate(model: &mut Model, draw: &mut Draw) {
    let which = draw.within(1, 7);
    let values = |count: usize| extra::zip64(&vec![0; count]);
    if draw.one_in(2) {
        let index = draw.index(model.members.len());
        let Some(member) = model.members.get_mut(index) else { return };
        member.local.uncompressed_size = u32::MAX;
        member.local.compressed_size = u32::MAX;
        member.local.extra.splice(0..0, values(2)).for_each(drop);
    } else {
        let index = draw.index(model.directory.len());
        let Some(listed) = model.directory.get_mut(index) else { return };
        let header = &mut listed.header;
        let fields = [
            &mut header.uncompressed_size,
            &mut header.compressed_size,
            &mut header.local_header_offset,
        ];
        for (bit, field) in fields.into_iter().enumerate() {
            if which >> bit & 1 == 1 {
                *field = u32::MAX;
            }
        }
        let count = which.count_ones() as usize;
        header.extra.splice(0..0, values(count)).for_each(drop);
    }
}

fn change_kind(model: &mut Model, draw: &mut Draw) {
    let index = draw.index(model.directory.len());
    let Some(listed) = model.directory.get_mut(index) else { return };
    let header = &mut listed.header;
    match draw.below(5) {
        0 => header.method = *draw.pick(&METHODS),
        1 => header.flags ^= draw.pick(&FLAGS),
        2 => header.version_made_by = *draw.pick(&[20, 3 << 8 | 20, 19 << 8, 10 << 8 | 63]),
        3 => {
            header.version_made_by = 3 << 8 | 20;
            header.external_attributes = (draw.below(16) as u32) << 28 | 0o644 << 16;
        }
        _ => header.version_needed = *draw.pick(&[10, 20, 45, 63, 64, 99, 0xff14]),
    }
}

/// A number that means something to somebody, or one next to what there is.
fn number(old: u64, draw: &mut Draw) -> u64 {
    match draw.below(8) {
        0 => 0,
        1 => 1,
        2 => u64::from(u32::MAX),
        3 => u64::from(u16::MAX),
        4 => u64::MAX,
        5 => old ^ 1 << draw.below(33),
        6 => draw.below(300),
        _ => old.wrapping_add(draw.below(9)).wrapping_sub(4),
    }
}

/// Lets one record say something that is not so.
fn lie(model: &mut Model, draw: &mut Draw) {
    match draw.below(8) {
        0..3 => lie_in_directory(model, draw),
        3..5 => lie_in_local(model, draw),
        5 => {
            let index = draw.index(model.members.len());
            let descriptor =
                model.members.get_mut(index).and_then(|member| member.descriptor.as_mut());
            let Some(descriptor) = descriptor else { return };
            match draw.below(3) {
                0 => descriptor.crc32 = number(descriptor.crc32.into(), draw) as u32,
                1 => descriptor.compressed_size = number(descriptor.compressed_size, draw),
                _ => descriptor.uncompressed_size = number(descriptor.uncompressed_size, draw),
            }
        }
        6 => {
            let end = &mut model.end;
            match draw.below(6) {
                0 => end.disk = number(end.disk.into(), draw) as u16,
                1 => end.directory_disk = number(end.directory_disk.into(), draw) as u16,
                2 => end.entries_on_disk = number(end.entries_on_disk.into(), draw) as u16,
                3 => end.entries_total = number(end.entries_total.into(), draw) as u16,
                4 => end.directory_size = number(end.directory_size.into(), draw) as u32,
                _ => end.directory_offset = number(end.directory_offset.into(), draw) as u32,
            }
        }
        _ => {
            let Some(Zip64End { record, locator, .. }) = &mut model.zip64 else { return };
            match draw.below(6) {
                0 => record.disk = number(record.disk.into(), draw) as u32,
                1 => record.entries_on_disk = number(record.entries_on_disk, draw),
                2 => record.entries_total = number(record.entries_total, draw),
                3 => record.directory_size = number(record.directory_size, draw),
                4 => record.directory_offset = number(record.directory_offset, draw),
                _ => locator.record_offset = number(locator.record_offset, draw),
            }
        }
    }
}

fn lie_in_directory(model: &mut Model, draw: &mut Draw) {
    if model.directory.is_empty() {
        return;
    }
    let others = central_numbers(&draw.pick(&model.directory).header);
    let index = draw.index(model.directory.len());
    let header = &mut model.directory[index].header;
    match draw.below(8) {
        0 => header.crc32 = number(header.crc32.into(), draw) as u32,
        1 => header.compressed_size = number(header.compressed_size.into(), draw) as u32,
        2 => header.uncompressed_size = number(header.uncompressed_size.into(), draw) as u32,
        3 => header.local_header_offset = number(header.local_header_offset.into(), draw) as u32,
        // Another one's header.
        4 => header.local_header_offset = others[2] as u32,
        5 => header.disk_start = number(header.disk_start.into(), draw) as u16,
        6 => header.flags ^= draw.pick(&FLAGS),
        _ => header.name = draw.pick(&NAMES).to_vec(),
    }
}

fn lie_in_local(model: &mut Model, draw: &mut Draw) {
    let index = draw.index(model.members.len());
    let Some(member) = model.members.get_mut(index) else { return };
    let local = &mut member.local;
    match draw.below(8) {
        0 => local.crc32 = number(local.crc32.into(), draw) as u32,
        1 => local.compressed_size = number(local.compressed_size.into(), draw) as u32,
        2 => local.uncompressed_size = number(local.uncompressed_size.into(), draw) as u32,
        3 => local.method = *draw.pick(&METHODS),
        4 => local.flags ^= draw.pick(&FLAGS),
        5 => local.name = draw.pick(&NAMES).to_vec(),
        6 => local.declared_extra_len = Some(number(local.extra.len() as u64, draw) as u16),
        _ => local.declared_name_len = Some(number(local.name.len() as u64, draw) as u16),
    }
}
