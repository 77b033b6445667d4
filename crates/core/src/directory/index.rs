//! The name index: an open-addressing table of record offsets; it copies no name.

use super::hash::HASH_BITS;

/// Bits of a slot that hold a record offset; the rest holds bits of the hash.
pub(crate) const OFFSET_BITS: u32 = 28;
const OFFSET_MASK: u32 = (1 << OFFSET_BITS) - 1;
/// Slots that an insertion passes before it looks at the names in them.
///
/// Among different names hardly a probe is that long. Among equal ones, which an archive may have
/// by the million, each would be longer than the last, and the time to open it grow with their
/// square.
pub(super) const LONG_PROBE: usize = 64;
/// A slot that holds nothing. No record starts at the offset it would name: records take 46 bytes.
pub(crate) const EMPTY: u32 = u32::MAX;

/// Slots of a sidecar's table for `keys` keys: a third more than keys, since each takes room on a
/// disk, and none for none.
pub(crate) fn slots_for(keys: u64) -> u64 {
    if keys == 0 { 0 } else { keys + keys / 3 + 1 }
}

/// The slot at which the probe for a hash starts.
#[inline]
pub(crate) fn first_slot(hash: u64, slots: u64) -> u64 {
    // hash / 2^61 is uniform in [0, 1): the product's upper part is uniform over the slots.
    ((u128::from(hash) * u128::from(slots)) >> HASH_BITS) as u64
}

/// What a slot holds for a record with this hash.
#[inline]
pub(crate) fn slot_value(hash: u64, record_offset: u32) -> u32 {
    (hash as u32) << OFFSET_BITS | record_offset
}

/// Whether a slot's hash bits are those of `hash`.
#[inline]
pub(crate) fn may_match(slot: u32, hash: u64) -> bool {
    slot >> OFFSET_BITS == hash as u32 & (u32::MAX >> OFFSET_BITS)
}

/// The record offset in a slot that is not empty.
#[inline]
pub(crate) fn record_offset(slot: u32) -> u32 {
    slot & OFFSET_MASK
}

/// The slot in which a record with this hash goes: the first empty one from its own on.
///
/// `slot_at` gives what a slot holds; the table is not full. On a long probe, `enough` is asked of
/// each record that may have the same name, and `None` is the answer where it says that there are
/// enough of them.
#[inline]
pub(crate) fn free_slot(
    slots: usize,
    hash: u64,
    slot_at: impl Fn(usize) -> u32,
    mut enough: impl FnMut(u32) -> bool,
) -> Option<usize> {
    let mut at = first_slot(hash, slots as u64) as usize;
    let mut passed = 0;
    loop {
        let slot = slot_at(at);
        if slot == EMPTY {
            return Some(at);
        }
        if passed >= LONG_PROBE && may_match(slot, hash) && enough(record_offset(slot)) {
            return None;
        }
        passed += 1;
        at = if at + 1 == slots { 0 } else { at + 1 };
    }
}

/// A table of record offsets, found by the hash of a name.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// What the slots hold, with all bits turned: an empty slot is zero then, and memory that comes
    /// as zeros need not be written to, nor be there at all, before something is put into it.
    slots: Box<[u32]>,
}

impl Table {
    /// Bytes on the heap of a table with room for `keys` keys.
    ///
    /// Twice as many slots as keys: a probe passes half a slot on its way to a key that is there,
    /// and one and a half to see that it is not, which nearly always is one cache line. With a third
    /// more than keys it passed one and a half, and seven and a half.
    pub(crate) fn heap_len_for(keys: u64) -> u64 {
        2 * keys * size_of::<u32>() as u64
    }

    /// A table with room for `keys` keys.
    pub(crate) fn with_room_for(keys: u64) -> Self {
        Self { slots: vec![!EMPTY; 2 * keys as usize].into_boxed_slice() }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_len(&self) -> u64 {
        size_of_val(&*self.slots) as u64
    }

    /// Puts a record in, unless there are enough of its name; see [`free_slot`].
    ///
    /// Records of one name are found again in the order in which they came.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        record_offset: u32,
        enough: impl FnMut(u32) -> bool,
    ) {
        let slots = &mut self.slots;
        if let Some(at) = free_slot(slots.len(), hash, |at| !slots[at], enough) {
            slots[at] = !slot_value(hash, record_offset);
        }
    }

