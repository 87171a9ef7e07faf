//! The host under test, and its peers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_datapath::{BridgeId, PortId};

use crate::bench::{BRIDGE, Bench};

/// The segment.
pub(crate) const VNI: u32 = 0x12_3456;
pub(crate) const UNDERLAY: PortId = PortId(20);
/// The tunnels to [`NEAR`] and [`FAR`].
pub(crate) const TO_NEAR: PortId = PortId(21);
pub(crate) const TO_FAR: PortId = PortId(22);
pub(crate) const NEAR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
pub(crate) const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));
/// A host that is no peer.
pub(crate) const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));
/// A peer by IPv6, in segments behind [`UNDERLAY_V6`].
pub(crate) const NEAR_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2));
pub(crate) const UNDERLAY_V6: PortId = PortId(30);
/// Another segment, and its tunnel to [`NEAR`].
pub(crate) const OTHER: BridgeId = BridgeId(1);
pub(crate) const OTHER_VNI: u32 = 0x12_3457;
pub(crate) const OTHER_TO_NEAR: PortId = PortId(25);

/// The tunnel to a multicast group, and its address.
pub(crate) const TO_GROUP: PortId = PortId(23);
pub(crate) const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1));

/// With `count` containers and a tunnel to [`NEAR`].
pub(crate) fn with_peer(count: u32) -> Bench {
    let mut bench = Bench::new(count);
    bench.add_underlay(UNDERLAY);
    bench.add_segment(BRIDGE, VNI, &[UNDERLAY]);
    bench.add_tunnel(TO_NEAR, BRIDGE, NEAR);
    bench
}

/// And one to [`FAR`].
pub(crate) fn with_peers(count: u32) -> Bench {
    let mut bench = with_peer(count);
    bench.add_tunnel(TO_FAR, BRIDGE, FAR);
    bench
}

/// Adds [`OTHER`], with containers at `ports`, to the same underlay.
pub(crate) fn add_other(bench: &mut Bench, ports: &[PortId]) {
    bench.add_bridge(OTHER);
    bench.add_segment(OTHER, OTHER_VNI, &[UNDERLAY]);
    for &port in ports {
        bench.add_port(port, OTHER);
    }
    bench.add_tunnel(OTHER_TO_NEAR, OTHER, NEAR);
}

/// As [`with_peers`], which are reached by a group where a frame is for all.
pub(crate) fn with_group(count: u32) -> Bench {
    let mut bench = with_peers(count);
    bench.add_tunnel(TO_GROUP, BRIDGE, GROUP);
    for port in [TO_NEAR, TO_FAR] {
        bench.edit_tunnel(port, |tunnel| tunnel.is_flooded = false);
    }
    bench
}
