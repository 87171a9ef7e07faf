//! The kernel: its bridge and two veth pairs; between hosts its VXLAN device; on a NIC its macvlan device.

mod attach;
mod bridge;
mod macvlan;
mod switching;
mod vxlan;

pub(super) use attach::attach;
pub(super) use bridge::{Bridge, pass_to_iptables};

use vswitch_e2e::Host;

use crate::lab::peer::PeerKind;
use crate::lab::setting::{By, Setting};

pub(super) const KIND: PeerKind = PeerKind {
    name: "kernel",
    help: "The kernel's bridge and veth pairs; between hosts its VXLAN device; on a NIC its macvlan device",
    needs: &[],
    title: |setting| match setting {
        Setting::Bridge { .. } | Setting::Stations { .. } | Setting::Workers(_) => {
            Some("kernel bridge")
        }
        Setting::Overlay => Some("kernel VXLAN"),
        Setting::Lan => Some("kernel macvlan"),
        Setting::Attach(what) => match (what.by, what.published) {
            (By::Engine, false) => Some("kernel bridge, netlink"),
            (By::Script, false) => Some("kernel bridge, ip(8)"),
            // It does not publish: Docker's way of it does.
            (_, true) => None,
        },
        Setting::Outside | Setting::Docker => None,
    },
    takes: |_| true,
    set_up: |setting| match setting {
        Setting::Bridge { containers } => switching::set_up(containers),
        // It remembers every address.
        Setting::Stations { .. } => switching::set_up(Setting::STATION_PORTS),
        Setting::Workers(_) => switching::set_up(2),
        Setting::Overlay => vxlan::set_up(),
        Setting::Lan => macvlan::set_up(),
        Setting::Attach(what) => {
            let way = match what.by {
                By::Engine => "netlink",
                By::Script => "ip",
            };
            attach(Host::new()?, what, "br0", way)
        }
        Setting::Outside | Setting::Docker => anyhow::bail!("not made for {setting:?}"),
    },
};
