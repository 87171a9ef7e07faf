//! The kernel's bridge between containers.

use anyhow::Result;
use vswitch_e2e::Host;

use super::bridge::Bridge;
use crate::lab::path::{End, Ends};
use crate::lab::peer::Peer;
use crate::lab::peers::container::{PREFIX, containers, ends};

pub(super) struct Switching {
    _host: Host,
    ends: Ends,
    others: Vec<End>,
}

impl Switching {
    pub(super) fn set_up(count: usize) -> Result<Self> {
        let host = Host::new()?;
        let bridge = Bridge::new(&host, "br0")?;
        let containers = containers(count);
        for container in &containers {
            bridge.connect(&container.name, &format!("{}/{PREFIX}", container.address))?;
        }
        let (ends, others) = ends(&host, &containers)?;
        Ok(Self {
            _host: host,
            ends,
            others,
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
}
