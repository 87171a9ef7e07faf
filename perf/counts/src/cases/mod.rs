//! What is counted: bursts of [`FRAMES`] frames, or as many datagrams or segments.

#![allow(clippy::unwrap_used, reason = "what does not work must not be counted")]

mod bridge;
mod lan;
mod nat;
mod overlay;
mod packet;
mod route;

/// Frames in a burst, of which there is one before that which is counted.
pub(crate) const FRAMES: usize = 64;

/// All of them, in the order in which they run.
pub(crate) const CASES: &[Case] = &[
    case("parse", "udp4", packet::parse_udp4),
    case("parse", "tcp4", packet::parse_tcp4),
    case("parse", "udp6", packet::parse_udp6),
    case("parse", "tcp6", packet::parse_tcp6),
    case("parse", "super-frame", packet::parse_super_frame),
    case("parse", "vnet-header", packet::vnet_header),
    case("checksum", "20", packet::checksum_of_20),
    case("checksum", "1448", packet::checksum_of_1448),
    case("coalesce", "udp4", packet::coalesce_udp4),
    case("coalesce", "udp6", packet::coalesce_udp6),
    case("segment", "tcp4", packet::segment_tcp4),
    case("segment", "udp6", packet::segment_udp6),
    case("bridge", "fdb", bridge::fdb),
    case("bridge", "decision", bridge::decision),
    case("bridge", "known-unicast", bridge::known_unicast),
    case("bridge", "flood", bridge::flood),
    case("bridge", "train", bridge::train),
    case("bridge", "super-frame", bridge::super_frame),
    case("bridge", "segmented", bridge::segmented),
    case("nat", "out-tcp4", nat::out_v4),
    case("nat", "out-tcp6", nat::out_v6),
    case("nat", "in-tcp4", nat::in_v4),
    case("nat", "in-tcp6", nat::in_v6),
    case("route", "translated", route::translated),
    case("overlay", "outer-header", overlay::outer_header),
    case("overlay", "into-tunnel", overlay::into_tunnel),
    case("overlay", "out-of-tunnel", overlay::out_of_tunnel),
    case("lan", "to-wire", lan::to_wire),
    case("lan", "from-wire", lan::from_wire),
    case("lan", "to-wire-translated", lan::to_wire_translated),
    case("lan", "from-wire-translated", lan::from_wire_translated),
];

pub(crate) type Burst = Box<dyn FnMut()>;

/// A burst that can be repeated.
pub(crate) struct Case {
    /// Of the record.
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    prepare: fn() -> Burst,
}

const fn case(group: &'static str, name: &'static str, prepare: fn() -> Burst) -> Case {
    Case {
        group,
        name,
        prepare,
    }
}

/// Runs each case, the second time by `measured`: then caches are filled and all is learned.
pub(crate) fn run(measured: fn(&mut dyn FnMut())) {
    for case in CASES {
        let mut burst = (case.prepare)();
        burst();
        measured(&mut burst);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_case_runs_as_often_as_one_likes() {
        run(|burst| (0..3).for_each(|_| burst()));
    }

    #[test]
    fn no_case_has_the_name_of_another() {
        let names: BTreeSet<_> = CASES.iter().map(|case| (case.group, case.name)).collect();
        assert_eq!(names.len(), CASES.len());
    }
}
