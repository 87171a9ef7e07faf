//! Published ports by Docker's userland proxy alone, without DNAT: a process for each port, with one
//! connection to the client and one to the container for each of the client's.

use std::time::Duration;

use anyhow::Result;
use vswitch_e2e::{Background, Host};

use super::docker::{CONTAINER, connect};
use super::outside;
use crate::lab::case::Way;
use crate::lab::loads::PORTS;
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

pub(super) const KIND: PeerKind = PeerKind {
    name: "docker-proxy",
    help: "Docker's userland proxy for published ports, in the place of DNAT",
    needs: &[
        ("docker-proxy", "docker.io"),
        ("iptables-restore", "iptables"),
    ],
    title: |setting| (setting == Setting::Outside).then_some("docker-proxy"),
    // What is published is all TCP.
    takes: |case| case.way == Way::Inward,
    set_up: |_| set_up(),
};

fn set_up() -> Result<Peer> {
    let host = Host::new()?;
    outside::connect(&host)?;
    connect(&host, "container", &[])?;
    let proxies = PORTS.iter().map(|port| start(&host, *port));
    let proxies = proxies.collect::<Result<Vec<_>>>()?;
    let ends = outside::ends(&host, "container");
    let processes: Vec<_> = proxies.iter().map(Background::pid).collect();
    Ok(Peer::new(ends, processes, (proxies, host)))
}

/// Starts the proxy for a port as Docker does: it says on its descriptor 3 whether it listens.
fn start(host: &Host, port: u16) -> Result<Background> {
    let port = port.to_string();
    let (to, here) = (CONTAINER.to_string(), "0.0.0.0");
    let proxy = host.program("sh");
    let proxy = proxy.args(["-c", "exec \"$0\" \"$@\" 3>&1", "docker-proxy"]);
    let proxy = proxy.args(["-proto", "tcp", "-host-ip", here, "-host-port", &port]);
    let proxy = proxy.args(["-container-ip", &to, "-container-port", &port]);
    let mut proxy = proxy.spawn()?;
    proxy.wait_for("0\n", Duration::from_secs(10))?;
    Ok(proxy)
}
