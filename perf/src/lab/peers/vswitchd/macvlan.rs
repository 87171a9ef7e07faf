//! This project's switch on a host's NIC, as users have it: no flag, no option but the name of the NIC.

use anyhow::Result;
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use crate::lab::path::Ends;
use crate::lab::peer::Peer;
use crate::lab::peers::outside;

pub(super) struct Macvlan {
    // Dropped in this order: the daemon, then its host.
    daemon: Daemon,
    _host: Host,
    ends: Ends,
}

impl Macvlan {
    pub(super) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        outside::connect(&host)?;
        let daemon = Daemon::start_with(&host, DaemonOptions::default())?;
        daemon.ctl(&format!(
            "add-net lab -d macvlan -o parent={} --subnet {}",
            outside::NIC,
            outside::SUBNET
        ))?;
        let (name, address) = (outside::NEIGHBOUR, outside::NEIGHBOUR_ADDRESS);
        daemon.ctl(&format!("add-sandbox {name}"))?;
        daemon.ctl(&format!("attach lab {name} --ip {address}"))?;
        let ends = outside::neighbours(&host);
        Ok(Self {
            daemon,
            _host: host,
            ends,
        })
    }
}

impl Peer for Macvlan {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        self.daemon.pid().into_iter().collect()
    }
}
