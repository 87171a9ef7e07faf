//! Frames of many flows between two containers, and between many stations behind two.

use super::rfc2889::ROOMY;
use crate::lab::case::Case;
use crate::lab::loads::{Among, Delivered};
use crate::lab::setting::Setting;

const fn flows(flows: u32) -> Delivered {
    Delivered {
        among: Among::Flows(flows),
    }
}

const fn stations(stations: u32) -> Delivered {
    Delivered {
        among: Among::Stations(stations),
    }
}

pub(super) const CASES: &[Case] = &[
    Case::outward(
        Setting::PAIR,
        "flows1",
        "64 B delivered at most, 1 flow",
        &const { flows(1) },
    ),
    Case::outward(
        Setting::PAIR,
        "flows100",
        "64 B delivered at most, 100 flows",
        &const { flows(100) },
    ),
    Case::outward(
        Setting::PAIR,
        "flows1000",
        "64 B delivered at most, 1000 flows",
        &const { flows(1000) },
    ),
    Case::outward(
        Setting::PAIR,
        "flows100k",
        "64 B delivered at most, 100,000 flows",
        &const { flows(100_000) },
    ),
    Case::outward(
        ROOMY,
        "stations100",
        "64 B delivered at most, 100 MAC addresses",
        &const { stations(100) },
    ),
    Case::outward(
        ROOMY,
        "stations10k",
        "64 B delivered at most, 10,000 MAC addresses",
        &const { stations(10_000) },
    ),
    Case::outward(
        ROOMY,
        "stations100k",
        "64 B delivered at most, 100,000 MAC addresses",
        &const { stations(100_000) },
    ),
];
