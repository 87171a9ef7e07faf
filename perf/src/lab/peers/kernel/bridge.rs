//! The kernel's bridge with a veth pair to each container: what Docker makes.

use std::path::Path;

use anyhow::{Result, ensure};
use vswitch_e2e::Host;

use crate::lab::peers::container::switch_on;

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
        switch_on(host, container, address)
    }
}

/// Plain bridges: where `br_netfilter` is loaded, frames would go through iptables as well.
pub(super) fn keep_from_iptables(host: &Host) -> Result<()> {
    // Before the first bridge: if it were loaded later, it would come to those that are there.
    if !has_br_netfilter() {
        load_br_netfilter(host)?;
    }
    if has_br_netfilter() {
        call_tables(host, false)?;
    }
    Ok(())
}

/// Docker's bridges: frames go through iptables as well.
///
/// # Errors
/// If the kernel has no `br_netfilter`.
pub(in crate::lab::peers) fn pass_to_iptables(host: &Host) -> Result<()> {
    ensure!(
        has_br_netfilter(),
        "this kernel has no br_netfilter, built in or as a module"
    );
    call_tables(host, true)
}

const SETTINGS: &str = "/proc/sys/net/bridge";

fn has_br_netfilter() -> bool {
    Path::new(SETTINGS).join("bridge-nf-call-iptables").exists()
}

/// Loads the module, if there is one, as Docker does.
fn load_br_netfilter(host: &Host) -> Result<()> {
    let modprobe = "modprobe --quiet br_netfilter 2>/dev/null || true";
    host.program("sh").args(["-c", modprobe]).output()?;
    Ok(())
}

fn call_tables(host: &Host, call: bool) -> Result<()> {
    let value = u8::from(call);
    for table in ["iptables", "ip6tables", "arptables"] {
        host.run(&format!(
            "sysctl -q -w net.bridge.bridge-nf-call-{table}={value}"
        ))?;
    }
    Ok(())
}
