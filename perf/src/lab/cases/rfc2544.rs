//! One stream of frames between two containers. Lengths are the RFC's, with the check sequence: 64 octets are 60
//! at a virtual interface.

use crate::lab::case::Case;
use crate::lab::load::Load;
use crate::lab::loads::{BackToBack, FrameThroughput, LossRate, Recovery};
use crate::lab::setting::Setting;

const fn case(name: &'static str, title: &'static str, load: &'static dyn Load) -> Case {
    Case::outward(Setting::PAIR, name, title, load)
}

pub(super) const CASES: &[Case] = &[
    case(
        "rfc2544-throughput64",
        "RFC 2544 throughput, 64 B",
        &FrameThroughput { length: 64 },
    ),
    case(
        "rfc2544-throughput512",
        "RFC 2544 throughput, 512 B",
        &FrameThroughput { length: 512 },
    ),
    case(
        "rfc2544-throughput1518",
        "RFC 2544 throughput, 1518 B",
        &FrameThroughput { length: 1518 },
    ),
    case(
        "rfc2544-loss64",
        "RFC 2544 frame loss rate, 64 B",
        &LossRate { length: 64 },
    ),
    case(
        "rfc2544-loss1518",
        "RFC 2544 frame loss rate, 1518 B",
        &LossRate { length: 1518 },
    ),
    case(
        "rfc2544-burst64",
        "RFC 2544 back-to-back frames, 64 B",
        &BackToBack { length: 64 },
    ),
    case(
        "rfc2544-recovery64",
        "RFC 2544 system recovery, 64 B",
        &Recovery { length: 64 },
    ),
];
