//! Docker's network, and namespaces that wait to be connected with it as dockerd does; without dockerd, which
//! would take its time for other things.

use anyhow::{Result, ensure};
use vswitch_e2e::Host;

use super::iptables::BRIDGE;
use super::rules::Rules;
use crate::lab::peer::{Peer, is_there};
use crate::lab::peers::container::SUBNET;
use crate::lab::peers::kernel;
use crate::lab::setting::Attaching;

/// What publishing takes, and its package.
const PROXY: (&str, &str) = ("docker-proxy", "docker.io");

pub(super) fn set_up(what: Attaching) -> Result<Peer> {
    let (program, package) = PROXY;
    ensure!(
        !what.published || is_there(program)?,
        "{program} is missing: apt-get install {package}"
    );
    let host = Host::new()?;
    host.run("sysctl -q -w net.ipv4.ip_forward=1")?;
    let rules = Rules {
        bridge: BRIDGE,
        subnet: SUBNET,
        containers: Vec::new(),
        ports: &[],
    };
    rules.apply(&host)?;
    kernel::attach(host, what, BRIDGE, "libnetwork")
}
