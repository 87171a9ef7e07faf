//! What becomes of a frame.

use crate::lan::Onward;
use crate::port::PortId;
use crate::router::{Exit, Link};

/// The outcome for one frame. A dropped frame is an outcome, never an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Out at this port.
    Out(PortId),
    /// Out at every port that [`crate::Topology::flood`] names.
    Flood(Reach),
    /// The gateway's answer, of this many octets in [`crate::Reply`], goes out at the ingress port.
    Reply(usize),
    /// Through the router and out; the frame was readdressed.
    Routed(Exit),
    /// A copy waits, and will come in again.
    Held,
    /// As [`Verdict::Held`]; the question after the neighbour it waits for, of this many octets in
    /// [`crate::Reply`], goes out on the link.
    Asked(Link, usize),
    /// Where the LAN of its port has it go.
    Lan(Onward),
    /// It was for the router itself, which has heard it.
    Taken,
    /// Nowhere.
    Drop(DropReason),
    /// Nowhere, and the sender is told so: an ICMP error of this many octets in [`crate::Reply`]
    /// goes out at the ingress port.
    Rejected(DropReason, usize),
}

/// How far a flooded frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All ports of the bridge.
    Bridge,
    /// The group's members and the ports towards multicast routers.
    Group(crate::snoop::Group),
    /// The ports towards multicast routers alone: where membership reports go (RFC 4541 §2.1.1).
    Routers,
}

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a frame was dropped. Each reason has a counter at each port.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DropReason { $($(#[doc = $doc])+ $variant,)+ }

        impl DropReason {
            /// All reasons, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The reason's name in `vsctl stats` and the metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

drop_reasons! {
    /// Shorter than its Ethernet header.
    Runt = "runt",
    /// Longer than 65535 octets of packet.
    Giant = "giant",
    /// The virtio header has an unknown flag or type, or contradicts the frame.
    BadOffload = "bad_offload",
    /// The source address is a group or zero (IEEE 802.1D §7.8).
    BadSource = "bad_source",
    /// To 01:80:C2:00:00:00 to 0F, which a bridge does not forward.
    ReservedGroup = "reserved_group",
    /// A VLAN tag on an access port or from a station of a LAN, the reserved VLAN 4095, or, from a wire, a
    /// second tag where there should be one.
    VlanNotAllowed = "vlan_not_allowed",
    /// ARP or IP that contradicts its own lengths, from a port whose addresses are checked; a
    /// transport header that does, where it was to be translated.
    Malformed = "malformed",
    /// The source MAC address is not the port's.
    SpoofedMac = "spoofed_mac",
    /// The source IP address, or the address ARP or ND claims, is not the port's.
    SpoofedAddress = "spoofed_address",
    /// A router advertisement or redirect from an endpoint.
    RogueRouter = "rogue_router",
    /// Over the port's limit of flooded frames.
    StormLimit = "storm_limit",
    /// Both ports, both networks, or both stations of a LAN are isolated from each other.
    Isolated = "isolated",
    /// The destination is behind the port the frame came from.
    Hairpin = "hairpin",
    /// The destination's port is in another VLAN.
    VlanMismatch = "vlan_mismatch",
    /// The router knows no way to the destination.
    NoRoute = "no_route",
    /// A route of the host forbids the destination.
    Prohibited = "prohibited",
    /// A route of the host swallows what is for the destination.
    Blackhole = "blackhole",
    /// Out of or into an internal network.
    Internal = "internal",
    /// To a container's own address, where nothing admits it.
    NotPublished = "not_published",
    /// To a mapping, from somebody who may not answer to it (RFC 4787 §5).
    Filtered = "filtered",
    /// An ICMP error about no conversation that is known.
    NoMapping = "no_mapping",
    /// From outside, and the host's own affair, or for nobody here.
    NotOurs = "not_ours",
    /// From or to an address that no packet may cross a router with (RFC 1812 §5.3.7), or from
    /// one that cannot be where it came from.
    Martian = "martian",
    /// To all hosts of a network at once (RFC 2644).
    DirectedBroadcast = "directed_broadcast",
    /// With a route of its own (RFC 7126 §4.3, RFC 5095).
    SourceRoute = "source_route",
    /// Its time to live, or hop limit, is used up.
    TtlExceeded = "ttl_exceeded",
    /// The way out has no address to translate to.
    NoSource = "no_source",
    /// All ports of the address to translate to are taken.
    PortsExhausted = "ports_exhausted",
    /// The container has as many sessions as it may have.
    SessionLimit = "session_limit",
    /// The translator's table is full.
    TableFull = "table_full",
    /// A protocol without ports, which cannot share an address; or something that says a MAC address
    /// where it cannot be replaced (counted at the parent's port, which it should leave by).
    Untranslatable = "untranslatable",
    /// A fragment that overlaps another, or more fragments than may wait.
    BadFragment = "bad_fragment",
    /// The neighbour it should go to does not answer.
    NeighbourUnreachable = "neighbour_unreachable",
    /// Too much waits already for the neighbour it should go to.
    NeighbourQueueFull = "neighbour_queue_full",
    /// To the gateway, which does not serve it (no host port, or not ARP, ND or IP; on a point-to-point
    /// link, all but unicast IP).
    NotServed = "not_served",
    /// An IP header the gateway must not accept (RFC 1812 §5.2.2).
    BadIpHeader = "bad_ip_header",
    /// Longer than the MTU of the port it should leave by; counted there, or at the ingress port
    /// if it was routed.
    TooBig = "too_big",
    /// A datagram that holds no frame: too short, or without the I flag (RFC 7348 §5).
    BadVxlan = "bad_vxlan",
    /// A datagram of a segment that is not here.
    UnknownVni = "unknown_vni",
    /// A datagram from a host that is no peer.
    UnknownVtep = "unknown_vtep",
    /// A datagram of a tunnel from one of this host's own addresses, or from a container; or a frame of
    /// a station of ours that a wire has brought back, where it may not go.
    Reflected = "reflected",
    /// A VLAN tag, where tunnels carry none (RFC 7348 §6.1).
    InnerVlan = "inner_vlan",
    /// Marked by congestion in a tunnel, and its transport would not hear of it (RFC 6040 §4.2).
    CongestionMarked = "congestion_marked",
    /// From one tunnel to another.
    SplitHorizon = "split_horizon",
    /// From or to a container of another host, by way of what each host has for itself.
    NotLocal = "not_local",
    /// Longer than the way to the other host carries.
    UnderlayMtu = "underlay_mtu",
    /// From a wire, a VLAN no network here is in.
    VlanUnknown = "vlan_unknown",
    /// No station that it could reach without a wire has the destination.
    NoStation = "no_station",
    /// From a DHCP server to a station whose lease is managed for it; counted at the station's port.
    ManagedDhcp = "managed_dhcp",
    /// There is no way to the other host.
    UnderlayUnreachable = "underlay_unreachable",
    /// The host's firewall forbids the datagram.
    UnderlayForbidden = "underlay_forbidden",
    /// The port it should leave by is going away.
    PortGone = "port_gone",
    /// The port's device is down.
    PortDown = "port_down",
    /// The port's queue was full.
    QueueFull = "queue_full",
    /// The kernel refused the frame.
    Refused = "refused",
}

impl DropReason {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The place of the reason's counter.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl From<vswitch_nat::Refusal> for DropReason {
    fn from(refusal: vswitch_nat::Refusal) -> Self {
        use vswitch_nat::Refusal;
        match refusal {
            Refusal::NotOurs => Self::NotOurs,
            Refusal::Filtered => Self::Filtered,
            Refusal::NoSession => Self::NoMapping,
            Refusal::PortsExhausted => Self::PortsExhausted,
            Refusal::SessionLimit => Self::SessionLimit,
            Refusal::TableFull => Self::TableFull,
            Refusal::Untranslatable => Self::Untranslatable,
            Refusal::Malformed => Self::Malformed,
            // A held fragment is not dropped; who asks for a reason all the same gets the nearest.
            Refusal::BadFragment | Refusal::Held => Self::BadFragment,
        }
    }
}

impl From<vswitch_packet::FrameError> for DropReason {
    fn from(error: vswitch_packet::FrameError) -> Self {
        use vswitch_packet::FrameError::{BadChecksumRange, BadGso, Giant, Runt, UnknownOffload};
        match error {
            Runt => Self::Runt,
            Giant => Self::Giant,
            UnknownOffload | BadChecksumRange | BadGso => Self::BadOffload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_indices_dense() {
        let mut names: Vec<_> = DropReason::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::COUNT);
        for (place, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), place);
        }
    }
}
