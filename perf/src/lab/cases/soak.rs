//! A steady rate of frames between two containers.

use crate::lab::case::Case;
use crate::lab::loads::Soak;
use crate::lab::setting::Setting;

const fn case(name: &'static str, title: &'static str, load: &'static Soak) -> Case {
    Case::outward(Setting::PAIR, name, title, load)
}

pub(super) const CASES: &[Case] = &[
    case("soak-short", "Soak, 64 B", &Soak { runs: 1 }),
    case(
        "soak-long",
        "Soak of 60 times the length of a run, 64 B",
        &Soak { runs: 60 },
    ),
];
