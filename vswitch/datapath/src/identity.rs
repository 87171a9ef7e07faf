//! Anti-spoofing: the addresses an endpoint may send from.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_packet::ip::{Fragment, IpHeader, Transport, Version, protocol};
use vswitch_packet::{Frame, MacAddr, Network};

use crate::link_address;
use crate::verdict::DropReason;

/// ICMPv6 types, RFC 4861 §4.
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;

/// The MAC address and IP addresses that were assigned to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    mac: MacAddr,
    v4: Box<[Ipv4Addr]>,
    /// With the link-local address that Linux forms from the MAC address (RFC 4291 appendix A).
    v6: Box<[Ipv6Addr]>,
    /// Its IPv6 addresses are its own choice.
    chooses_v6: bool,
}

impl Identity {
    /// What `mac` and `addresses` may send.
    #[must_use]
    pub fn new(mac: MacAddr, addresses: &[IpAddr]) -> Self {
        Self::with_link_local(mac, link_local(mac), addresses)
    }

    /// As [`Identity::new`], with a link-local address that is not of the MAC address: others have that, too.
    #[must_use]
    pub fn with_link_local(mac: MacAddr, link_local: Ipv6Addr, addresses: &[IpAddr]) -> Self {
        let v4 = addresses.iter().filter_map(|a| match a {
            IpAddr::V4(a) => Some(*a),
            IpAddr::V6(_) => None,
        });
        let v6 = addresses.iter().filter_map(|a| match a {
            IpAddr::V4(_) => None,
            IpAddr::V6(a) => Some(*a),
        });
        Self {
            mac,
            v4: v4.collect(),
            v6: v6.chain([link_local]).collect(),
            chooses_v6: false,
        }
    }

    /// The same, with whatever IPv6 addresses it makes for itself (RFC 4862).
    #[must_use]
    pub fn choosing_ipv6(self) -> Self {
        Self {
            chooses_v6: true,
            ..self
        }
    }

    fn may_be(&self, address: Ipv6Addr) -> bool {
        self.v6.contains(&address) || (self.chooses_v6 && is_announced(address))
    }

    /// Whether `frame` is one this endpoint may send.
    ///
    /// # Errors
    /// The reason to drop it.
    #[inline]
    pub fn check(&self, frame: &Frame<'_>) -> Result<(), DropReason> {
        if frame.source() != self.mac {
            return Err(DropReason::SpoofedMac);
        }
        match frame.network() {
            Network::Ip(ip) => self.check_ip(frame.bytes(), &ip),
            Network::Arp { start } => self.check_arp(frame.bytes(), usize::from(start)),
            Network::Malformed => Err(DropReason::Malformed),
            Network::Opaque => Ok(()),
        }
    }

    /// Whether `frame`, which passed [`Identity::check`], may be heard by hosts that are not ours. Who probes for
    /// another's address just when he does keeps him from having it (RFC 5227 §2.1.1, RFC 4862 §5.4.3).
    ///
    /// # Errors
    /// The reason to drop it.
    pub(crate) fn check_probe(&self, frame: &Frame<'_>) -> Result<(), DropReason> {
        let bytes = frame.bytes();
        let is_own = match frame.network() {
            Network::Arp { start } => {
                let packet = bytes.get(usize::from(start)..).unwrap_or_default();
                let sender = packet.get(14..).and_then(<[u8]>::first_chunk);
                let target = packet.get(24..).and_then(<[u8]>::first_chunk);
                let own = |target: &[u8; 4]| self.v4.contains(&Ipv4Addr::from(*target));
                sender != Some(&[0; 4]) || target.is_some_and(own)
            }
            Network::Ip(ip) if ip.protocol == protocol::ICMPV6 => {
                let message = bytes.get(usize::from(ip.payload)..).unwrap_or_default();
                let target = message.get(8..).and_then(<[u8]>::first_chunk::<16>);
                let own = |target: &[u8; 16]| self.may_be(Ipv6Addr::from(*target));
                !ip.source(bytes).is_unspecified()
                    || message.first() != Some(&NEIGHBOUR_SOLICITATION)
                    || target.is_some_and(own)
            }
            _ => true,
        };
        match is_own {
            true => Ok(()),
            false => Err(DropReason::SpoofedAddress),
        }
    }

