//! This project's switch, as users have it: no option, no flag.

use anyhow::{Context, Result};
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use crate::lab::peer::{Ends, Peer};

pub(crate) struct Vswitchd {
    // Dropped in this order: the daemon, then its host.
    daemon: Daemon,
    _host: Host,
    ends: Ends,
}

impl Vswitchd {
    pub(crate) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        let daemon = Daemon::start_with(&host, DaemonOptions::default())?;
        daemon.ctl("add-net lab")?;
        daemon.populate("lab", &["left", "right"])?;
        let inspected = daemon.json("inspect lab")?;
        let address = inspected
            .pointer("/0/Containers/right/IPv4Address")
            .and_then(|address| address.as_str()?.split('/').next())
            .context("`vsctl inspect` shows no address")?
            .to_owned();
        let ends = Ends {
            left: host.sandbox("left"),
            right: host.sandbox("right"),
            address,
        };
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

    fn process(&self) -> Option<u32> {
        self.daemon.pid()
    }
}
