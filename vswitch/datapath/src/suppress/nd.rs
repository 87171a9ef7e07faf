//! Neighbour Discovery (RFC 4861 §4.3, §4.4).

use core::net::Ipv6Addr;

use vswitch_packet::Frame;
use vswitch_packet::ip::IpHeader;

use super::{Claim, Message, Question};
use crate::gateway::nd::{HOP_LIMIT, solicited_node};
use crate::gateway::verified_message;
use crate::link_address;
use crate::verdict::DropReason;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const OVERRIDE: u8 = 0x20;

/// What an ICMPv6 packet says of neighbours, if its receivers would take it (RFC 4861 §7.1).
///
/// # Errors
/// [`DropReason::Malformed`] if they might read it in different ways.
pub(super) fn read(frame: &Frame<'_>, ip: &IpHeader) -> Result<Option<Message>, DropReason> {
    if ip.hop_limit(frame.bytes()) != HOP_LIMIT {
        return Ok(None);
    }
    let Some(message) = verified_message(frame, ip) else {
        return Ok(None);
    };
    let Some((&[kind, 0, _, _, flags, _, _, _], rest)) = message.split_first_chunk() else {
        return Ok(None);
    };
    let Some((target, options)) = rest.split_first_chunk::<16>() else {
        return Ok(None);
    };
    let wanted = match kind {
        SOLICITATION => link_address::SOURCE,
        ADVERTISEMENT => link_address::TARGET,
        _ => return Ok(None),
    };
    let target = Ipv6Addr::from(*target);
    let mut mac = None;
    link_address::each(options, |kind, address| {
        if kind == wanted && *mac.get_or_insert(address) != address {
            return Err(DropReason::Malformed);
        }
        Ok(())
    })?;
    if target.is_multicast() {
        return Ok(None);
    }
    if kind == ADVERTISEMENT {
        let claim = Claim {
            address: target.into(),
            mac,
            overrides: flags & OVERRIDE != 0,
        };
        return Ok(Some(Message {
            claim: Some(claim),
            question: None,
        }));
    }
    let source = ip.source(frame.bytes());
    let from_nowhere = source.is_unspecified();
    let for_detection = ip.destination(frame.bytes()) == solicited_node(target) && mac.is_none();
    if from_nowhere && !for_detection {
        return Ok(None);
    }
    Ok(Some(Message {
        claim: (!from_nowhere).then_some(Claim {
            address: source,
            mac,
            overrides: true,
        }),
        question: Some(Question {
            target: target.into(),
            asker: source,
            mac: mac.unwrap_or(frame.source()),
        }),
    }))
}
