//! This project's switch on each of two hosts, as users have it: told of the other host, and nothing else.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Daemon, Host};

use super::start;
use crate::lab::path::{End, Ends};
use crate::lab::peer::Peer;
use crate::lab::peers::container::{LEFT, RIGHT, SUBNET};
use crate::lab::underlay::{ADDRESSES, INNER_MTU, Underlay, VNI};

/// The container of each host.
const CONTAINER: &str = "container";

pub(super) fn set_up() -> Result<Peer> {
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
    let processes: Vec<_> = daemons.iter().filter_map(Daemon::pid).collect();
    Ok(Peer {
        underlay: Some(underlay),
        ..Peer::new(ends, processes, (daemons, hosts))
    })
}

/// Starts a daemon and attaches a container to an overlay network with one other host.
fn join(host: &Host, peer: &str, address: Ipv4Addr) -> Result<Daemon> {
    let daemon = start(host, &[])?;
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
