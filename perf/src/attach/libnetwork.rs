//! The kernel's bridge and veth pairs, by netlink, with what dockerd adds as it comes, `userland-proxy` on: rules of
//! iptables, and for each published port two proxies.
//!
//! The rules are those of moby 29 (`drivers/bridge/internal/iptabler`), the proxies those of `portmappers/nat`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::Result;

use super::iptables::Rule;
use super::proxy::{Proxy, Starter};
use super::{Hand, PUBLISHED, Waiting};
use crate::lab::container::GATEWAY;
use crate::wiring::Wiring;

pub(super) struct Libnetwork {
    starter: Starter,
    wiring: Wiring,
    bridge: String,
    /// By the host's port.
    proxies: HashMap<u16, [Proxy; 2]>,
}

/// What is done about one published port.
struct Port {
    translate: Rule,
    accept: Rule,
    /// Where the host reaches its own containers by themselves: not with a proxy. moby sees that it is not there.
    hairpin: Rule,
    /// Of moby 28.0, which later ones see gone.
    legacy: Rule,
}

impl Libnetwork {
    pub(super) fn new(bridge: &str) -> Result<Self> {
        Ok(Self {
            starter: Starter::new()?,
            wiring: Wiring::open(bridge, Some(GATEWAY))?,
            bridge: bridge.to_owned(),
            proxies: HashMap::new(),
        })
    }

    /// Nobody reaches a container by its own address from elsewhere.
    fn direct_access(&self, address: Ipv4Addr) -> Rule {
        Rule {
            table: "raw",
            chain: "PREROUTING",
            says: format!("-d {address} ! -i {} -j DROP", self.bridge),
        }
    }

    fn port(&self, address: Ipv4Addr, port: u16) -> Port {
        let bridge = &self.bridge;
        let rule = |table, chain, says| Rule { table, chain, says };
        Port {
            translate: rule(
                "nat",
                "DOCKER",
                format!(
                    "-p tcp -d 0/0 --dport {port} -j DNAT --to-destination {address}:{PUBLISHED} ! -i {bridge}"
                ),
            ),
            accept: rule(
                "filter",
                "DOCKER",
                format!(
                    "! -i {bridge} -o {bridge} -p tcp -d {address} --dport {PUBLISHED} -j ACCEPT"
                ),
            ),
            hairpin: rule(
                "nat",
                "POSTROUTING",
                format!("-p tcp -s {address} -d {address} --dport {PUBLISHED} -j MASQUERADE"),
            ),
            legacy: rule(
                "raw",
                "PREROUTING",
                format!("-p tcp -d {address} --dport {PUBLISHED} ! -i {bridge} -j DROP"),
            ),
        }
    }
}

impl Hand for Libnetwork {
    fn attach(&mut self, waiting: &Waiting) -> Result<()> {
        let address = waiting.container.address;
        self.wiring
            .connect(&waiting.container, &waiting.namespace)?;
        self.direct_access(address).append()?;
        let Some(port) = waiting.port else {
            return Ok(());
        };
        let mut start = |host: IpAddr| self.starter.start((host, port), address);
        let proxies = [
            start(Ipv4Addr::UNSPECIFIED.into())?,
            start(Ipv6Addr::UNSPECIFIED.into())?,
        ];
        self.proxies.insert(port, proxies);
        let rules = self.port(address, port);
        rules.legacy.delete()?;
        rules.translate.append()?;
        rules.hairpin.delete()?;
        rules.accept.insert()?;
        // Once more, for the port at the host's IPv6 addresses, which has no other rule.
        rules.legacy.delete()
    }

    fn detach(&mut self, waiting: &Waiting) -> Result<()> {
        let address = waiting.container.address;
        if let Some(port) = waiting.port {
            self.proxies.remove(&port);
            let rules = self.port(address, port);
            rules.legacy.delete()?;
            rules.translate.delete()?;
            rules.hairpin.delete()?;
            rules.accept.delete()?;
            rules.legacy.delete()?;
        }
        self.direct_access(address).delete()?;
        self.wiring.disconnect(&waiting.container)
    }
}
