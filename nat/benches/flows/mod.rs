//! Established connections through a host that translates.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_nat::{Config, Nat, Outbound};
use vswitch_packet::Frame;

use crate::host::{A, Family, Host, at, config, ingress, source_of};
use crate::wire::{ACK, Packet, SYN, Wire};

/// Established TCP connections.
pub(crate) struct Flows {
    host: Host,
    /// An empty segment of each in each direction.
    pub(crate) packets: Vec<[Packet; 2]>,
}

impl Flows {
    /// Each of an endpoint of its own inside, translated to two addresses in turn: one has fewer ports than
    /// there may be flows.
    pub(crate) fn new(family: Family, count: u32) -> Self {
        let host = Host::with(Config {
            max_sessions: 1 << 20,
            max_sessions_per_owner: 1 << 20,
            ports: 1024..=65_535,
            ..config()
        });
        let packets = (0..count).map(|n| {
            let inside = at(nth(family.a, n % 250), 5000 + (n / 250) as u16);
            let remote = at(nth(family.remote, n % 100), 80);
            let packet = |flags| Packet::tcp(inside, remote, flags).payload(0);
            let mapped = |packet: &Packet| {
                let mut wire = packet.wire();
                let way = way(&host, nth(family.external, n % 2));
                let sent = Frame::parse(&mut wire.bytes, wire.header)
                    .is_ok_and(|mut frame| host.nat.outbound(&mut frame, &way, host.now()).is_ok());
                assert!(sent);
                source_of(&wire)
            };
            let external = mapped(&packet(SYN));
            let _ = host.receive(&packet(SYN).answer().to(external).wire());
            let out = packet(ACK);
            let _ = mapped(&out);
            let back = out.answer().to(external);
            [out, back]
        });
        let packets = packets.collect();
        Self { host, packets }
    }

    #[allow(dead_code, reason = "not every program looks ahead")]
    pub(crate) const fn nat(&self) -> &Nat {
        &self.host.nat
    }

    pub(crate) fn outbound(&self, family: Family, frame: &mut Frame<'_>) -> bool {
        let way = way(&self.host, family.external);
        self.host.nat.outbound(frame, &way, self.host.now()).is_ok()
    }

    pub(crate) fn inbound(&self, frame: &mut Frame<'_>) -> bool {
        let (published, now) = (&self.host.published, self.host.now());
        self.host.nat.inbound(frame, 1, published, now) == Ok(A)
    }
}

fn way(host: &Host, source: IpAddr) -> Outbound<'_> {
    Outbound {
        owner: A,
        source: Some(source),
        filtering: host.filtering,
        published: &host.published,
        ingress: ingress(A),
    }
}

/// The `n`th address from `first` on.
fn nth(first: IpAddr, n: u32) -> IpAddr {
    match first {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() + n).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() + u128::from(n)).into(),
    }
}

/// Padded to 60 octets, as without its FCS the shortest frame is, and no longer.
pub(crate) fn small(mut wire: Wire) -> Wire {
    let len = wire.bytes.len().max(60);
    wire.bytes.resize(len, 0);
    wire
}
