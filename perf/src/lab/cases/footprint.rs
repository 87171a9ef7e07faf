//! What a switch takes of a machine.

use crate::lab::case::{Case, Way};
use crate::lab::loads::Footprint;
use crate::lab::setting::Setting;

pub(super) const CASES: &[Case] = &[Case {
    name: "footprint-1000",
    title: "1000 ports",
    setting: Setting::Bridge { containers: 1000 },
    way: Way::Outward,
    load: &Footprint,
}];
