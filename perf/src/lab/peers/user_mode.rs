//! Ways out for which a container's engine needs no privilege: a process that reads the container's
//! packets from a TAP and speaks for it by sockets of the host.

use std::time::Duration;

use anyhow::{Result, ensure};
use vswitch_e2e::{Host, Program, eventually};

use super::outside;
use crate::lab::case::{Case, Way};
use crate::lab::peer::Peer;

/// The container's namespace.
pub(super) const CONTAINER: &str = "container";
/// The file of the container's namespace, on the host.
pub(super) const NAMESPACE: &str = "/run/netns/container";
/// The longest MTU of both, which is what engines give them: there is no wire behind it.
pub(super) const LONGEST: u16 = 65520;

const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the container, and starts the process, which is to make `eth0` in it and set it up.
///
/// # Errors
/// If it does not.
pub(super) fn set_up(process: impl FnOnce(&Host) -> Result<Program>) -> Result<Peer> {
    let host = Host::new()?;
    outside::connect(&host)?;
    // Their sockets for pings are those that need no privilege (icmp(7)).
    host.program("sysctl")
        .args(["-q", "-w", "net.ipv4.ping_group_range=0 2147483647"])
        .output()?;
    host.run(&format!("ip netns add {CONTAINER}"))?;
    host.run_in(CONTAINER, "ip link set lo up")?;
    let mut process = process(&host)?.spawn()?;
    eventually("the container has a way out", PATIENCE, || {
        let (stdout, stderr) = process.written()?;
        ensure!(process.is_running()?, "it ended:\n{stdout}{stderr}");
        let routes = host.run_in(CONTAINER, "ip route show default dev eth0");
        Ok(routes.is_ok_and(|routes| !routes.is_empty()))
    })?;
    let ends = outside::ends(&host, CONTAINER);
    Ok(Peer::new(ends, [process.pid()], (process, host)))
}

/// Cases for them: the ways in are others.
pub(super) fn takes(case: &Case) -> bool {
    case.way == Way::Outward
}
