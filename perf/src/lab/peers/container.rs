//! The containers of one network: their names and addresses, the same through every switch.

use std::net::Ipv4Addr;

use vswitch_e2e::Host;

use crate::lab::path::{End, Ends};

/// One container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    /// Its namespace.
    pub(super) name: String,
    /// Its address.
    pub(super) address: Ipv4Addr,
}

/// The network of all of them.
pub(super) const SUBNET: &str = "10.99.0.0/16";
/// The length of its prefix.
pub(super) const PREFIX: u8 = 16;
/// The gateway's address, where there is one.
pub(super) const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The first container's address.
pub(super) const LEFT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
/// The second one's.
pub(super) const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 3);

/// As many containers as are wanted; the first two are the ends of most cases.
pub(super) fn containers(count: usize) -> Vec<Container> {
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

/// The first two of a host's containers, and the others.
///
/// # Errors
/// If there are fewer than two.
pub(super) fn ends(host: &Host, containers: &[Container]) -> anyhow::Result<(Ends, Vec<End>)> {
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
