//! This project's switch, as users have it: no option, no flag but the name of the NIC.

use anyhow::{Context, Result};
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use super::{containers, outside};
use crate::lab::load::Load;
use crate::lab::path::Ends;
use crate::lab::peer::Peer;

pub(crate) struct Vswitchd {
    // Dropped in this order: the daemon, then its host.
    daemon: Daemon,
    _host: Host,
    ends: Ends,
}

impl Vswitchd {
    /// Two containers of one network.
    pub(crate) fn switching() -> Result<Self> {
        let host = Host::new()?;
        let daemon = Daemon::start_with(&host, DaemonOptions::default())?;
        daemon.ctl("add-net lab")?;
        daemon.populate("lab", &["left", "right"])?;
        let inspected = daemon.json("inspect lab")?;
        let address = |name: &str| {
            let address = inspected.pointer(&format!("/0/Containers/{name}/IPv4Address"));
            let address = address.and_then(|address| address.as_str()?.split('/').next());
            address.context("`vsctl inspect` shows no address")
        };
        let ends = containers(&host, address("left")?, address("right")?);
        Ok(Self {
            daemon,
            _host: host,
            ends,
        })
    }

    /// A container with published ports, and the outside.
    pub(crate) fn nat() -> Result<Self> {
        let host = Host::new()?;
        outside::connect(&host)?;
        let options = DaemonOptions {
            flags: ["--uplink", outside::NIC].map(str::to_owned).into(),
            ..DaemonOptions::default()
        };
        let daemon = Daemon::start_with(&host, options)?;
        daemon.ctl("add-net lab")?;
        daemon.ctl("add-sandbox container")?;
        let publish = Load::PORTS.map(|port| format!(" -p {port}:{port}"));
        daemon.ctl(&format!("attach lab container{}", publish.concat()))?;
        let ends = outside::ends(&host, "container");
        Ok(Self {
            daemon,
            _host: host,
            ends,
        })
    }
}

impl Peer for Vswitchd {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        self.daemon.pid().into_iter().collect()
    }
}
