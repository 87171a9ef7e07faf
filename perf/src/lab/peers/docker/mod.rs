//! Docker's own way: out and in by the kernel's bridge, masquerading and DNAT; where Docker starts the
//! containers, its own driver.

mod attach;
mod engine;
mod iptables;
mod rules;

pub(super) use iptables::{CONTAINER, connect};
pub(super) use rules::Rules;

use crate::lab::peer::PeerKind;
use crate::lab::setting::{By, Setting};

pub(super) const KIND: PeerKind = PeerKind {
    name: "docker",
    help: "Docker's way out and in: bridge, masquerading and DNAT by iptables; where Docker starts containers, its bridge driver",
    needs: &[("iptables-restore", "iptables")],
    title: |setting| match setting {
        Setting::Outside => Some("docker-iptables"),
        Setting::Docker => Some("docker bridge"),
        Setting::Attach(what) => (what.by == By::Engine).then_some("docker-libnetwork"),
        Setting::Bridge { .. }
        | Setting::Stations { .. }
        | Setting::Workers(_)
        | Setting::Overlay
        | Setting::Lan => None,
    },
    takes: |_| true,
    set_up: |setting| match setting {
        Setting::Outside => iptables::set_up(),
        Setting::Docker => engine::set_up(),
        Setting::Attach(what) => attach::set_up(what),
        Setting::Bridge { .. }
        | Setting::Stations { .. }
        | Setting::Workers(_)
        | Setting::Overlay
        | Setting::Lan => anyhow::bail!("not made for {setting:?}"),
    },
};
