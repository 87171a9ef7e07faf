//! The rules that Docker makes for a network on a bridge.

use std::fmt::Write;
use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use vswitch_e2e::Host;

/// A network, as far as Docker's rules are about it.
pub(in crate::lab::peers) struct Rules<'a> {
    /// The bridge.
    pub(in crate::lab::peers) bridge: &'a str,
    /// The addresses that are masqueraded.
    pub(in crate::lab::peers) subnet: &'a str,
    /// The containers.
    pub(in crate::lab::peers) containers: Vec<Ipv4Addr>,
    /// TCP ports of the first container, published at the same ports of the host.
    pub(in crate::lab::peers) ports: &'a [u16],
}

impl Rules<'_> {
    /// Gives them to a host.
    ///
    /// # Errors
    /// If its kernel or iptables refuses.
    pub(in crate::lab::peers) fn apply(&self, host: &Host) -> Result<()> {
        let file = host.folder().join("rules");
        fs::write(&file, self.text()).context("write the rules")?;
        let restore = host.program("iptables-restore").arg(&file).output();
        restore.context("rules as Docker's need iptables, which `make bench` installs")?;
        Ok(())
    }

    /// As Docker 29 makes them, by what is documented with its source
    /// (`integration/network/bridge/iptablesdoc/generated/usernet-portmap.md`).
    fn text(&self) -> String {
        let (bridge, subnet) = (self.bridge, self.subnet);
        let mut protect = String::new();
        let mut accept = String::new();
        let mut translate = String::new();
        // Writing to a string cannot fail.
        for container in &self.containers {
            let _ = writeln!(
                protect,
                "-A PREROUTING -d {container}/32 ! -i {bridge} -j DROP"
            );
        }
        let first = self.containers.first();
        for (container, port) in first
            .iter()
            .flat_map(|c| self.ports.iter().map(move |p| (c, p)))
        {
            let _ = writeln!(
                accept,
                "-A DOCKER -d {container}/32 ! -i {bridge} -o {bridge} -p tcp -m tcp --dport {port} -j ACCEPT"
            );
            let _ = writeln!(
                translate,
                "-A DOCKER ! -i {bridge} -p tcp -m tcp --dport {port} -j DNAT --to-destination {container}:{port}"
            );
        }
        format!(
            "\
*raw
{protect}\
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
-A DOCKER ! -i {bridge} -o {bridge} -j DROP
-A DOCKER-BRIDGE -o {bridge} -j DOCKER
-A DOCKER-CT -o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-INTERNAL
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i {bridge} -j ACCEPT
COMMIT
*nat
:DOCKER -
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s {subnet} ! -o {bridge} -j MASQUERADE
{translate}\
COMMIT
"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(ports: &[u16]) -> String {
        let containers = [2, 3].map(|last| Ipv4Addr::new(172, 17, 0, last));
        let rules = Rules {
            bridge: "docker0",
            subnet: "172.17.0.0/16",
            containers: containers.into(),
            ports,
        };
        rules.text()
    }

    #[test]
    fn every_port_is_let_through_and_translated() {
        let ports = [5201, 80];
        let rules = rules(&ports);
        for port in ports {
            let of_port = format!("--dport {port} ");
            assert_eq!(rules.matches(&of_port).count(), 2, "{rules}");
        }
    }

    #[test]
    fn every_container_is_kept_from_the_outside() {
        let rules = rules(&[]);
        assert_eq!(rules.matches("-j DROP").count(), 3, "{rules}");
        assert!(!rules.contains("DNAT"), "{rules}");
    }
}
