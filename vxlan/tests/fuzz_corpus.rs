//! What fuzzing found, and where it starts from, replayed by every `cargo test`; and the fuzz
//! target's invariants on random octets.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;
use std::{fs, panic};

use proptest::prelude::*;

#[path = "../../fuzz/invariants/vxlan.rs"]
mod invariants;

#[test]
#[allow(clippy::disallowed_methods, reason = "the corpus is in files")]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/vxlan");
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let octets = fs::read(&path).unwrap();
        if panic::catch_unwind(|| invariants::check(&octets)).is_err() {
            panic!("{} breaks an invariant", path.display());
        }
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

/// The flag and a type that is looked into, so that more than the header is read.
fn datagrams() -> impl Strategy<Value = Vec<u8>> {
    let ethertype = prop_oneof![
        Just([8, 0]),
        Just([0x86, 0xdd]),
        Just([0x81, 0]),
        any::<[u8; 2]>()
    ];
    let network = prop_oneof![Just(0x45), Just(0x60), any::<u8>()];
    (
        any::<[u8; 3]>(),
        ethertype,
        network,
        proptest::collection::vec(any::<u8>(), 22..200),
    )
        .prop_map(|(start, ethertype, network, mut octets)| {
            octets[0] |= 8;
            octets[20..22].copy_from_slice(&ethertype);
            if let Some(octet) = octets.get_mut(22) {
                *octet = network;
            }
            [&start[..], &octets].concat()
        })
}

proptest! {
    #[test]
    fn any_octets(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        invariants::check(&input);
    }

    #[test]
    fn any_frame(input in datagrams()) {
        invariants::check(&input);
    }
}
