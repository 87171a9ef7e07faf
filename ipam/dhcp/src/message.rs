//! DHCP messages (RFC 2131 §2): those of a client are written, those for it are read.

use std::net::Ipv4Addr;

use smoltcp::wire::{
    ArpHardware, DHCP_MAX_DNS_SERVER_COUNT, DhcpFlags, DhcpMessageType, DhcpOpCode, DhcpPacket,
    EthernetAddress,
};
use vswitch_packet::Moment;

use crate::identity::Identity;
use crate::lease::{self, Lease};
use crate::options::{self, Options, code};

const MAGIC_COOKIE: u32 = 0x6382_5363;

/// Relay agents and servers of the days of BOOTP drop what is shorter (RFC 951 §3, RFC 1542 §2.1).
const SHORTEST: usize = 300;

/// The longest answer: an Ethernet MTU of 1500 less the headers of IP and UDP, as some servers mean the message
/// and some the packet.
const MAX_SIZE: u16 = 1472;

/// What is wanted to be known. RFC 3442 wants classless routes before routers. What is not used is in the list
/// of most clients, by which some servers tell what kind of system asks.
const PARAMETERS: [u8; 10] = [
    code::SUBNET_MASK,
    code::CLASSLESS_ROUTES,
    code::ROUTER,
    code::DNS,
    code::DOMAIN,
    code::MTU,
    code::LEASE_TIME,
    code::SERVER,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
];

/// More are not of use to a resolver (`MAXNS` of resolv.h is 3).
const MAX_DNS: usize = DHCP_MAX_DNS_SERVER_COUNT;

/// A message from a client (RFC 2131, table 5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    pub(crate) kind: DhcpMessageType,
    pub(crate) identity: &'a Identity,
    pub(crate) xid: u32,
    /// Since the client began to ask.
    pub(crate) secs: u16,
    /// `ciaddr`: the address that the client uses already.
    pub(crate) in_use: Option<Ipv4Addr>,
    /// The address that it asks for, or declines.
    pub(crate) wanted: Option<Ipv4Addr>,
    /// The one server that is meant.
    pub(crate) server: Option<Ipv4Addr>,
}

impl Question<'_> {
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut octets = vec![0; options::START];
        let mut packet = DhcpPacket::new_unchecked(&mut octets[..]);
        packet.set_opcode(DhcpOpCode::Request);
        packet.set_hardware_type(ArpHardware::Ethernet);
        packet.set_hardware_len(6);
        packet.set_transaction_id(self.xid);
        packet.set_secs(self.secs);
        if self.identity.broadcast {
            packet.set_flags(DhcpFlags::BROADCAST);
        }
        packet.set_client_ip(self.in_use.unwrap_or(Ipv4Addr::UNSPECIFIED));
        packet.set_client_hardware_address(EthernetAddress(self.identity.mac.0));
        packet.set_magic_number(MAGIC_COOKIE);
        self.write_options(&mut octets);
        octets.push(code::END);
        octets.resize(octets.len().max(SHORTEST), code::PAD);
        octets
    }

    fn write_options(&self, octets: &mut Vec<u8>) {
        options::put(octets, code::MESSAGE_TYPE, &[self.kind.into()]);
        if let Some(id) = self.identity.client_id() {
            options::put(octets, code::CLIENT_ID, id);
        }
        if let Some(address) = self.wanted {
            options::put(octets, code::REQUESTED_ADDRESS, &address.octets());
        }
        if let Some(server) = self.server {
            options::put(octets, code::SERVER, &server.octets());
        }
        // Not in the others, which have no answer.
        if matches!(
            self.kind,
            DhcpMessageType::Discover | DhcpMessageType::Request
        ) {
            options::put(octets, code::MAX_SIZE, &MAX_SIZE.to_be_bytes());
            if let Some(name) = self.identity.hostname() {
                options::put(octets, code::HOSTNAME, name);
            }
            options::put(octets, code::PARAMETERS, &PARAMETERS);
        }
    }
}

/// A message from a server to this client.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) kind: AnswerKind,
    pub(crate) xid: u32,
    pub(crate) server: Ipv4Addr,
    address: Ipv4Addr,
    options: Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    Offer,
    Ack,
    Nak,
}

