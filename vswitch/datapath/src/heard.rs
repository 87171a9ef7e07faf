//! What ARP and ND say of neighbours, on bridges and on uplinks.

use std::net::IpAddr;

use vswitch_packet::{MacAddr, Moment};

use crate::port::Port;
use crate::router::{Interface, Pending};

/// Somebody said something on a link.
#[derive(Clone, Copy)]
pub(crate) struct Heard<'a> {
    /// The router's interface there.
    pub(crate) interface: Interface<'a>,
    /// What waits for neighbours.
    pub(crate) pending: &'a Pending,
    /// The port it was heard at.
    pub(crate) port: &'a Port,
    pub(crate) now: Moment,
}

impl Heard<'_> {
    /// Updates what is known of a neighbour, if anything is.
    pub(crate) fn refresh(self, address: IpAddr, mac: MacAddr) {
        let neighbours = self.interface.neighbours;
        if neighbours.refresh(address, mac, self.port.id, self.now) {
            self.pending.resolved(self.interface.link, address);
        }
    }

    /// Learns a neighbour that turned to us. Who is not of the link's subnets is learned only if
    /// somebody waits for it: the host may have a router that is in none of them.
    pub(crate) fn learn(self, address: IpAddr, mac: MacAddr) {
        let wanted = || self.pending.wants(self.interface.link, address);
        let one = !self.interface.is_broadcast(address);
        if one && (self.interface.is_on_link(address) || wanted()) {
            let neighbours = self.interface.neighbours;
            if neighbours.learn(address, mac, self.port.id, self.now) {
                self.pending.resolved(self.interface.link, address);
            }
        }
    }
}
