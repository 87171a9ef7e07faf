//! LANs: bridges on a physical network, whose frames leave by sockets on a NIC (macvlan, ipvlan, VLANs).
//!
//! A LAN is one VLAN on one NIC, its *parent*, or on none. Networks with the same VLAN on the same parent
//! share it, as they are on the same physical segment. It does not learn: it knows its own *stations* by
//! their addresses, and everything else is behind the *wire*, as in Linux' macvlan.

mod arrive;
mod depart;
mod egress;
mod index;
mod mode;
mod sender;
mod station;
mod tag;
mod translate;

use vswitch_packet::VlanId;
use vswitch_packet::ethernet::EtherType;

use crate::port::PortId;

pub(crate) use arrive::arrive;
pub(crate) use depart::depart;
pub use egress::{Exit, Onward, Spread};
pub use index::Lans;
pub use mode::Mode;
pub(crate) use station::Member;
pub use station::{Face, Station};
pub use tag::WireTag;

/// What a bridge needs to be a part of a LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lan {
    /// Which LAN.
    pub wire: Wire,
    /// It is the whole parent's: frames of all VLANs belong to it, with their tags in band.
    pub transparent: bool,
}

/// What a LAN is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// A VLAN on a NIC.
    Parent {
        /// The NIC's port.
        port: PortId,
        /// The VLAN, and the type of its tags: 802.1Q or 802.1ad. Without one, what is not tagged.
        tag: Option<(EtherType, VlanId)>,
    },
    /// No NIC. The number tells such LANs apart.
    Internal(u32),
}
