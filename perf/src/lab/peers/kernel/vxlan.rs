//! The kernel's VXLAN device and bridge on each of two hosts.

use std::net::Ipv4Addr;

use anyhow::Result;
use vswitch_e2e::{Host, KernelTunnel, KernelVtep, Station};

use super::bridge::keep_from_iptables;
use crate::lab::path::{End, Ends};
use crate::lab::peer::Peer;
use crate::lab::peers::container::{LEFT, PREFIX, RIGHT};
use crate::lab::underlay::{ADDRESSES, INNER_MTU, Underlay, VNI, check_offloads};

/// What the VXLAN device takes from a bridge, and joins for it again.
const OFFLOADS: [&str; 6] = [
    "rx-checksumming",
    "tx-checksumming",
    "scatter-gather",
    "tcp-segmentation-offload",
    "generic-segmentation-offload",
    "generic-receive-offload",
];

pub(super) fn set_up() -> Result<Peer> {
    let (underlay, [left, right]) = Underlay::new()?;
    let [near, far] = ADDRESSES;
    let left = vtep(left, near, far, (LEFT, "02:42:0a:63:00:02"))?;
    let right = vtep(right, far, near, (RIGHT, "02:42:0a:63:00:03"))?;
    let end = |vtep: &KernelVtep, address: Ipv4Addr| End {
        place: vtep.container(),
        address: address.to_string(),
    };
    let ends = Ends {
        left: end(&left, LEFT),
        right: end(&right, RIGHT),
    };
    Ok(Peer {
        underlay: Some(underlay),
        ..Peer::new(ends, None, [left, right])
    })
}

/// Makes the container and its way to the other host.
fn vtep(
    host: Host,
    local: &str,
    peer: &str,
    (address, mac): (Ipv4Addr, &str),
) -> Result<KernelVtep> {
    keep_from_iptables(&host)?;
    let tunnel = KernelTunnel::new(VNI, local.parse()?);
    let station = Station {
        mac: mac.to_owned(),
        addresses: vec![format!("{address}/{PREFIX}")],
        mtu: INNER_MTU,
    };
    let vtep = KernelVtep::new(host, &tunnel, &station)?;
    vtep.add_peer(peer.parse()?)?;
    check_offloads(vtep.host(), "vx0", &OFFLOADS)?;
    Ok(vtep)
}
