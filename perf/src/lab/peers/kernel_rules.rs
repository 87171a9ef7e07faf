//! The kernel's bridge with what Docker leaves on it: frames from container to container go through iptables
//! and conntrack too, where `br_netfilter` is there, which Docker loads.

use anyhow::{Context, Result, ensure};
use vswitch_e2e::Host;

use super::container::{GATEWAY, PREFIX, SUBNET, containers, ends};
use super::docker::Rules;
use super::kernel::{Bridge, pass_to_iptables};
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

pub(super) const KIND: PeerKind = PeerKind {
    name: "kernel-rules",
    help: "The kernel's bridge with Docker's rules: iptables and conntrack by `br_netfilter`",
    needs: &[("iptables-restore", "iptables")],
    title: |setting| {
        matches!(setting, Setting::Bridge { .. }).then_some("kernel bridge, Docker's rules")
    },
    takes: |_| true,
    set_up: |setting| match setting {
        Setting::Bridge { containers } => set_up(containers),
        _ => anyhow::bail!("not made for {setting:?}"),
    },
};

const BRIDGE: &str = "docker0";

fn set_up(count: usize) -> Result<Peer> {
    let host = Host::new()?;
    let bridge = Bridge::new(&host, BRIDGE)?;
    pass_to_iptables(&host)?;
    host.run(&format!("ip address add {GATEWAY}/{PREFIX} dev {BRIDGE}"))?;
    host.run("sysctl -q -w net.ipv4.ip_forward=1")?;
    let containers = containers(count);
    let rules = Rules {
        bridge: BRIDGE,
        subnet: SUBNET,
        containers: containers.iter().map(|c| c.address).collect(),
        ports: &[],
    };
    rules.apply(&host)?;
    for container in &containers {
        bridge.connect(&container.name, &container.with_prefix())?;
    }
    let (ends, others) = ends(&host, &containers)?;
    let before = passed(&host)?;
    ends.check()?;
    ensure!(
        passed(&host)? > before,
        "frames go from container to container and none through iptables"
    );
    Ok(Peer {
        others,
        ..Peer::new(ends, None, host)
    })
}

/// How many frames iptables and conntrack have let through as part of a connection.
fn passed(host: &Host) -> Result<u64> {
    let saved = host.run("iptables-save -c -t filter")?;
    let counted = established(&saved);
    counted.with_context(|| format!("no rule for what is established:\n{saved}"))
}

/// Reads `[3:252] -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`.
fn established(saved: &str) -> Option<u64> {
    let mut lines = saved.lines();
    let line = lines.find(|line| line.contains("-A DOCKER-CT "))?;
    let (packets, _) = line.strip_prefix('[')?.split_once(':')?;
    packets.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read() {
        let saved = "\
:DOCKER-CT - [0:0]
[4:336] -A FORWARD -j DOCKER-USER
[3:252] -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
";
        assert_eq!(established(saved), Some(3));
        assert_eq!(established("[4:336] -A FORWARD -j DOCKER-USER"), None);
    }
}
