//! The kernel's bridge with a veth pair to each container: what Docker makes.

use std::path::Path;

use anyhow::Result;
use vswitch_e2e::Host;

/// A bridge in a host's own namespace.
pub(in crate::lab::peers) struct Bridge<'a> {
    host: &'a Host,
    name: &'static str,
}

impl<'a> Bridge<'a> {
    pub(in crate::lab::peers) fn new(host: &'a Host, name: &'static str) -> Result<Self> {
        host.run(&format!("ip link add {name} type bridge"))?;
        host.run(&format!("ip link set {name} up"))?;
        keep_from_iptables(host)?;
        Ok(Self { host, name })
    }

    /// Makes a container: a namespace with an interface `eth0` on the bridge.
    pub(in crate::lab::peers) fn connect(&self, container: &str, address: &str) -> Result<()> {
        let (host, bridge) = (self.host, self.name);
        host.run(&format!("ip netns add {container}"))?;
        host.run(&format!(
            "ip link add {container} type veth peer name eth0 netns {container}"
        ))?;
        host.run(&format!("ip link set {container} master {bridge} up"))?;
        host.run_in(container, "ip link set lo up")?;
        host.run_in(container, &format!("ip address add {address} dev eth0"))?;
        host.run_in(container, "ip link set eth0 up")?;
        Ok(())
    }
}

/// Plain bridges: where `br_netfilter` is loaded, frames would go through iptables as well.
pub(super) fn keep_from_iptables(host: &Host) -> Result<()> {
    for table in ["iptables", "ip6tables", "arptables"] {
        let setting = format!("bridge-nf-call-{table}");
        if Path::new("/proc/sys/net/bridge").join(&setting).exists() {
            host.run(&format!("sysctl -q -w net.bridge.{setting}=0"))?;
        }
    }
    Ok(())
}
