//! The kernel's bridge with a veth pair to each end: what Docker makes.

use std::path::Path;

use anyhow::Result;
use vswitch_e2e::Host;

use super::{LEFT, RIGHT};
use crate::lab::peer::{Ends, Peer};

pub(crate) struct KernelBridge {
    _host: Host,
    ends: Ends,
}

impl KernelBridge {
    pub(crate) fn set_up() -> Result<Self> {
        let host = Host::new()?;
        host.run("ip link add br0 type bridge")?;
        host.run("ip link set br0 up")?;
        for (name, address) in [("left", LEFT), ("right", RIGHT)] {
            host.run(&format!("ip netns add {name}"))?;
            host.run(&format!(
                "ip link add {name} type veth peer name eth0 netns {name}"
            ))?;
            host.run(&format!("ip link set {name} master br0 up"))?;
            host.run_in(name, "ip link set lo up")?;
            host.run_in(name, &format!("ip address add {address}/24 dev eth0"))?;
            host.run_in(name, "ip link set eth0 up")?;
        }
        // A plain bridge: where br_netfilter is loaded, frames would go through iptables as well.
        for table in ["iptables", "ip6tables", "arptables"] {
            let setting = format!("bridge-nf-call-{table}");
            if Path::new("/proc/sys/net/bridge").join(&setting).exists() {
                host.run(&format!("sysctl -q -w net.bridge.{setting}=0"))?;
            }
        }
        let ends = Ends {
            left: host.sandbox("left"),
            right: host.sandbox("right"),
            address: RIGHT.to_owned(),
        };
        Ok(Self { _host: host, ends })
    }
}

impl Peer for KernelBridge {
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn process(&self) -> Option<u32> {
        None
    }
}
