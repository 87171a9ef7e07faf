//! The kernel: its bridge and two veth pairs; between hosts its VXLAN device; on a NIC its macvlan device.

mod attach;
mod bridge;
mod macvlan;
mod switching;
mod vxlan;

pub(super) use attach::Attach;
pub(super) use bridge::{Bridge, pass_to_iptables};

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
    set_up: |setting| {
        Ok(match setting {
            Setting::Bridge { containers } => Box::new(switching::Switching::set_up(containers)?),
            // It remembers every address.
            Setting::Stations { .. } => {
                Box::new(switching::Switching::set_up(Setting::STATION_PORTS)?)
            }
            Setting::Workers(_) => Box::new(switching::Switching::set_up(2)?),
            Setting::Overlay => Box::new(vxlan::Vxlan::set_up()?),
            Setting::Lan => Box::new(macvlan::Macvlan::set_up()?),
            Setting::Attach(what) => Box::new(Attach::kernel(what)?),
            Setting::Outside | Setting::Docker => anyhow::bail!("not made for {setting:?}"),
        })
    },
};
