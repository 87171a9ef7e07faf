//! Containers of one network.

use anyhow::Result;
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use crate::api::Api;
use crate::lab::growth::Growth;
use crate::lab::path::{End, Ends};
use crate::lab::peer::Peer;
use crate::lab::peers::container::{SUBNET, containers, ends, namespaces};
use crate::lab::setting::Setting;

pub(super) struct Switching {
    // Dropped in this order: the daemon, then its host.
    daemon: Daemon,
    _host: Host,
    ends: Ends,
    others: Vec<End>,
    growth: Option<Growth>,
}

impl Switching {
    pub(super) fn set_up(count: usize) -> Result<Self> {
        Self::new(count, "", DaemonOptions::default())
    }

    pub(super) fn with_workers(workers: usize) -> Result<Self> {
        let flags = vec!["--workers".to_owned(), workers.to_string()];
        let options = DaemonOptions {
            flags,
            ..DaemonOptions::default()
        };
        Self::new(2, "", options)
    }

    /// Containers with stations behind them, of which by default nothing would be let in.
    pub(super) fn with_stations(room: Option<u32>) -> Result<Self> {
        let mut network = " -o vswitch.anti-spoof=false".to_owned();
        if let Some(room) = room {
            network += &format!(" -o vswitch.fdb-limit={room}");
        }
        Self::new(Setting::STATION_PORTS, &network, DaemonOptions::default())
    }

    fn new(count: usize, network: &str, options: DaemonOptions) -> Result<Self> {
        let host = Host::new()?;
        let daemon = Daemon::start_with(&host, options)?;
        daemon.ctl(&format!("add-net lab --subnet {SUBNET}{network}"))?;
        let containers = containers(count);
        namespaces(&host, &containers)?;
        let api = Api::new(&daemon.socket())?;
        let processes: Vec<_> = daemon.pid().into_iter().collect();
        let growth = Growth::watch(&containers, &processes, |container| {
            let address = Some(container.address);
            api.attach("lab", &container.name, address, Vec::new())
        })?;
        let (ends, others) = ends(&host, &containers)?;
        Ok(Self {
            daemon,
            _host: host,
            ends,
            others,
            growth,
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
        self.daemon.pid().into_iter().collect()
    }

    fn growth(&self) -> Option<Growth> {
        self.growth
    }
}
