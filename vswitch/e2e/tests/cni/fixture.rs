//! What nearly every test begins with.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vswitch_e2e::{CniNetwork, Daemon, Host, Outside, Place, WAN0};

/// How long the switch may take for what it does in its own time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A host with an outside behind its NIC `wan0`, and a daemon.
pub(crate) struct Lab {
    // Dropped in this order: the daemon, then its host.
    pub(crate) daemon: Daemon,
    pub(crate) outside: Outside,
    pub(crate) host: Host,
}

impl Lab {
    pub(crate) fn new() -> Result<Self> {
        let host = Host::new()?;
        let outside = Outside::new(&host, WAN0)?;
        outside.route_everything(&host)?;
        let daemon = Daemon::start(&host)?;
        Ok(Self {
            daemon,
            outside,
            host,
        })
    }

    /// A network `web` in 10.20.0.0/24 and fd20::/64.
    pub(crate) fn web(&self) -> Result<CniNetwork> {
        self.network(json!({
            "ipam": {"type": "vswitch", "subnets": ["10.20.0.0/24", "fd20::/64"]},
        }))
    }

    /// A network `web` with fields of its configuration.
    pub(crate) fn network(&self, fields: Value) -> Result<CniNetwork> {
        CniNetwork::new(&self.host, &self.daemon, "web", fields)
    }

    /// Makes a container's namespace, as a runtime does before it calls plugins.
    pub(crate) fn container(&self, name: &str) -> Result<Place> {
        self.host.run(&format!("ip netns add {name}"))?;
        self.host.run_in(name, "ip link set lo up")?;
        Ok(self.host.sandbox(name))
    }

    /// What the daemon says of the network's endpoints, by sandbox.
    pub(crate) fn endpoints(&self, network: &str) -> Result<serde_json::Map<String, Value>> {
        let inspected = self.daemon.json(&format!("inspect {network}"))?;
        let containers = inspected[0]["Containers"].as_object();
        Ok(containers.context("no containers")?.clone())
    }

    /// Nothing is attached to a network, and no interface of a container's is left.
    pub(crate) fn is_empty(&self, network: &str, containers: &[&str]) -> Result<()> {
        let endpoints = self.endpoints(network)?;
        ensure!(endpoints.is_empty(), "{endpoints:?}");
        for container in containers {
            let interfaces = self.host.interfaces_in(container)?;
            ensure!(interfaces == ["lo"], "{container}: {interfaces:?}");
        }
        let left = self.host.interfaces()?;
        ensure!(!left.iter().any(|name| name.starts_with("vs-")), "{left:?}");
        Ok(())
    }
}

/// What a failed test is looked at with.
impl Drop for Lab {
    fn drop(&mut self) {
        for command in ["list-nets", "list-sandboxes", "stats", "ports"] {
            if let Ok(table) = self.daemon.ctl(command) {
                println!("-- {command}:\n{table}");
            }
        }
    }
}

/// The address of a family, 4 or 6, that ADD answered.
pub(crate) fn address(result: &Value, family: u8) -> Result<IpAddr> {
    let ips = result["ips"].as_array().context("no ips")?;
    let texts = ips.iter().filter_map(|ip| ip["address"].as_str());
    for text in texts {
        let (address, _) = text.split_once('/').context("no prefix length")?;
        let address: IpAddr = address.parse()?;
        if address.is_ipv4() == (family == 4) {
            return Ok(address);
        }
    }
    anyhow::bail!("no address of IPv{family}: {result}")
}
