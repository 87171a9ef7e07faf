//! Two plain TAPs and a loop: the gain of offloads, queues and bursts is measured against this.

use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::{Background, Host};

use super::{LEFT, RIGHT, containers};
use crate::lab::path::Ends;
use crate::lab::peer::Peer;

pub(crate) struct Naive {
    // Dropped in this order: the process, then its host.
    forwarder: Background,
    _host: Host,
    ends: Ends,
}

impl Naive {
    pub(crate) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        let itself = std::env::current_exe().context("find the running program's path")?;
        let mut forwarder = host
            .place()
            .program(itself)
            .args(["naive-forwarder", "left", "right"])
            .spawn()?;
        forwarder.wait_for("ready", Duration::from_secs(10))?;
        for (name, address) in [("left", LEFT), ("right", RIGHT)] {
            host.run(&format!("ip netns add {name}"))?;
            host.run(&format!("ip link set {name} netns {name}"))?;
            host.run_in(name, &format!("ip link set {name} name eth0"))?;
            host.run_in(name, "ip link set lo up")?;
            host.run_in(name, &format!("ip address add {address}/24 dev eth0"))?;
            host.run_in(name, "ip link set eth0 up")?;
        }
        let ends = containers(&host, LEFT, RIGHT);
        Ok(Self {
            forwarder,
            _host: host,
            ends,
        })
    }
}

impl Peer for Naive {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        vec![self.forwarder.pid()]
    }
}
