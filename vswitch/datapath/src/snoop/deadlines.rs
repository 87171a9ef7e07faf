//! Ports that each stay until a deadline.

use vswitch_packet::Moment;

use crate::port::PortId;

/// A set of ports, each with the moment at which it goes.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// Sorted by port.
    ports: Vec<(PortId, Moment)>,
}

impl Deadlines {
    /// Keeps `port` until `deadline`. Says whether it is new.
    pub(super) fn set(&mut self, port: PortId, deadline: Moment) -> bool {
        match self.ports.binary_search_by_key(&port, |&(port, _)| port) {
            Ok(place) => {
                self.ports[place].1 = deadline;
                false
            }
            Err(place) => {
                self.ports.insert(place, (port, deadline));
                true
            }
        }
    }

    /// Keeps `port`, or with `None` all ports, no longer than until `deadline`.
    pub(super) fn shorten(&mut self, port: Option<PortId>, deadline: Moment) {
        for (at, until) in &mut self.ports {
            if port.is_none_or(|port| port == *at) {
                *until = deadline.min(*until);
            }
        }
    }

    /// Removes `port`. Says whether it was there.
    pub(super) fn remove(&mut self, port: PortId) -> bool {
        self.retain(|at, _| at != port)
    }

    /// Removes the ports whose time has come. Says whether there were any.
    pub(super) fn expire(&mut self, now: Moment) -> bool {
        self.retain(|_, until| now < until)
    }

    /// When the next port goes.
    pub(super) fn earliest(&self) -> Option<Moment> {
        self.ports.iter().map(|&(_, until)| until).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// The ports with their deadlines, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PortId, Moment)> {
        self.ports.iter().copied()
    }

    fn retain(&mut self, keep: impl Fn(PortId, Moment) -> bool) -> bool {
        let before = self.ports.len();
        self.ports.retain(|&(port, until)| keep(port, until));
        self.ports.len() < before
    }
}
