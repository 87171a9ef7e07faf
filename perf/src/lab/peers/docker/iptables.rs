//! Docker's way out and in: the kernel's bridge, `ip_forward`, masquerading and DNAT by iptables.

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use vswitch_e2e::Host;

use crate::lab::loads::PORTS;
use crate::lab::path::Ends;
use crate::lab::peer::Peer;
use crate::lab::peers::kernel::Bridge;
use crate::lab::peers::outside;

pub(super) struct Iptables {
    _host: Host,
    ends: Ends,
}

const BRIDGE: &str = "docker0";
const SUBNET: &str = "172.17.0.0/16";
const GATEWAY: &str = "172.17.0.1";
const CONTAINER: &str = "172.17.0.2";

impl Iptables {
    pub(super) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        outside::connect(&host)?;
        let bridge = Bridge::new(&host, BRIDGE)?;
        host.run(&format!("ip address add {GATEWAY}/16 dev {BRIDGE}"))?;
        bridge.connect("container", &format!("{CONTAINER}/16"))?;
        host.run_in("container", &format!("ip route add default via {GATEWAY}"))?;
        host.run("sysctl -q -w net.ipv4.ip_forward=1")?;
        let file = host.folder().join("rules");
        fs::write(&file, rules(&PORTS)).context("write the rules")?;
        let restore = host.program("iptables-restore").arg(&file).output();
        restore.context("rules as Docker's need iptables, which `make bench` installs")?;
        let ends = outside::ends(&host, "container");
        Ok(Self { _host: host, ends })
    }
}

impl Peer for Iptables {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn processes(&self) -> Vec<u32> {
        Vec::new()
    }
}

/// The rules of Docker 29 for one network and one container that publishes TCP ports, as documented with
/// its source (`integration/network/bridge/iptablesdoc/generated/usernet-portmap.md`).
fn rules(ports: &[u16]) -> String {
    let mut accept = String::new();
    let mut translate = String::new();
    for port in ports {
        // Writing to a string cannot fail.
        let _ = writeln!(
            accept,
            "-A DOCKER -d {CONTAINER}/32 ! -i {BRIDGE} -o {BRIDGE} -p tcp -m tcp --dport {port} -j ACCEPT"
        );
        let _ = writeln!(
            translate,
            "-A DOCKER ! -i {BRIDGE} -p tcp -m tcp --dport {port} -j DNAT --to-destination {CONTAINER}:{port}"
        );
    }
    format!(
        "\
*raw
-A PREROUTING -d {CONTAINER}/32 ! -i {BRIDGE} -j DROP
COMMIT
*filter
:FORWARD DROP
:DOCKER -
:DOCKER-BRIDGE -
:DOCKER-CT -
:DOCKER-FORWARD -
:DOCKER-INTERNAL -
:DOCKER-USER -
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
{accept}\
-A DOCKER ! -i {BRIDGE} -o {BRIDGE} -j DROP
-A DOCKER-BRIDGE -o {BRIDGE} -j DOCKER
-A DOCKER-CT -o {BRIDGE} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-INTERNAL
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i {BRIDGE} -j ACCEPT
COMMIT
*nat
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s {SUBNET} ! -o {BRIDGE} -j MASQUERADE
{translate}\
COMMIT
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_let_through_and_translated() {
        let rules = rules(&PORTS);
        for port in PORTS {
            let of_port = format!("--dport {port} ");
            assert_eq!(rules.matches(&of_port).count(), 2, "{rules}");
        }
    }
}
