//! Which processor each container sent from last: the program that steers a TAP's frames runs where they are sent, and
//! notes it in memory that this process reads.

use std::sync::atomic::Ordering;

use super::steering::{SPREAD, homes};
use crate::bpf::assembler::Register::{R0, R1, R2, R7, R8, R10};
use crate::bpf::assembler::{Alu, Assembler, Condition, Helper, Width};
use crate::bpf::{BpfError, Map};

/// A place for each container, by a hash of its MAC address: two with the same take turns in it, and mislead.
const PLACES: u32 = 1 << BITS;
const BITS: i32 = 12;

/// The processor that the owner of a MAC address, the one interface behind its TAP, sent from last. `None` before it
/// sent anything, and where the kernel took no program that notes it. A load; a hint, as it may be of another moment,
/// or of somebody else.
#[must_use]
pub fn sent_from(mac: [u8; 6]) -> Option<usize> {
    let [_, _, rest @ ..] = mac;
    let place = u32::from_ne_bytes(rest).wrapping_mul(SPREAD.cast_unsigned()) >> (32 - BITS);
    let word = homes()?.get(place as usize)?.load(Ordering::Relaxed);
    usize::try_from(word).ok()?.checked_sub(1)
}

/// The places, all empty.
pub(super) fn map() -> Result<Map, BpfError> {
    Map::words(PLACES)
}

/// Notes the processor in the place of the sender, of whose MAC address the last four octets are on the stack at `mac`.
/// Changes R0 to R8, and the stack at `key`. The place is written only if it changes, so that those who read it find it
/// in their cache.
pub(super) fn note(asm: &mut Assembler, homes: &Map, mac: i16, key: i16) {
    let known = asm.label();
    asm.load(Width::Word, R7, R10, mac);
    asm.alu(Alu::Mul, R7, SPREAD);
    asm.alu(Alu::ShiftRight, R7, 32 - BITS);
    // The registers have 64 bits.
    asm.alu(Alu::And, R7, PLACES.cast_signed() - 1);
    asm.store(Width::Word, R10, key, R7);
    asm.load_map(R1, homes);
    asm.stack_address(R2, key);
    asm.call(Helper::MapLookup);
    asm.jump_if(R0, Condition::Equal, 0, known);
    asm.mov(R7, R0);
    asm.call(Helper::Processor);
    asm.alu(Alu::Add, R0, 1);
    asm.load(Width::Double, R8, R7, 0);
    asm.jump_if(R8, Condition::Equal, R0, known);
    asm.store(Width::Double, R7, 0, R0);
    asm.bind(known);
}
