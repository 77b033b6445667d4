//! Writes a sidecar.

use super::page::{self, PAGE_LEN, items_per_page};
use super::{Binding, FACT_LEN, MAGIC, PAIR_LEN, REFUSAL_LEN, VERSION, choice, section, standing};
use crate::directory::{
    Directory, EMPTY_SLOT, HashKey, conflict, enough_of_alias, enough_of_name, for_each_alias,
    free_slot, slot_value, slots_for,
};
use crate::error::Refusal;
use crate::limits::Limit;
use crate::plan::Standing;
use crate::policy::Duplicates;

/// The sidecar of an archive: `standings` are those of its entries, in the directory's order, as
/// they are where entries of one name are treated as `duplicates` says.
///
/// # Panics
/// Where there is not one standing for each entry, or one is [`Standing::Unverified`].
#[must_use]
pub fn write(
    directory: &Directory,
    binding: &Binding,
    standings: &[Standing],
    duplicates: Duplicates,
) -> Vec<u8> {
    assert_eq!(standings.len(), directory.len());
    let key = HashKey::random();
    let mut names = Pairs::table(directory.len() as u64);
    let mut alias_hashes = Vec::new();
    let mut sorted = Vec::with_capacity(directory.len());
    for ((header, record_offset), ordinal) in directory.headers().zip(0u32..) {
        let enough = enough_of_name(record_offset, |offset| directory.header_at(offset));
        names.insert(key.hash(header.name), record_offset, ordinal, enough);
        for_each_alias(&header, |step, alias| {
            alias_hashes.push((key.hash(alias), record_offset, ordinal, step));
        });
        sorted.push((header.name, record_offset, ordinal));
    }
    let mut aliases = Pairs::table(alias_hashes.len() as u64);
    for (hash, record_offset, ordinal, step) in alias_hashes {
        let enough = enough_of_alias(record_offset, step, |offset| directory.header_at(offset));
        aliases.insert(hash, record_offset, ordinal, enough);
    }
    sorted.sort_unstable();
    let has_duplicates = sorted.windows(2).any(|pair| {
        let headers = || directory.header_at(pair[0].1).zip(directory.header_at(pair[1].1));
        pair[0].0 == pair[1].0 && headers().is_some_and(|(one, other)| conflict(&one, &other))
    });
    let choice = if has_duplicates { choice::of(duplicates) } else { choice::NONE };

    let mut refusals = Vec::new();
    let facts = standings.iter().flat_map(|standing| fact(standing, &mut refusals)).collect();
    let sections = [
        (section::NAMES, PAIR_LEN, names.into_bytes()),
        (section::ALIASES, PAIR_LEN, aliases.into_bytes()),
        (section::SORTED, PAIR_LEN, sorted.iter().flat_map(|&(_, at, n)| pair(at, n)).collect()),
        (section::FACTS, FACT_LEN, facts),
        (section::REFUSALS, REFUSAL_LEN, refusals),
    ];
    lay_out(directory, binding, key, choice, &sections)
}

fn lay_out(
    directory: &Directory,
    binding: &Binding,
    key: HashKey,
    choice: u64,
    sections: &[(u32, usize, Vec<u8>)],
) -> Vec<u8> {
    let extent = directory.extent();
    let mut header = Vec::new();
    header.extend_from_slice(&MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&(sections.len() as u32).to_le_bytes());
    header.extend_from_slice(&binding.sha256);
    for number in [
        binding.len,
        binding.modified_nanos.cast_unsigned(),
        key.to_u64(),
        extent.extent.start,
        extent.extent.end,
        extent.base_offset,
        extent.end_record_offset,
        directory.len() as u64,
        choice,
    ] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    let mut first_page = 1;
    for (id, item_len, bytes) in sections {
        let items = (bytes.len() / item_len) as u64;
        header.extend_from_slice(&id.to_le_bytes());
        header.extend_from_slice(&(*item_len as u32).to_le_bytes());
        header.extend_from_slice(&u64::to_le_bytes(first_page));
        header.extend_from_slice(&items.to_le_bytes());
        first_page += items.div_ceil(items_per_page(*item_len));
    }
    let mut out = Vec::with_capacity(first_page as usize * PAGE_LEN);
    page::append(&mut out, &header);
    for (_, item_len, bytes) in sections {
        for content in bytes.chunks(items_per_page(*item_len) as usize * item_len) {
            page::append(&mut out, content);
        }
    }
    out
}

fn pair(first: u32, second: u32) -> [u8; PAIR_LEN] {
    (u64::from(first) | u64::from(second) << 32).to_le_bytes()
}

/// An open-addressing table whose slots also say which entry it is.
struct Pairs(Vec<(u32, u32)>);

impl Pairs {
    fn table(keys: u64) -> Self {
        Self(vec![(EMPTY_SLOT, 0); slots_for(keys) as usize])
    }

    fn insert(
        &mut self,
        hash: u64,
        record_offset: u32,
        ordinal: u32,
        enough: impl FnMut(u32) -> bool,
    ) {
        let slots = &mut self.0;
        if let Some(at) = free_slot(slots.len(), hash, |at| slots[at].0, enough) {
            slots[at] = (slot_value(hash, record_offset), ordinal);
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        self.0.into_iter().flat_map(|(slot, ordinal)| pair(slot, ordinal)).collect()
    }
}

fn fact(entry: &Standing, refusals: &mut Vec<u8>) -> [u8; FACT_LEN] {
    let (place, standing, text, zstd) = match entry {
        Standing::Good { data_offset, is_text, fits_zstd_coding } => {
            (*data_offset, standing::GOOD, u8::from(*is_text), u8::from(*fits_zstd_coding))
        }
        Standing::Bad(refusal) => {
            let index = (refusals.len() / REFUSAL_LEN) as u64;
            refusals.extend_from_slice(&refusal_item(refusal));
            (index, standing::BAD, 0, 0)
        }
        Standing::Unverified => panic!("an archive is verified before its sidecar is written"),
    };
    let mut item = [0; FACT_LEN];
    item[..8].copy_from_slice(&place.to_le_bytes());
    item[8] = standing;
    item[9] = text;
    item[10] = zstd;
    item
}

fn refusal_item(refusal: &Refusal) -> [u8; REFUSAL_LEN] {
    let limit = refusal.limit.map_or(0, |limit: Limit| limit as u16);
    let mut item = [0; REFUSAL_LEN];
    item[..2].copy_from_slice(&refusal.rule.code().to_le_bytes());
    item[2..4].copy_from_slice(&refusal.record.code().to_le_bytes());
    item[4..6].copy_from_slice(&limit.to_le_bytes());
    item[8..16].copy_from_slice(&refusal.offset.to_le_bytes());
    item[16..24].copy_from_slice(&refusal.declared.to_le_bytes());
    item[24..].copy_from_slice(&refusal.actual.to_le_bytes());
    item
}
