//! A host's NIC and what is behind it: a veth pair to a namespace of its own.

use anyhow::Result;
use vswitch_e2e::Host;

use super::container::switch_on;
use crate::lab::path::{End, Ends};

/// The interface that leads outside, in the host's own namespace.
pub(super) const NIC: &str = "wan0";

/// A container that is on the NIC's network itself.
pub(super) const NEIGHBOUR: &str = "container";

/// Addresses of documentation (RFC 5737 §3): none is ever meant.
pub(super) const SUBNET: &str = "192.0.2.0/24";
/// The namespace at the far end of the NIC's cable.
pub(crate) const OUTSIDE_NAME: &str = "outside";
const OUTSIDE: &str = "192.0.2.1";
/// The host's address.
pub(crate) const HOST: &str = "192.0.2.2";
pub(super) const NEIGHBOUR_ADDRESS: &str = "192.0.2.3";

/// Gives a host a NIC, an address and a default route.
pub(super) fn connect(host: &Host) -> Result<()> {
    host.run(&format!("ip netns add {OUTSIDE_NAME}"))?;
    host.run(&format!(
        "ip link add {NIC} type veth peer name eth0 netns {OUTSIDE_NAME}"
    ))?;
    switch_on(host, OUTSIDE_NAME, &format!("{OUTSIDE}/24"))?;
    host.run(&format!("ip address add {HOST}/24 dev {NIC}"))?;
    host.run(&format!("ip link set {NIC} up"))?;
    host.run(&format!("ip route add default via {OUTSIDE}"))?;
    Ok(())
}

/// A container that publishes its ports at the host's address, and the outside.
pub(super) fn ends(host: &Host, container: &str) -> Ends {
    with_outside(host, container, HOST)
}

/// The container that is on the NIC's network itself, and the outside.
pub(super) fn neighbours(host: &Host) -> Ends {
    with_outside(host, NEIGHBOUR, NEIGHBOUR_ADDRESS)
}

fn with_outside(host: &Host, container: &str, address: &str) -> Ends {
    Ends {
        left: End {
            place: host.sandbox(container),
            address: address.to_owned(),
        },
        right: End {
            place: host.sandbox(OUTSIDE_NAME),
            address: OUTSIDE.to_owned(),
        },
    }
}
