//! The frames that are sent, and what they say of themselves.

use std::net::Ipv4Addr;

use anyhow::Result;
use etherparse::PacketBuilder;
use socket2::SockFilter;
use vswitch_packet::MacAddr;

/// Octets of all headers; behind them is the [`Stamp`].
pub(super) const HEADERS: usize = 14 + 20 + 8;
/// The shortest frame of Ethernet, without its check sequence: headers and stamp just fit.
pub(super) const SHORTEST: usize = HEADERS + STAMP;

/// Where the addresses and ports are.
pub(super) const DESTINATION: usize = 0;
pub(super) const SOURCE: usize = 6;
pub(super) const SOURCE_PORT: usize = 14 + 20;
const TOTAL_LENGTH: usize = 14 + 2;
const UDP_CHECKSUM: usize = SOURCE_PORT + 6;

const STAMP: usize = 18;
/// The first octets of each stamp.
const MAGIC: u16 = 0x2544;

/// Ports of the frames of a single flow: those of the echo service (RFC 2544 appendix C.2.6.4) may be
/// what a switch treats in its own way, these are nobody's.
pub(super) const PORTS: [u16; 2] = [20_000, 30_000];

/// What all frames from one port to another have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// The sender's own addresses: a switch may refuse others.
    pub(super) source: (MacAddr, Ipv4Addr),
    /// A station's address, or everybody's.
    pub(super) destination: MacAddr,
    /// The receiver's number, as in [`Stamp::to`].
    pub(super) to: u8,
}

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The trial it belongs to.
    pub(super) trial: u16,
    /// The stream of the trial.
    pub(super) stream: u8,
    /// The port it is for; [`Stamp::EVERYBODY`] for all.
    pub(super) to: u8,
    /// Its number in the stream, from 0.
    pub(super) sequence: u32,
    /// When it was sent, in nanoseconds of `CLOCK_REALTIME`, which the kernel stamps arrivals with.
    pub(super) sent: u64,
}

impl Route {
    /// A frame of this length, without stamp.
    ///
    /// The destination is of the addresses for such tests (RFC 2544 appendix C.2.2), and no address of the
    /// receiver's: its kernel forwards nothing, so it drops the frame without a word.
    ///
    /// # Errors
    /// If it is too short.
    pub(super) fn frame(&self, length: usize) -> Result<Vec<u8>> {
        anyhow::ensure!(length >= SHORTEST, "a frame of {length} octets has no room");
        let (source, address) = self.source;
        let target = Ipv4Addr::new(198, 18, 0, self.to);
        let [from, to] = PORTS;
        let packet = PacketBuilder::ethernet2(source.0, self.destination.0)
            .ipv4(address.octets(), target.octets(), 64)
            .udp(from, to);
        let mut frame = Vec::with_capacity(length);
        packet.write(&mut frame, &vec![0; length - HEADERS])?;
        frame[UDP_CHECKSUM..][..2].fill(0);
        Ok(frame)
    }
}

/// Makes a packet say that it is longer than the frame that it is in.
pub(super) fn cut(frame: &mut [u8]) {
    let short = u16::from_be_bytes([frame[TOTAL_LENGTH], frame[TOTAL_LENGTH + 1]]);
    // The header's checksum stays right: what is added here is taken from the identification (RFC 1624).
    let identification = TOTAL_LENGTH + 2;
    let [length, identity] = [short + MISSING, u16::MAX - MISSING];
    frame[TOTAL_LENGTH..][..2].copy_from_slice(&length.to_be_bytes());
    frame[identification..][..2].copy_from_slice(&identity.to_be_bytes());
}

/// Octets that a cut packet lacks.
const MISSING: u16 = 1000;

impl Stamp {
    /// In the place of a port's number.
    pub(super) const EVERYBODY: u8 = u8::MAX;

    /// Writes it into a frame, which is [`SHORTEST`] or longer.
    pub(super) fn write(&self, frame: &mut [u8]) {
        let mut octets = [0; STAMP];
        octets[..2].copy_from_slice(&MAGIC.to_be_bytes());
        octets[2..4].copy_from_slice(&self.trial.to_be_bytes());
        octets[4..6].copy_from_slice(&[self.stream, self.to]);
        octets[6..10].copy_from_slice(&self.sequence.to_be_bytes());
        octets[10..].copy_from_slice(&self.sent.to_be_bytes());
        frame[HEADERS..SHORTEST].copy_from_slice(&octets);
    }

    /// Reads it from the first octets of a frame; none if it is not one of ours.
    pub(super) fn read(frame: &[u8]) -> Option<Self> {
        let octets: &[u8; STAMP] = frame.get(HEADERS..)?.first_chunk()?;
        let [m0, m1, t0, t1, stream, to, s0, s1, s2, s3, sent @ ..] = *octets;
        (u16::from_be_bytes([m0, m1]) == MAGIC).then_some(Self {
            trial: u16::from_be_bytes([t0, t1]),
            stream,
            to,
            sequence: u32::from_be_bytes([s0, s1, s2, s3]),
            sent: u64::from_be_bytes(sent),
        })
    }
}

/// A classic BPF program that lets in frames with a stamp, and nothing else.
pub(super) fn filter() -> [SockFilter; 6] {
    const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
    const JUMP_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    const ETHERTYPE: u32 = 12;
    [
        SockFilter::new(LOAD_HALF, 0, 0, ETHERTYPE),
        SockFilter::new(JUMP_EQUAL, 0, 3, 0x0800),
        SockFilter::new(LOAD_HALF, 0, 0, HEADERS as u32),
        SockFilter::new(JUMP_EQUAL, 0, 1, MAGIC as u32),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::{NetSlice, SlicedPacket};

    const ROUTE: Route = Route {
        source: (MacAddr([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(10, 99, 0, 2)),
        destination: MacAddr([2, 0, 0, 0, 0, 2]),
        to: 3,
    };

    fn header(frame: &[u8]) -> etherparse::Ipv4Header {
        let packet = SlicedPacket::from_ethernet(frame);
        let Ok(Some(NetSlice::Ipv4(ip))) = packet.map(|packet| packet.net) else {
            panic!("not IPv4: {frame:02x?}");
        };
        ip.header().to_header()
    }

    #[test]
    fn frames_are_datagrams_of_their_length() {
        for length in [60, 508, 1514] {
            let frame = ROUTE.frame(length).unwrap();
            assert_eq!(frame.len(), length);
            assert_eq!(frame[DESTINATION..][..6], ROUTE.destination.0);
            assert_eq!(frame[SOURCE..][..6], ROUTE.source.0.0);
            let ip = header(&frame);
            assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            assert_eq!(ip.destination, [198, 18, 0, 3]);
            assert_eq!(usize::from(ip.total_len), length - 14);
        }
        assert!(ROUTE.frame(59).is_err());
    }

    #[test]
    fn a_cut_packet_has_a_right_checksum_and_a_wrong_length() {
        let mut frame = ROUTE.frame(60).unwrap();
        cut(&mut frame);
        let sum: u32 = frame[14..34]
            .chunks(2)
            .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
            .sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        assert!(SlicedPacket::from_ethernet(&frame).is_err());
    }

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let mut frame = ROUTE.frame(60).unwrap();
        assert_eq!(Stamp::read(&frame), None);
        let stamp = Stamp {
            trial: 7,
            stream: 2,
            to: 3,
            sequence: 0x0102_0304,
            sent: 1 << 60,
        };
        stamp.write(&mut frame);
        assert_eq!(Stamp::read(&frame), Some(stamp));
        assert_eq!(Stamp::read(&frame[..59]), None);
    }
}
