//! The kernel's bridge between containers.

use anyhow::Result;
use vswitch_e2e::Host;

use super::bridge::Bridge;
use crate::lab::growth::Growth;
use crate::lab::path::{End, Ends};
use crate::lab::peer::Peer;
use crate::lab::peers::container::{containers, ends, namespaces};
use crate::wiring::Wiring;

pub(super) struct Switching {
    _host: Host,
    ends: Ends,
    others: Vec<End>,
    growth: Option<Growth>,
}

const BRIDGE: &str = "br0";

impl Switching {
    pub(super) fn set_up(count: usize) -> Result<Self> {
        let host = Host::new()?;
        Bridge::new(&host, BRIDGE)?;
        let containers = containers(count);
        let namespaces = namespaces(&host, &containers)?;
        let mut wiring = host.place().inside(|| Wiring::open(BRIDGE, None))?;
        let all = containers.iter().zip(&namespaces);
        let growth = Growth::watch(all, &[], |(container, namespace)| {
            wiring.connect(container, namespace)
        })?;
        let (ends, others) = ends(&host, &containers)?;
        Ok(Self {
            _host: host,
            ends,
            others,
            growth,
        })
    }
}

impl Peer for Switching {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn others(&self) -> &[End] {
        &self.others
    }

    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }

    fn growth(&self) -> Option<Growth> {
        self.growth
    }
}
