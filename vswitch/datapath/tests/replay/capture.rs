//! The captures of `tests/captures`, which real programs made (`record` tells how).

use core::time::Duration;

use pcap_file::pcap::PcapReader;

use crate::tap_frame::TapFrame;

/// The frames of a capture, with the time since the first.
pub(crate) fn read(octets: &'static [u8]) -> Vec<(Duration, TapFrame)> {
    assert!(
        octets.len() < 20_000,
        "a capture of {} octets",
        octets.len()
    );
    let mut reader = PcapReader::new(octets).unwrap();
    let mut frames = vec![];
    let mut first = None;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        assert_eq!(
            packet.data.len(),
            packet.orig_len as usize,
            "cut off when it was recorded"
        );
        let since = packet.timestamp - *first.get_or_insert(packet.timestamp);
        frames.push((since, TapFrame::plain(packet.data)));
    }
    frames
}

/// A capture by its name.
macro_rules! capture {
    ($name:literal) => {
        $crate::capture::read(include_bytes!(concat!("../captures/", $name, ".pcap")))
    };
}
pub(crate) use capture;
