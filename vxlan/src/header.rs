//! The eight octets between UDP and the frame.

use vswitch_packet::ethernet;

use crate::vni::Vni;

/// Octets of the header (RFC 7348 §5).
pub const HEADER_LEN: usize = 8;

/// The I flag: there is a VNI.
const FLAG_VNI: u8 = 0x08;

/// Why a datagram holds no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No room for a VXLAN and an Ethernet header.
    #[error("shorter than a VXLAN and an Ethernet header")]
    Short,
    /// The I flag is not set.
    #[error("without a VNI")]
    NoVni,
}

/// The header for a frame of segment `vni`. Flags but I, and reserved fields, are zero (RFC 7348 §5).
#[must_use]
pub const fn header(vni: Vni) -> [u8; HEADER_LEN] {
    let [_, a, b, c] = vni.get().to_be_bytes();
    [FLAG_VNI, 0, 0, 0, a, b, c, 0]
}

/// The segment of the frame that `datagram`, a UDP payload, holds behind [`HEADER_LEN`] octets.
/// Other flags and reserved fields are ignored (RFC 7348 §5).
///
/// # Errors
/// [`Malformed`], and the datagram is to be dropped.
#[inline]
pub fn decapsulate(datagram: &[u8]) -> Result<Vni, Malformed> {
    let header: &[u8; HEADER_LEN + ethernet::HEADER_LEN] =
        datagram.first_chunk().ok_or(Malformed::Short)?;
    let [flags, _, _, _, a, b, c, _, ..] = *header;
    if flags & FLAG_VNI == 0 {
        return Err(Malformed::NoVni);
    }
    Ok(Vni::from_octets([a, b, c]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The shortest that holds a frame.
    fn datagram(header: [u8; HEADER_LEN]) -> [u8; HEADER_LEN + ethernet::HEADER_LEN] {
        let mut octets = [0xa5; _];
        octets[..HEADER_LEN].copy_from_slice(&header);
        octets
    }

    #[test]
    fn is_as_drawn_in_rfc_7348() {
        let vni = Vni::new(0x12_3456).unwrap();
        assert_eq!(header(vni), [0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0]);
    }

    #[test]
    fn there_is_room_for_a_frame() {
        let datagram = datagram(header(Vni::FIRST));
        assert_eq!(decapsulate(&datagram), Ok(Vni::FIRST));
        for len in 0..datagram.len() {
            assert_eq!(decapsulate(&datagram[..len]), Err(Malformed::Short));
        }
    }

    proptest! {
        #[test]
        fn the_vni_comes_back(number in 0..=Vni::LAST.get()) {
            let vni = Vni::new(number).unwrap();
            prop_assert_eq!(decapsulate(&datagram(header(vni))), Ok(vni));
        }

        #[test]
        fn what_is_reserved_is_ignored(octets: [u8; HEADER_LEN]) {
            let mut valid = octets;
            valid[0] |= FLAG_VNI;
            let vni = Vni::from_octets([octets[4], octets[5], octets[6]]);
            prop_assert_eq!(decapsulate(&datagram(valid)), Ok(vni));
            let mut without = octets;
            without[0] &= !FLAG_VNI;
            prop_assert_eq!(decapsulate(&datagram(without)), Err(Malformed::NoVni));
        }
    }
}
