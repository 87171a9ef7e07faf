//! What becomes of a frame.

use crate::port::PortId;

/// The outcome for one frame. A dropped frame is an outcome, never an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Out at this port.
    Out(PortId),
    /// Out at every port that [`crate::Topology::flood`] names.
    Flood(Reach),
    /// The gateway's answer, of this many octets in [`crate::Reply`], goes out at the ingress port.
    Reply(usize),
    /// Nowhere.
    Drop(DropReason),
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
    /// A VLAN tag on an access port, or the reserved VLAN 4095.
    VlanNotAllowed = "vlan_not_allowed",
    /// ARP or IP that contradicts its own lengths, from a port whose addresses are checked.
    Malformed = "malformed",
    /// The source MAC address is not the port's.
    SpoofedMac = "spoofed_mac",
    /// The source IP address, or the address ARP or ND claims, is not the port's.
    SpoofedAddress = "spoofed_address",
    /// A router advertisement or redirect from an endpoint.
    RogueRouter = "rogue_router",
    /// Over the port's limit of flooded frames.
    StormLimit = "storm_limit",
    /// Both ports are isolated from each other (`enable_icc=false`).
    Isolated = "isolated",
    /// The destination is behind the port the frame came from.
    Hairpin = "hairpin",
    /// The destination's port is in another VLAN.
    VlanMismatch = "vlan_mismatch",
    /// The gateway knows no way to the destination.
    NoRoute = "no_route",
    /// To the gateway, which does not serve it (no host port, or not ARP, ND or IP).
    NotServed = "not_served",
    /// An IP header the gateway must not accept (RFC 1812 §5.2.2).
    BadIpHeader = "bad_ip_header",
    /// Longer than the MTU of the port it should leave by.
    TooBig = "too_big",
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
