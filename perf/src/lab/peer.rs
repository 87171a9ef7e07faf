//! What is compared. A new peer is a file in `peers/`, a variant here and a line in [`PeerKind::set_up`].

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;
use vswitch_e2e::{Place, eventually};

use super::peers;

/// A switch with two namespaces connected to it, on a private host of its own.
pub(crate) trait Peer {
    /// The namespaces.
    fn ends(&self) -> &Ends;

    /// The process that switches; none if the kernel does.
    fn process(&self) -> Option<u32>;
}

/// Two namespaces, and how the first reaches the second.
#[derive(Debug)]
pub(crate) struct Ends {
    /// Where load comes from.
    pub(crate) left: Place,
    /// Where it goes.
    pub(crate) right: Place,
    /// The right one's IPv4 address.
    pub(crate) address: String,
}

/// The switches that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PeerKind {
    /// The kernel's bridge and two veth pairs.
    Kernel,
    /// This project's switch.
    Vswitchd,
    /// A read and write loop over two plain TAPs, by the `tun-tap` crate.
    Naive,
}

impl PeerKind {
    /// All of them, the one that the others are measured by first.
    pub(crate) const ALL: [Self; 3] = [Self::Kernel, Self::Vswitchd, Self::Naive];

    /// Its name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Kernel => "kernel bridge",
            Self::Vswitchd => "vswitchd",
            Self::Naive => "naive TAP loop",
        }
    }

    /// Makes it and its namespaces.
    ///
    /// # Errors
    /// If a privilege or a program is missing.
    pub(crate) fn set_up(self) -> Result<Box<dyn Peer>> {
        Ok(match self {
            Self::Kernel => Box::new(peers::KernelBridge::set_up()?),
            Self::Vswitchd => Box::new(peers::Vswitchd::set_up()?),
            Self::Naive => Box::new(peers::Naive::set_up()?),
        })
    }
}

impl Ends {
    /// Sees that one end reaches the other.
    ///
    /// # Errors
    /// If it does not within 10 s.
    pub(crate) fn check(&self) -> Result<()> {
        eventually("a ping is answered", Duration::from_secs(10), || {
            let ping = self.left.program("ping");
            let ping = ping.args(["-c", "1", "-W", "1", &self.address]).run()?;
            Ok(ping.status.success())
        })
    }
}
