//! What fuzzing found, and where it starts from, replayed by every `cargo test`; and the fuzz
//! targets' invariants on random octets.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;
use std::{fs, panic};

use proptest::prelude::*;

#[path = "../../fuzz/invariants/nat/mod.rs"]
mod invariants;

use invariants::{fragments, translation};

#[allow(clippy::disallowed_methods, reason = "the corpus is in files")]
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
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
fn corpus_of_translation() {
    replay("translation", translation::check);
}

#[test]
fn corpus_of_fragments() {
    replay("fragments", fragments::check);
}

proptest! {
    #[test]
    fn any_frame(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        translation::check(&input);
    }

    #[test]
    fn any_fragments(input in proptest::collection::vec(any::<u8>(), 0..400)) {
        fragments::check(&input);
    }
}
