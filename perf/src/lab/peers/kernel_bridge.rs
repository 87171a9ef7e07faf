//! The kernel's bridge between two containers.

use anyhow::Result;
use vswitch_e2e::Host;

use super::bridge::Bridge;
use super::{LEFT, RIGHT, containers};
use crate::lab::path::Ends;
use crate::lab::peer::Peer;

pub(crate) struct KernelBridge {
    _host: Host,
    ends: Ends,
}

impl KernelBridge {
    pub(crate) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        let bridge = Bridge::new(&host, "br0")?;
        for (name, address) in [("left", LEFT), ("right", RIGHT)] {
            bridge.connect(name, &format!("{address}/24"))?;
        }
        let ends = containers(&host, LEFT, RIGHT);
        Ok(Self { _host: host, ends })
    }
}

impl Peer for KernelBridge {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }
}
