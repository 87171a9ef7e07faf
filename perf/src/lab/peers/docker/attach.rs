//! Docker's network, and namespaces that wait to be connected with it as dockerd does; without dockerd, which
//! would take its time for other things.

use anyhow::{Result, ensure};

use super::iptables::BRIDGE;
use super::rules::Rules;
use crate::lab::peer;
use crate::lab::peers::container::SUBNET;
use crate::lab::peers::kernel::Attach;
use crate::lab::setting::Attaching;

/// What publishing takes, and its package.
const PROXY: (&str, &str) = ("docker-proxy", "docker.io");

pub(super) fn set_up(what: Attaching) -> Result<Attach> {
    let (program, package) = PROXY;
    ensure!(
        !what.published || peer::is_there(program)?,
        "{program} is missing: apt-get install {package}"
    );
    let attach = Attach::set_up(what, BRIDGE, "libnetwork")?;
    let rules = Rules {
        bridge: BRIDGE,
        subnet: SUBNET,
        containers: Vec::new(),
        ports: &[],
    };
    attach.host().run("sysctl -q -w net.ipv4.ip_forward=1")?;
    rules.apply(attach.host())?;
    Ok(attach)
}
