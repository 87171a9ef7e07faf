//! The kernel's bridge, with a gateway and a way outside, and namespaces that wait to be connected with it.

use std::ffi::OsString;

use anyhow::Result;
use vswitch_e2e::Host;

use super::bridge::Bridge;
use crate::lab::attacher::Attacher;
use crate::lab::path::Ends;
use crate::lab::peer::Peer;
use crate::lab::peers::container::{GATEWAY, PREFIX, containers, ends, namespaces};
use crate::lab::peers::outside;
use crate::lab::setting::{Attaching, By};
use crate::wiring::Wiring;

pub(in crate::lab::peers) struct Attach {
    host: Host,
    attacher: Attacher,
    ends: Ends,
}

impl Attach {
    /// Without rules or ports.
    pub(super) fn kernel(what: Attaching) -> Result<Self> {
        let way = match what.by {
            By::Engine => "netlink",
            By::Script => "ip",
        };
        Self::set_up(what, "br0", way)
    }

    /// To a bridge of that name, in that way of [`crate::attach`].
    pub(in crate::lab::peers) fn set_up(
        what: Attaching,
        bridge: &'static str,
        way: &str,
    ) -> Result<Self> {
        let host = Host::new()?;
        outside::connect(&host)?;
        Bridge::new(&host, bridge)?;
        host.run(&format!("ip address add {GATEWAY}/{PREFIX} dev {bridge}"))?;
        let containers = containers(2 + what.count);
        let namespaces = namespaces(&host, &containers)?;
        let mut wiring = host
            .place()
            .inside(|| Wiring::open(bridge, Some(GATEWAY)))?;
        for (container, namespace) in containers.iter().zip(&namespaces).take(2) {
            wiring.connect(container, namespace)?;
        }
        let attacher = Attacher::new(&host, what, &[way, bridge].map(OsString::from));
        let (ends, _) = ends(&host, &containers)?;
        Ok(Self {
            host,
            attacher,
            ends,
        })
    }

    /// Where the bridge is.
    pub(in crate::lab::peers) fn host(&self) -> &Host {
        &self.host
    }
}

impl Peer for Attach {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }

    fn attacher(&self) -> Option<&Attacher> {
        Some(&self.attacher)
    }
}
