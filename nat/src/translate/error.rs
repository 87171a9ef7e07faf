//! ICMP errors: translated with the packet they are about (RFC 5508 §4).

use vswitch_packet::checksum;
use vswitch_packet::ip::{Fragment, IpHeader, Version};

use super::fields::{Checksum, Fields, Side, chunk};
use super::{icmp, quote};
use crate::endpoint::Endpoint;
use crate::refusal::Refusal;

const ICMP_HEADER: usize = 8;

/// An ICMP error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Error {
    /// The message's own fields.
    outer: Fields,
    /// Those of the packet that it is about.
    quote: Fields,
}

impl Error {
    /// Reads the error whose own fields are `outer`.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if its checksum is wrong, or if it is about no packet that it can be
    /// about; [`Refusal::NoSession`] if that packet is of no session.
    pub(super) fn read(bytes: &[u8], ip: &IpHeader, outer: Fields) -> Result<Self, Refusal> {
        // At most 576 octets (RFC 1812 §4.3.2.3), or 1280 (RFC 4443 §2.4 (c)): never split.
        if ip.fragment != Fragment::No {
            return Err(Refusal::Malformed);
        }
        let end = ip.end as usize;
        let message = bytes
            .get(outer.transport as usize..end)
            .ok_or(Refusal::Malformed)?;
        // RFC 5508 REQ-3.
        if outer.checksum == Checksum::Internet {
            let addresses = if ip.version == Version::V6 {
                let len = u32::try_from(message.len()).unwrap_or(u32::MAX);
                checksum::pseudo_header(ip.addresses(bytes), ip.protocol, len)
            } else {
                0
            };
            if checksum::add(addresses, checksum::sum(message)) != 0xffff {
                return Err(Refusal::Malformed);
            }
        }
        let start = outer.transport as usize + ICMP_HEADER;
        // What RFC 4884 has behind the quote is none of ours.
        let quoted = icmp::quoted_len(ip.version, chunk(bytes, outer.transport as usize));
        let end = quoted.map_or(end, |len| end.min(start + len));
        let quote = quote::read(bytes, start..end, ip.version)?;
        // An error goes to the sender of the packet it is about.
        let to = outer.endpoint(bytes, Side::Destination).address();
        if quote.endpoint(bytes, Side::Source).address() != to {
            return Err(Refusal::Malformed);
        }
        Ok(Self { outer, quote })
    }

    /// The packet that it is about.
    pub(crate) const fn quote(&self) -> &Fields {
        &self.quote
    }

    /// Replaces the message's own address at `side`, and the endpoint opposite to it of the packet
    /// that it is about, which went the other way.
    pub(crate) fn set_endpoint(&self, bytes: &mut [u8], side: Side, to: Endpoint) {
        let address = Endpoint::new(to.address(), 0);
        let _ = self.outer.set_endpoint(bytes, side, address);
        let delta = self.quote.set_endpoint(bytes, side.opposite(), to);
        if self.outer.checksum == Checksum::Internet {
            let _ = self.outer.update_checksum(bytes, delta);
        }
    }
}