impl Answer {
    /// `None` if it is not for this client, or no message that a server sends.
    pub(crate) fn read(message: &[u8], identity: &Identity) -> Option<Self> {
        let packet = DhcpPacket::new_checked(message).ok()?;
        let for_us = packet.opcode() == DhcpOpCode::Reply
            && packet.magic_number() == MAGIC_COOKIE
            && packet.hardware_type() == ArpHardware::Ethernet
            && packet.hardware_len() == 6
            && packet.client_hardware_address() == EthernetAddress(identity.mac.0);
        if !for_us {
            return None;
        }
        let options = Options::read(message);
        // RFC 6842 §3: where clients share a MAC address, this is what tells them apart.
        if let (Some(echoed), Some(own)) = (options.get(code::CLIENT_ID), identity.client_id())
            && echoed != own
        {
            return None;
        }
        let kind = match options.octet(code::MESSAGE_TYPE)?.into() {
            DhcpMessageType::Offer => AnswerKind::Offer,
            DhcpMessageType::Ack => AnswerKind::Ack,
            DhcpMessageType::Nak => AnswerKind::Nak,
            _ => return None,
        };
        Some(Self {
            kind,
            xid: packet.transaction_id(),
            server: options
                .address(code::SERVER)
                .filter(|server| is_unicast(*server))?,
            address: packet.your_ip(),
            options,
        })
    }

    /// What is offered or given, had it been asked for then; `None` if that makes no sense.
    pub(crate) fn lease(&self, obtained: Moment) -> Option<Lease> {
        let address = Some(self.address).filter(|address| is_unicast(*address))?;
        let prefix_len = match self.options.address(code::SUBNET_MASK) {
            Some(mask) => prefix_len(mask)?,
            None => classful(address),
        };
        if is_reserved(address, prefix_len) {
            return None;
        }
        let said = self
            .options
            .number(code::LEASE_TIME)
            .filter(|&time| time > 0)?;
        let (seconds, renew_after, rebind_after) = lease::times(
            said,
            self.options.number(code::RENEWAL_TIME),
            self.options.number(code::REBINDING_TIME),
        );
        let dns = self.options.addresses(code::DNS);
        Some(Lease {
            address,
            prefix_len,
            router: self.router(address),
            server: self.server,
            dns: dns
                .filter(|server| is_unicast(*server))
                .take(MAX_DNS)
                .collect(),
            obtained,
            seconds,
            renew_after,
            rebind_after,
        })
    }

    /// RFC 3442: where there are classless routes, routers are to be ignored.
    fn router(&self, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let classless = self.options.get(code::CLASSLESS_ROUTES);
        let router = match classless.map(options::default_route) {
            Some(Ok(router)) => router,
            Some(Err(_)) | None => self.options.address(code::ROUTER),
        };
        router.filter(|&router| is_unicast(router) && router != address)
    }
}

/// An address that one host may have.
fn is_unicast(address: Ipv4Addr) -> bool {
    // Class E, with the broadcast address in it, is nobody's.
    !(address.octets()[0] == 0 || address.is_loopback() || address.octets()[0] >= 224)
}

/// The subnet's own address and its broadcast address, where it has them (RFC 3021).
fn is_reserved(address: Ipv4Addr, prefix_len: u8) -> bool {
    let host = u32::MAX.checked_shr(prefix_len.into()).unwrap_or(0);
    let number = address.to_bits() & host;
    prefix_len < 31 && (number == 0 || number == host)
}

/// `None` if the mask has holes, or is of everything.
fn prefix_len(mask: Ipv4Addr) -> Option<u8> {
    let mask = mask.to_bits();
    let ones = mask.leading_ones();
    let contiguous = ones + mask.trailing_zeros() == 32 || ones == 32;
    (contiguous && ones > 0).then_some(ones as u8)
}

/// What goes without saying (RFC 950 §2.1).
const fn classful(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        192.. => 24,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_a_prefix_or_nothing() {
        for (mask, length) in [
            ([255, 255, 255, 0], Some(24)),
            ([255, 255, 255, 255], Some(32)),
            ([128, 0, 0, 0], Some(1)),
            ([0, 0, 0, 0], None),
            ([255, 0, 255, 0], None),
            ([0, 255, 255, 255], None),
        ] {
            assert_eq!(prefix_len(mask.into()), length, "{mask:?}");
        }
    }

    #[test]
    fn some_addresses_are_nobodys() {
        for address in [
            [0, 0, 0, 0],
            [0, 1, 2, 3],
            [127, 0, 0, 1],
            [224, 0, 0, 1],
            [255, 255, 255, 255],
        ] {
            assert!(!is_unicast(address.into()), "{address:?}");
        }
        assert!(is_unicast([169, 254, 0, 7].into()));
        assert!(is_reserved([192, 0, 2, 0].into(), 24));
        assert!(is_reserved([192, 0, 2, 255].into(), 24));
        assert!(!is_reserved([192, 0, 2, 255].into(), 23));
        assert!(!is_reserved([192, 0, 2, 0].into(), 31));
        assert!(!is_reserved([192, 0, 2, 0].into(), 32));
    }
}
