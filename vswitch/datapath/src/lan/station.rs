//! Stations: endpoints and host ports on a LAN.

use std::net::IpAddr;

use vswitch_packet::{Frame, MacAddr};

use super::{Mode, translate};
use crate::port::Port;

/// What a port needs to be on a LAN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// Whom it reaches without the wire.
    pub mode: Mode,
    /// How the wire sees it.
    pub face: Face,
    /// Its IP addresses, by which it is found where several stations share a MAC address.
    pub addresses: Vec<IpAddr>,
    /// Its lease is somebody else's affair: it hears of no DHCP server.
    pub managed_dhcp: bool,
}

/// How the wire sees a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Face {
    /// By its own MAC address (macvlan).
    Own,
    /// By the parent's MAC address, which is its own as well (ipvlan in mode l2).
    Shared,
    /// By the parent's MAC address, while its own is another, which stations here see.
    Translated,
}

/// A station, and its port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'t> {
    pub(crate) port: &'t Port,
    pub(crate) station: &'t Station,
}

impl<'t> Member<'t> {
    /// `None` if `port` is not on a LAN.
    pub(crate) fn of(port: &'t Port) -> Option<Self> {
        let station = port.station.as_deref()?;
        Some(Self { port, station })
    }

    /// Its MAC address, if no other station has it, too.
    pub(super) fn own_mac(&self) -> Option<MacAddr> {
        (self.station.face != Face::Shared).then_some(self.port.mac)
    }

    /// The MAC address by which the wire knows it, behind `parent`.
    pub(crate) fn mac_on_wire(&self, parent: &Port) -> MacAddr {
        match self.station.face {
            Face::Own => self.port.mac,
            Face::Shared | Face::Translated => parent.mac,
        }
    }

    /// Addresses `frame`, which may be for a shared MAC address, to its own.
    #[inline]
    pub(super) fn readdress(&self, frame: &mut Frame<'_>) {
        if frame.destination() != self.port.mac {
            translate::inward(frame, self.port.mac);
        }
    }
}
