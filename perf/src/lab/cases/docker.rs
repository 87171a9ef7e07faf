//! How long Docker takes.

use crate::lab::case::{Case, Way};
use crate::lab::loads::Containers;
use crate::lab::setting::Setting;

pub(super) const CASES: &[Case] = &[Case {
    name: "docker-run",
    title: "docker",
    setting: Setting::Docker,
    way: Way::Outward,
    load: &Containers,
}];
