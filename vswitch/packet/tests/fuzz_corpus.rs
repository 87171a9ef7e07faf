//! What fuzzing found, and where it starts from, replayed by every `cargo test`; and the fuzz
//! targets' invariants on random octets.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;
use std::{fs, panic};

use proptest::prelude::*;

#[path = "../../../fuzz/invariants/mod.rs"]
mod invariants;
mod wire;

use invariants::{frame, vnet_header};

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let octets = fs::read(&path).unwrap();
        if panic::catch_unwind(|| check(&octets)).is_err() {
            panic!("{} breaks an invariant", path.display());
        }
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn corpus_of_frame() {
    replay("frame", frame::check);
}

#[test]
fn corpus_of_vnet_header() {
    replay("vnet_header", vnet_header::check);
}

/// A header whose fields are near the ones that mean something.
fn plausible_header() -> impl Strategy<Value = [u8; 10]> {
    (
        0..4u8,
        prop_oneof![
            Just(0u8),
            Just(1),
            Just(4),
            Just(5),
            Just(0x81),
            Just(0x84),
            any::<u8>()
        ],
        any::<u16>(),
        prop_oneof![0..3000u16, any::<u16>()],
        prop_oneof![10..80u16, any::<u16>()],
        prop_oneof![Just(6u16), Just(16), any::<u16>()],
    )
        .prop_map(
            |(flags, gso_type, hdr_len, gso_size, csum_start, csum_offset)| {
                let header = vswitch_packet::VnetHeader {
                    flags,
                    gso_type,
                    hdr_len,
                    gso_size,
                    csum_start,
                    csum_offset,
                };
                header.to_bytes()
            },
        )
}

proptest! {
    #[test]
    fn any_octets(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        frame::check(&input);
    }

    #[test]
    fn any_header_in_front_of_a_packet(header: [u8; 10]) {
        vnet_header::check(&header);
    }

    #[test]
    fn plausible_headers_in_front_of_a_packet(header in plausible_header()) {
        vnet_header::check(&header);
    }

    #[test]
    fn mutilated_packets(
        packet in wire::packet(600),
        gso_size in 1..700u16,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in 0..1000usize,
    ) {
        let mut input = packet.gso_header(gso_size).to_bytes().to_vec();
        input.extend(packet.build(wire::Sum::Partial));
        for (at, octet) in changes {
            // Rather the headers than the payload.
            let at = at.index(input.len().min(120));
            input[at] ^= octet;
        }
        frame::check(&input);
        input[1] = 0;
        frame::check(&input);
        input.truncate(cut);
        frame::check(&input);
    }
}
