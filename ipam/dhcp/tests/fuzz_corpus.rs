//! What fuzzing found, and where it starts from, replayed by every `cargo test`; and the fuzz
//! target's invariants on random octets.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;
use std::{fs, panic};

use proptest::prelude::*;

#[path = "../../../fuzz/invariants/dhcp.rs"]
mod invariants;

#[test]
#[allow(clippy::disallowed_methods, reason = "the corpus is in files")]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/dhcp");
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

/// Messages that are read to the end: with a cookie and a type, and options that are options.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        proptest::sample::select(vec![1_u8, 3, 6, 51, 52, 54, 58, 59, 61, 121]),
        any::<u8>()
    ];
    let value = proptest::collection::vec(any::<u8>(), 0..10);
    let lengths = prop_oneof![9 => Just(0_u8), 1 => any::<u8>()];
    let options = proptest::collection::vec((code, value, lengths), 0..12);
    let address = prop_oneof![Just([192, 0, 2, 70]), any::<[u8; 4]>()];
    let fields = proptest::collection::vec(any::<u8>(), 192);
    (any::<u8>(), 2..7_u8, address, fields, options).prop_map(
        |(stage, kind, address, fields, options)| {
            let mut octets = vec![stage, 2, 1, 6, 0];
            octets.resize(241, 0);
            octets[17..21].copy_from_slice(&address);
            octets[45..237].copy_from_slice(&fields);
            octets[237..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
            octets.extend([53, 1, kind, 54, 4, 192, 0, 2, 1]);
            for (code, value, lie) in options {
                octets.extend([code, u8::try_from(value.len()).unwrap().wrapping_add(lie)]);
                octets.extend(value);
            }
            octets
        },
    )
}

proptest! {
    #[test]
    fn any_octets(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        invariants::check(&input);
    }

    #[test]
    fn any_message(input in messages()) {
        invariants::check(&input);
    }
}
