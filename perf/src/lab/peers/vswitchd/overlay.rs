//! This project's switch on each of two hosts, as users have it: told of the other host, and nothing else.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use crate::lab::path::{End, Ends};
use crate::lab::peer::Peer;
use crate::lab::peers::container::{LEFT, RIGHT, SUBNET};
use crate::lab::underlay::{ADDRESSES, INNER_MTU, Underlay, VNI};

pub(super) struct Overlay {
    // Dropped in this order: the daemons, then their hosts.
    daemons: [Daemon; 2],
    _hosts: [Host; 2],
    underlay: Underlay,
    ends: Ends,
}

/// The container of each host.
const CONTAINER: &str = "container";

impl Overlay {
    pub(super) fn set_up() -> Result<Self> {
        let (underlay, hosts) = Underlay::new()?;
        let [left, right] = &hosts;
        let [near, far] = ADDRESSES;
        let daemons = [join(left, far, LEFT)?, join(right, near, RIGHT)?];
        let end = |host: &Host, address: Ipv4Addr| End {
            place: host.sandbox(CONTAINER),
            address: address.to_string(),
        };
        let ends = Ends {
            left: end(left, LEFT),
            right: end(right, RIGHT),
        };
        Ok(Self {
            daemons,
            _hosts: hosts,
            underlay,
            ends,
        })
    }
}

impl Peer for Overlay {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        self.daemons.iter().filter_map(Daemon::pid).collect()
    }

    fn underlay(&self) -> Option<&Underlay> {
        Some(&self.underlay)
    }
}

/// Starts a daemon and attaches a container to an overlay network with one other host.
fn join(host: &Host, peer: &str, address: Ipv4Addr) -> Result<Daemon> {
    let daemon = Daemon::start_with(host, DaemonOptions::default())?;
    daemon.ctl(&format!(
        "add-net lab -d overlay -o vni={VNI} -o peers={peer} --subnet {SUBNET}"
    ))?;
    daemon.ctl(&format!("add-sandbox {CONTAINER}"))?;
    daemon.ctl(&format!("attach lab {CONTAINER} --ip {address}"))?;
    // Datagrams of another length would compare nothing.
    let link = host.run_in(CONTAINER, "ip -o link show eth0")?;
    let mtu = link.split(" mtu ").nth(1).context("a link has no MTU")?;
    ensure!(
        mtu.starts_with(&format!("{INNER_MTU} ")),
        "the container's MTU should be {INNER_MTU}: {link}"
    );
    Ok(daemon)
}
