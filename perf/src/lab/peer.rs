//! What is compared. A new peer is a file in `peers/`, a variant here and a line in [`PeerKind::set_up`].

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use super::case::Setting;
use super::engine::Engine;
use super::path::Ends;
use super::peers;
use super::underlay::Underlay;

/// A switch with two namespaces connected to it, on private hosts of its own.
pub(crate) trait Peer {
    /// The namespaces.
    fn ends(&self) -> &Ends;

    /// The processes that switch, one a host; none if the kernel does.
    fn processes(&self) -> Vec<u32>;

    /// What joins the two hosts; none if there is only one.
    fn underlay(&self) -> Option<&Underlay> {
        None
    }

    /// What starts containers; none if they are there for the whole lab.
    fn engine(&self) -> Option<&Engine> {
        None
    }
}

/// The switches that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PeerKind {
    /// The kernel's bridge and two veth pairs; between hosts with its VXLAN device; on a NIC its macvlan device.
    Kernel,
    /// Docker's way out and in: the kernel's bridge, masquerading and DNAT by iptables. Where Docker starts the
    /// containers: its own driver.
    Docker,
    /// This project's switch.
    Vswitchd,
    /// A read and write loop over two plain TAPs, by the `tun-tap` crate.
    Naive,
}

impl PeerKind {
    /// All of them; in each setting, the one that the others are measured by is the first.
    pub(crate) const ALL: [Self; 4] = [Self::Kernel, Self::Docker, Self::Vswitchd, Self::Naive];

    /// Its name for people.
    pub(crate) const fn title(self, setting: Setting) -> &'static str {
        match (self, setting) {
            (Self::Kernel, Setting::Overlay) => "kernel VXLAN",
            (Self::Kernel, Setting::Lan) => "kernel macvlan",
            (Self::Kernel, _) => "kernel bridge",
            (Self::Docker, Setting::Docker) => "docker bridge",
            (Self::Docker, _) => "docker-iptables",
            (Self::Vswitchd, Setting::Lan) => "vswitchd macvlan",
            (Self::Vswitchd, _) => "vswitchd",
            (Self::Naive, _) => "naive TAP loop",
        }
    }

    /// Makes it and its namespaces; none if it is not made for the setting.
    ///
    /// # Errors
    /// If a privilege or a program is missing.
    pub(crate) fn set_up(self, setting: Setting) -> Result<Option<Box<dyn Peer>>> {
        Ok(Some(match (self, setting) {
            (Self::Kernel, Setting::Switching) => Box::new(peers::KernelBridge::set_up()?),
            (Self::Docker, Setting::Nat) => Box::new(peers::Docker::set_up()?),
            (Self::Vswitchd, Setting::Switching) => Box::new(peers::Vswitchd::switching()?),
            (Self::Vswitchd, Setting::Nat) => Box::new(peers::Vswitchd::nat()?),
            (Self::Naive, Setting::Switching) => Box::new(peers::Naive::set_up()?),
            (Self::Kernel, Setting::Overlay) => Box::new(peers::KernelVxlan::set_up()?),
            (Self::Vswitchd, Setting::Overlay) => Box::new(peers::VswitchdOverlay::set_up()?),
            (Self::Kernel, Setting::Lan) => Box::new(peers::KernelMacvlan::set_up()?),
            (Self::Vswitchd, Setting::Lan) => Box::new(peers::VswitchdMacvlan::set_up()?),
            (Self::Docker, Setting::Docker) => Box::new(peers::DockerBridge::set_up()?),
            (Self::Vswitchd, Setting::Docker) => Box::new(peers::DockerVswitch::set_up()?),
            (Self::Docker, Setting::Switching | Setting::Overlay | Setting::Lan)
            | (Self::Kernel, Setting::Nat | Setting::Docker)
            | (Self::Naive, Setting::Nat | Setting::Overlay | Setting::Lan | Setting::Docker) => {
                return Ok(None);
            }
        }))
    }
}
