//! Frames between several containers, of 64 octets with the check sequence, which are 60 at a virtual interface.

use crate::lab::case::Case;
use crate::lab::loads::{Broadcast, Caching, Congestion, Errored, Learning, Mesh};
use crate::lab::setting::Setting;

const FOUR: Setting = Setting::Bridge { containers: 4 };
const EIGHT: Setting = Setting::Bridge { containers: 8 };
/// A table as the switch comes with.
const AS_IT_COMES: Setting = Setting::Stations { room: None };
/// A table for more stations than there are in any case.
const MILLION: u32 = 1 << 20;
pub(super) const ROOMY: Setting = Setting::Stations {
    room: Some(MILLION),
};

pub(super) const CASES: &[Case] = &[
    Case::outward(FOUR, "rfc2889-mesh4", "RFC 2889 full mesh, 4 ports", &Mesh),
    Case::outward(
        FOUR,
        "rfc2889-congestion",
        "RFC 2889 congestion",
        &Congestion,
    ),
    Case::outward(
        FOUR,
        "rfc2889-broadcast",
        "RFC 2889 broadcast to 3 ports",
        &Broadcast,
    ),
    Case::outward(FOUR, "rfc2889-errored", "RFC 2889 errored frames", &Errored),
    Case::outward(EIGHT, "rfc2889-mesh8", "RFC 2889 full mesh, 8 ports", &Mesh),
    Case::outward(
        AS_IT_COMES,
        "rfc2889-caching",
        "RFC 2889 address caching capacity, at most 65536",
        &Caching { limit: 1 << 16 },
    ),
    Case::outward(
        ROOMY,
        "rfc2889-caching-roomy",
        "RFC 2889 address caching capacity, a table for 1048576, at most 262144",
        &Caching { limit: 1 << 18 },
    ),
    Case::outward(
        ROOMY,
        "rfc2889-learning",
        "RFC 2889 address learning rate",
        &Learning { addresses: 8000 },
    ),
];
