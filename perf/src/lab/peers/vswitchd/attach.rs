//! A network with a way outside, and namespaces that wait to be attached to it.

use std::ffi::OsString;

use anyhow::Result;
use vswitch_e2e::{Daemon, DaemonOptions, Host, binary};

use crate::api::Api;
use crate::lab::attacher::Attacher;
use crate::lab::path::Ends;
use crate::lab::peer::Peer;
use crate::lab::peers::container::{SUBNET, containers, ends, namespaces};
use crate::lab::peers::outside;
use crate::lab::setting::{Attaching, By};

pub(super) struct Attach {
    // Dropped in this order: the daemon, then its host.
    daemon: Daemon,
    _host: Host,
    attacher: Attacher,
    ends: Ends,
}

impl Attach {
    pub(super) fn set_up(what: Attaching) -> Result<Self> {
        let host = Host::new()?;
        outside::connect(&host)?;
        let options = DaemonOptions {
            flags: ["--uplink", outside::NIC].map(str::to_owned).into(),
            ..DaemonOptions::default()
        };
        let daemon = Daemon::start_with(&host, options)?;
        daemon.ctl(&format!("add-net lab --subnet {SUBNET}"))?;
        let containers = containers(2 + what.count);
        namespaces(&host, &containers)?;
        let socket = daemon.socket();
        let api = Api::new(&socket)?;
        for container in containers.iter().take(2) {
            let address = Some(container.address);
            api.attach("lab", &container.name, address, Vec::new())?;
        }
        let way: &[OsString] = match what.by {
            By::Engine => &["api".into(), socket.into()],
            By::Script => &["vsctl".into(), binary("vsctl")?.into(), socket.into()],
        };
        let attacher = Attacher::new(&host, what, way);
        let (ends, _) = ends(&host, &containers)?;
        Ok(Self {
            daemon,
            _host: host,
            attacher,
            ends,
        })
    }
}

impl Peer for Attach {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        self.daemon.pid().into_iter().collect()
    }

    fn attacher(&self) -> Option<&Attacher> {
        Some(&self.attacher)
    }
}
