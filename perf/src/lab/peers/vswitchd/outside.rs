//! A container with published ports, and the outside.

use anyhow::Result;
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use crate::lab::loads::PORTS;
use crate::lab::path::Ends;
use crate::lab::peer::Peer;
use crate::lab::peers::outside;

pub(super) struct Outside {
    // Dropped in this order: the daemon, then its host.
    daemon: Daemon,
    _host: Host,
    ends: Ends,
}

impl Outside {
    pub(super) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        outside::connect(&host)?;
        let options = DaemonOptions {
            flags: ["--uplink", outside::NIC].map(str::to_owned).into(),
            ..DaemonOptions::default()
        };
        let daemon = Daemon::start_with(&host, options)?;
        daemon.ctl("add-net lab")?;
        daemon.ctl("add-sandbox container")?;
        let publish = PORTS.map(|port| format!(" -p {port}:{port}"));
        daemon.ctl(&format!("attach lab container{}", publish.concat()))?;
        let ends = outside::ends(&host, "container");
        Ok(Self {
            daemon,
            _host: host,
            ends,
        })
    }
}

impl Peer for Outside {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        self.daemon.pid().into_iter().collect()
    }
}
