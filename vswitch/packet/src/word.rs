//! The big-endian 16-bit word, the unit in which headers keep lengths, ports and checksums.
//!
//! Positions come from a parse of the same octets; a position outside reads as zero and is not
//! written, so that a mistake garbles one frame instead of ending the process.

pub(crate) fn read(bytes: &[u8], at: usize) -> u16 {
    let word = bytes.get(at..).and_then(<[u8]>::first_chunk);
    u16::from_be_bytes(*word.unwrap_or(&[0; 2]))
}

pub(crate) fn write(bytes: &mut [u8], at: usize, word: u16) {
    if let Some(stored) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *stored = word.to_be_bytes();
    }
}