    /// The records that may have the name with this hash; most others are left out.
    #[inline]
    pub(crate) fn probe(&self, hash: u64) -> impl Iterator<Item = u32> {
        let slots = &*self.slots;
        let mut at = first_slot(hash, slots.len() as u64) as usize;
        // A table is never full, so an empty slot ends the probe; an empty table has no slot.
        std::iter::from_fn(move || {
            loop {
                let slot = !*slots.get(at)?;
                if slot == EMPTY {
                    return None;
                }
                at = if at + 1 == slots.len() { 0 } else { at + 1 };
                if may_match(slot, hash) {
                    return Some(record_offset(slot));
                }
            }
        })
    }
}

const _: () = assert!(!EMPTY == 0);

#[cfg(test)]
mod tests {
    use super::*;

    /// The greatest hash.
    const LAST: u64 = (1 << HASH_BITS) - 1;

    #[test]
    fn a_hash_has_its_slot_by_its_upper_bits() {
        let table = [(0, 10, 0), (1 << 60, 10, 5), (LAST, 10, 9), (LAST / 4, 8, 1), (LAST, 1, 0)];
        for (hash, slots, expected) in table {
            assert_eq!(first_slot(hash, slots), expected, "{hash} of {slots}");
        }
        for (keys, slots) in [(0, 0), (1, 2), (2, 3), (3, 5), (300, 401)] {
            assert_eq!(slots_for(keys), slots, "{keys}");
        }
    }

    #[test]
    fn a_slot_holds_an_offset_and_the_low_bits_of_a_hash() {
        for offset in [0, 1, 0x0123_4567, OFFSET_MASK - 1] {
            for hash in [0, 1, 0xf, 0x1234_5678_9abc_def0, LAST] {
                let slot = slot_value(hash, offset);
                assert_eq!(record_offset(slot), offset);
                assert_ne!(slot, EMPTY);
                for other in [hash ^ 1, hash ^ 8, hash ^ 0xf] {
                    assert!(!may_match(slot, other), "{hash:x}, {other:x}");
                }
                // The next bits are no part of it.
                assert!(may_match(slot, hash) && may_match(slot, hash ^ 0x10), "{hash:x}");
            }
        }
    }

    #[test]
    fn records_of_one_hash_are_found_in_their_order_round_the_end_too() {
        for hash in [0, LAST / 2, LAST] {
            let mut table = Table::with_room_for(3);
            assert_eq!(table.heap_len(), Table::heap_len_for(3));
            assert_eq!(table.probe(hash).count(), 0);
            for offset in [46, 92, 0] {
                table.insert(hash, offset, |_| true);
            }
            assert_eq!(table.probe(hash).collect::<Vec<_>>(), [46, 92, 0], "{hash:x}");
            assert_eq!(table.probe(hash ^ 1).count(), 0, "{hash:x}");
        }
        assert_eq!(Table::with_room_for(0).probe(7).count(), 0);
    }

    #[test]
    fn a_long_probe_asks_whether_there_are_enough() {
        let mut table = Table::with_room_for(2 * LONG_PROBE as u64);
        let mut insert = |hash, offset| {
            let mut asked = Vec::new();
            table.insert(hash, offset, |other| {
                asked.push(other);
                asked.len() == 3
            });
            asked
        };
        for offset in 0..LONG_PROBE as u32 {
            assert_eq!(insert(LAST, offset), [0; 0], "no probe is long so far");
        }
        let first = LONG_PROBE as u32;
        assert_eq!(insert(LAST, first), [0; 0], "the slot behind 64 others is empty");
        assert_eq!(insert(LAST, first + 1), [first]);
        // Of another hash with the same slot nothing is asked.
        assert_eq!(insert(LAST - 1, first + 2), [0; 0]);
        assert_eq!(insert(LAST, first + 3), [first, first + 1]);
        assert_eq!(insert(LAST, first + 4), [first, first + 1, first + 3], "not put in");
        assert_eq!(insert(LAST, first + 5), [first, first + 1, first + 3]);
        assert_eq!(table.probe(LAST).count(), LONG_PROBE + 3);
    }
}
