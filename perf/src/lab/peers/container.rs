//! The containers of one network: their names and addresses, the same through every switch.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::Host;
use vswitch_netio::netlink::Netlink;
use vswitch_netio::netns::Netns;

use crate::lab::path::{End, Ends};

/// One container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    /// Its namespace.
    pub(crate) name: String,
    /// Its address.
    pub(crate) address: Ipv4Addr,
}

impl Container {
    /// Its address, with the length of the prefix.
    pub(super) fn with_prefix(&self) -> String {
        format!("{}/{PREFIX}", self.address)
    }
}

/// The network of all of them.
pub(crate) const SUBNET: &str = "10.99.0.0/16";
/// The length of its prefix.
pub(crate) const PREFIX: u8 = 16;
/// The address of the network's gateway, where it has one.
pub(crate) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The first container's address.
pub(crate) const LEFT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
/// The second one's.
pub(crate) const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 3);

/// The index of the loopback interface, in every namespace.
const LOOPBACK: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(60);

/// As many containers as are wanted; the first two are the ends of most cases.
pub(crate) fn containers(count: usize) -> Vec<Container> {
    let name = |index| match index {
        0 => "left".to_owned(),
        1 => "right".to_owned(),
        _ => format!("c{index}"),
    };
    let addresses = (u32::from(LEFT)..).map(Ipv4Addr::from);
    let numbered = addresses.take(count).enumerate();
    let container = |(index, address)| Container {
        name: name(index),
        address,
    };
    numbered.map(container).collect()
}

/// Makes their namespaces on a host, with loopback and nothing else in them; in the same order.
///
/// # Errors
/// If the kernel refuses.
pub(crate) fn namespaces(host: &Host, containers: &[Container]) -> Result<Vec<Netns>> {
    // One process for all: there may be a thousand.
    let names = containers.iter().map(|container| &container.name);
    let lines: String = names.map(|name| format!("netns add {name}\n")).collect();
    let ip = host.program("ip").args(["-batch", "-"]).input(&lines)?;
    ip.timeout(PATIENCE).output()?;
    let open = |container: &Container| -> Result<Netns> {
        let file = host.path(&format!("/run/netns/{}", container.name));
        let namespace = Netns::open(file)?;
        namespace.run(|| Netlink::open()?.set_up(LOOPBACK))??;
        Ok(namespace)
    };
    let namespaces: Result<_> = containers.iter().map(open).collect();
    namespaces.context("make the containers' namespaces")
}

/// Switches on a namespace that has its `eth0`, with an address and the length of its prefix.
///
/// # Errors
/// If the kernel refuses.
pub(super) fn switch_on(host: &Host, namespace: &str, address: &str) -> Result<()> {
    host.run_in(namespace, "ip link set lo up")?;
    host.run_in(namespace, &format!("ip address add {address} dev eth0"))?;
    host.run_in(namespace, "ip link set eth0 up")?;
    Ok(())
}

/// The first two of a host's containers, and the others.
///
/// # Errors
/// If there are fewer than two.
pub(crate) fn ends(host: &Host, containers: &[Container]) -> Result<(Ends, Vec<End>)> {
    let mut all = containers.iter().map(|container| End {
        place: host.sandbox(&container.name),
        address: container.address.to_string(),
    });
    let first_two = all.next().zip(all.next());
    let (left, right) =
        first_two.ok_or_else(|| anyhow::anyhow!("a path has two ends, and {all:?} has not"))?;
    Ok((Ends { left, right }, all.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_containers_have_addresses_of_their_own() {
        let containers = containers(1000);
        assert_eq!(containers.len(), 1000);
        assert_eq!(
            (&*containers[0].name, containers[0].address),
            ("left", LEFT)
        );
        assert_eq!(
            (&*containers[1].name, containers[1].address),
            ("right", RIGHT)
        );
        assert_eq!(containers[999].address, Ipv4Addr::new(10, 99, 3, 233));
    }
}
