//! ARP (RFC 826, RFC 5227).

use std::net::IpAddr;

use smoltcp::wire::{ArpOperation, ArpPacket};
use vswitch_packet::{Frame, MacAddr};

use super::{Claim, Message, Question};

/// What the ARP packet at `start` of `frame` says.
pub(super) fn read(frame: &Frame<'_>, start: usize) -> Option<Message> {
    let arp = ArpPacket::new_checked(frame.bytes().get(start..)?).ok()?;
    let address = |octets: &[u8]| {
        let octets: Option<&[u8; 4]> = octets.first_chunk();
        octets.map(|octets| IpAddr::from(*octets))
    };
    let sender = address(arp.source_protocol_addr())?;
    let target = address(arp.target_protocol_addr())?;
    let mac = MacAddr(*arp.source_hardware_addr().first_chunk()?);
    // A probe asks from 0.0.0.0 (RFC 5227 §2.1.1); an announcement asks for the sender itself (§2.3).
    let claim = (!sender.is_unspecified()).then_some(Claim {
        address: sender,
        mac: Some(mac),
        overrides: true,
    });
    let asks = arp.operation() == ArpOperation::Request && sender != target;
    let question = asks.then_some(Question {
        target,
        asker: sender,
        mac,
    });
    Some(Message { claim, question })
}
