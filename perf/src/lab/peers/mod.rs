//! The switches of the lab, and what several of them are made of. A new one is a file, or a folder with a
//! file for each setting, and a line in [`ALL`].

pub(crate) mod container;
mod docker;
mod docker_proxy;
mod kernel;
mod kernel_rules;
mod naive;
mod open_vswitch;
pub(crate) mod outside;
mod pasta;
mod slirp4netns;
mod tap;
mod user_mode;
mod vde;
mod vswitchd;
mod wire;

use super::peer::PeerKind;

pub(super) const ALL: &[&PeerKind] = &[
    &kernel::KIND,
    &kernel_rules::KIND,
    &docker::KIND,
    &docker_proxy::KIND,
    &vswitchd::KIND,
    &open_vswitch::KIND,
    &open_vswitch::WITH_TSO,
    &vde::KIND,
    &pasta::SHORT,
    &pasta::LONG,
    &slirp4netns::LONG,
    &slirp4netns::SHORT,
    &naive::KIND,
    &wire::KIND,
];
