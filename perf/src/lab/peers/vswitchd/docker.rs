//! Docker with this project's driver.

use anyhow::Result;
use vswitch_e2e::{Dockerd, Host};

use super::start;
use crate::lab::engine::Engine;
use crate::lab::peer::Peer;

/// Where Docker looks for the driver `vswitch`.
const PLUGIN: &str = "/run/docker/plugins/vswitch.sock";

pub(super) fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    let daemon = start(&host, &["--docker-plugin", PLUGIN])?;
    let (engine, ends) = Engine::new(Dockerd::start(&host)?.quiet(), "vswitch")?;
    Ok(Peer {
        engine: Some(engine),
        ..Peer::new(ends, daemon.pid(), (daemon, host))
    })
}
