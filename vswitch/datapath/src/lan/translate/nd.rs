//! Neighbour Discovery (RFC 4861 §4): link-layer addresses are in options.

use vswitch_packet::ip::{Fragment, IpHeader, protocol};
use vswitch_packet::{Frame, MacAddr};

use super::Checksum;
use crate::link_address;
use crate::verdict::DropReason;

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

/// Octets from the start of the message.
const CHECKSUM: u16 = 2;

/// Names the sender `outside` wherever an ND message names it `inside`. Who else is named stays:
/// a redirect is about another host.
///
/// # Errors
/// [`DropReason::Malformed`] if options contradict their own lengths, and
/// [`DropReason::Untranslatable`] for a message in pieces, which no receiver takes (RFC 6980 §5), and
/// which is found only by its first one: without that the others are nothing.
pub(super) fn outward(
    frame: &mut Frame<'_>,
    ip: &IpHeader,
    inside: MacAddr,
    outside: MacAddr,
) -> Result<(), DropReason> {
    if ip.protocol != protocol::ICMPV6 || ip.fragment == Fragment::Later {
        return Ok(());
    }
    let message = usize::from(ip.payload)..ip.end as usize;
    let octets = frame.bytes().get(message.clone()).unwrap_or_default();
    let fixed = match octets.first() {
        Some(&ROUTER_SOLICITATION) => 8,
        Some(&ROUTER_ADVERTISEMENT) => 16,
        Some(&(NEIGHBOUR_SOLICITATION | NEIGHBOUR_ADVERTISEMENT)) => 24,
        Some(&REDIRECT) => 40,
        Some(_) => return Ok(()),
        None => return Err(DropReason::Malformed),
    };
    if ip.fragment != Fragment::No {
        return Err(DropReason::Untranslatable);
    }
    let mut count = 0;
    let options = octets.get(fixed..).ok_or(DropReason::Malformed)?;
    link_address::each(options, |_, mac| {
        count += usize::from(mac == inside);
        Ok(())
    })?;
    if count == 0 {
        return Ok(());
    }
    let checksum = Checksum::of(frame, ip, CHECKSUM)?;
    let bytes = frame.bytes_mut();
    for (old, new) in words(inside).into_iter().zip(words(outside)) {
        for _ in 0..count {
            checksum.update(bytes, old, new);
        }
    }
    let options = bytes.get_mut(message).and_then(|m| m.get_mut(fixed..));
    link_address::replace(options.unwrap_or_default(), inside, outside);
    Ok(())
}

/// As the checksum sums them: options begin at even octets, and addresses in them, too.
fn words(mac: MacAddr) -> [u16; 3] {
    let [a, b, c, d, e, f] = mac.0;
    [[a, b], [c, d], [e, f]].map(u16::from_be_bytes)
}