    fn check_ip(&self, bytes: &[u8], ip: &IpHeader) -> Result<(), DropReason> {
        let allowed = match ip.source(bytes) {
            IpAddr::V4(source) => {
                self.v4.contains(&source) || (source.is_unspecified() && is_dhcp_request(bytes, ip))
            }
            // Duplicate address detection and MLD speak from `::` (RFC 4862 §5.4.2, RFC 3590).
            IpAddr::V6(source) => {
                self.may_be(source) || (source.is_unspecified() && ip.protocol == protocol::ICMPV6)
            }
        };
        if !allowed {
            return Err(DropReason::SpoofedAddress);
        }
        // What is in a later fragment is no message, whatever octet it begins with.
        let message = ip.protocol == protocol::ICMPV6 && ip.fragment != Fragment::Later;
        if ip.version == Version::V6 && message {
            return self.check_nd(bytes, ip);
        }
        Ok(())
    }

    fn check_nd(&self, bytes: &[u8], ip: &IpHeader) -> Result<(), DropReason> {
        let message = bytes
            .get(usize::from(ip.payload)..ip.end as usize)
            .unwrap_or(&[]);
        let options = match message.first() {
            Some(&(ROUTER_ADVERTISEMENT | REDIRECT)) => return Err(DropReason::RogueRouter),
            Some(&ROUTER_SOLICITATION) => message.get(8..),
            Some(&NEIGHBOUR_SOLICITATION) => message.get(24..),
            Some(&NEIGHBOUR_ADVERTISEMENT) => {
                let target = message.get(8..).and_then(<[u8]>::first_chunk::<16>);
                match target {
                    Some(target) if self.may_be(Ipv6Addr::from(*target)) => {}
                    Some(_) => return Err(DropReason::SpoofedAddress),
                    None => return Err(DropReason::Malformed),
                }
                message.get(24..)
            }
            Some(_) => return Ok(()),
            // A fragmented ND message must be ignored by who gets it (RFC 6980), and cannot be
            // checked here.
            None => return Err(DropReason::Malformed),
        };
        self.check_nd_options(options.ok_or(DropReason::Malformed)?)
    }

    /// The link-layer addresses in `options` must be the endpoint's own.
    fn check_nd_options(&self, options: &[u8]) -> Result<(), DropReason> {
        link_address::each(options, |_, mac| match mac == self.mac {
            true => Ok(()),
            false => Err(DropReason::SpoofedMac),
        })
    }

    fn check_arp(&self, bytes: &[u8], start: usize) -> Result<(), DropReason> {
        // Sender hardware and protocol address, RFC 826.
        let Some([a, b, c, d, e, f, w, x, y, z]) = bytes
            .get(start + 8..)
            .and_then(<[u8]>::first_chunk::<10>)
            .copied()
        else {
            return Err(DropReason::Malformed);
        };
        if MacAddr([a, b, c, d, e, f]) != self.mac {
            return Err(DropReason::SpoofedMac);
        }
        let sender = Ipv4Addr::new(w, x, y, z);
        // A probe asks from 0.0.0.0 (RFC 5227 §2.1.1).
        if sender.is_unspecified() || self.v4.contains(&sender) {
            Ok(())
        } else {
            Err(DropReason::SpoofedAddress)
        }
    }
}

/// `fe80::` and the modified EUI-64 of `mac`.
#[must_use]
pub fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

/// Whether a router may have announced the prefix (RFC 4862 §5.5): not what is everybody's on its link.
fn is_announced(address: Ipv6Addr) -> bool {
    let is_mapped = address.to_ipv4_mapped().is_some();
    let is_special = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    !is_mapped && !is_special && !address.is_unicast_link_local()
}

fn is_dhcp_request(bytes: &[u8], ip: &IpHeader) -> bool {
    let ports = bytes
        .get(usize::from(ip.payload)..)
        .and_then(<[u8]>::first_chunk::<4>);
    ip.transport == Transport::Udp
        && ports.is_some_and(|&[a, b, c, d]| {
            u16::from_be_bytes([a, b]) == DHCP_CLIENT && u16::from_be_bytes([c, d]) == DHCP_SERVER
        })
}
