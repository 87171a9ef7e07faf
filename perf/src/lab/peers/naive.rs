//! Two plain TAPs and a loop: the gain of offloads, queues and bursts is measured against this.

use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::{Background, Host};

use super::container::{containers, ends};
use super::tap;
use crate::lab::path::Ends;
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

pub(super) const KIND: PeerKind = PeerKind {
    name: "naive",
    help: "A read and write loop over two plain TAPs, by the `tun-tap` crate",
    needs: &[],
    title: |setting| (setting == Setting::PAIR).then_some("naive TAP loop"),
    takes: |_| true,
    set_up: |_| Ok(Box::new(Naive::set_up()?)),
};

struct Naive {
    // Dropped in this order: the process, then its host.
    forwarder: Background,
    _host: Host,
    ends: Ends,
}

impl Naive {
    fn set_up() -> Result<Self> {
        let host = Host::new()?;
        let itself = std::env::current_exe().context("find the running program's path")?;
        let mut forwarder = host
            .place()
            .program(itself)
            .args(["naive-forwarder", "left", "right"])
            .spawn()?;
        forwarder.wait_for("ready", Duration::from_secs(10))?;
        let containers = containers(2);
        for container in &containers {
            tap::move_into(&host, container)?;
        }
        let (ends, _) = ends(&host, &containers)?;
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
