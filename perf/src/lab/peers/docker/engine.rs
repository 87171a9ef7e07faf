//! Docker with its own driver, `bridge`, as it comes: bridge, veth pairs and iptables.

use anyhow::Result;
use vswitch_e2e::{Dockerd, Host};

use crate::lab::engine::Engine;
use crate::lab::peer::Peer;

pub(super) fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    let (engine, ends) = Engine::new(Dockerd::with_bridge(&host)?.quiet(), "bridge")?;
    Ok(Peer {
        engine: Some(engine),
        ..Peer::new(ends, None, host)
    })
}
