//! Docker with its own driver, `bridge`, as it comes: bridge, veth pairs and iptables.

use anyhow::Result;
use vswitch_e2e::{Dockerd, Host};

use crate::lab::engine::Engine;
use crate::lab::path::Ends;
use crate::lab::peer::Peer;

pub(super) struct DockerBridge {
    // Dropped in this order: Docker, then its host.
    engine: Engine,
    _host: Host,
    ends: Ends,
}

impl DockerBridge {
    pub(super) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        let (engine, ends) = Engine::new(Dockerd::with_bridge(&host)?.quiet(), "bridge")?;
        Ok(Self {
            engine,
            _host: host,
            ends,
        })
    }
}

impl Peer for DockerBridge {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.engine)
    }
}
