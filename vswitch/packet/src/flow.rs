//! Flow keys: which frames belong together and must stay in order.

use core::net::IpAddr;

use crate::ip::{IpHeader, Transport};

/// Addresses, protocol and ports of one direction of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// IP protocol number.
    pub protocol: u8,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
}

impl FlowKey {
    /// The key of the packet `ip` was parsed from; `None` without a whole TCP, UDP or SCTP header.
    #[must_use]
    pub fn of(frame: &[u8], ip: &IpHeader) -> Option<Self> {
        match ip.transport {
            Transport::Tcp { .. } | Transport::Udp | Transport::Sctp => {}
            Transport::Icmp | Transport::Other | Transport::Malformed => return None,
        }
        let [a, b, c, d]: [u8; 4] = *frame.get(usize::from(ip.payload)..)?.first_chunk()?;
        Some(Self {
            source: ip.source(frame),
            destination: ip.destination(frame),
            protocol: ip.protocol,
            source_port: u16::from_be_bytes([a, b]),
            destination_port: u16::from_be_bytes([c, d]),
        })
    }

    /// The key of the answers.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            protocol: self.protocol,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}
