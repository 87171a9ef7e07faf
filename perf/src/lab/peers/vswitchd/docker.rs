//! Docker with this project's driver.

use anyhow::Result;
use vswitch_e2e::{Daemon, DaemonOptions, Dockerd, Host};

use crate::lab::engine::Engine;
use crate::lab::path::Ends;
use crate::lab::peer::Peer;

pub(super) struct DockerVswitch {
    // Dropped in this order: Docker, the daemon, then their host.
    engine: Engine,
    daemon: Daemon,
    _host: Host,
    ends: Ends,
}

/// Where Docker looks for the driver `vswitch`.
const PLUGIN: &str = "/run/docker/plugins/vswitch.sock";

impl DockerVswitch {
    pub(super) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        let options = DaemonOptions {
            flags: ["--docker-plugin", PLUGIN].map(str::to_owned).into(),
            ..DaemonOptions::default()
        };
        let daemon = Daemon::start_with(&host, options)?;
        let (engine, ends) = Engine::new(Dockerd::start(&host)?.quiet(), "vswitch")?;
        Ok(Self {
            engine,
            daemon,
            _host: host,
            ends,
        })
    }
}

impl Peer for DockerVswitch {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        self.daemon.pid().into_iter().collect()
    }

    fn engine(&self) -> Option<&Engine> {
        Some(&self.engine)
    }
}
