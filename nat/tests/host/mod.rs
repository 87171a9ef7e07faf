//! A host that translates for its containers, and those around it.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use vswitch_nat::host_ports::AllFree;
use vswitch_nat::{
    Admit, Config, Filtering, Nat, Outbound, Owner, Protocol, Publication, Published, Refusal,
    Timeouts,
};
use vswitch_packet::{Frame, Moment};

use crate::wire::{Packet, Wire};

pub(crate) const A: Owner = Owner(7);
pub(crate) const B: Owner = Owner(8);

/// The port that a container's packets come in at.
pub(crate) const fn ingress(owner: Owner) -> u32 {
    owner.0
}

/// The port of the NIC.
pub(crate) const UPLINK: u32 = 1;

/// The addresses of one family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// The host's, which containers are translated to.
    pub(crate) external: IpAddr,
    /// The first container's.
    pub(crate) a: IpAddr,
    /// The second container's.
    pub(crate) b: IpAddr,
    /// Somebody outside.
    pub(crate) remote: IpAddr,
    /// Somebody else outside.
    pub(crate) other: IpAddr,
    /// A router outside.
    pub(crate) router: IpAddr,
}

const fn v4(octets: [u8; 4]) -> IpAddr {
    let [a, b, c, d] = octets;
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(subnet: u16, host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, subnet, 0, 0, 0, 0, host))
}

pub(crate) const V4: Family = Family {
    external: v4([192, 0, 2, 1]),
    a: v4([172, 18, 0, 2]),
    b: v4([172, 18, 0, 3]),
    remote: v4([198, 51, 100, 10]),
    other: v4([198, 51, 100, 20]),
    router: v4([203, 0, 113, 1]),
};

pub(crate) const V6: Family = Family {
    external: v6(0, 1),
    a: v6(0x18, 2),
    b: v6(0x18, 3),
    remote: v6(0xffff, 0x10),
    other: v6(0xffff, 0x20),
    router: v6(0xfff, 1),
};

pub(crate) const FAMILIES: [Family; 2] = [V4, V6];

/// An endpoint.
pub(crate) const fn at(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address, port)
}

/// The host.
pub(crate) struct Host {
    pub(crate) nat: Nat,
    pub(crate) published: Published,
    pub(crate) filtering: Filtering,
    /// Whether the source of what goes out is translated.
    pub(crate) translates: bool,
    now: Cell<Moment>,
}

pub(crate) fn config() -> Config {
    Config {
        max_sessions: 4096,
        max_sessions_per_owner: 1024,
        timeouts: Timeouts::default(),
        ports: 32768..=60999,
        host_ports: Box::new(AllFree),
        ledger: None,
        seed: 1,
    }
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            nat: Nat::new(config),
            published: Published::default(),
            filtering: Filtering::default(),
            translates: true,
            now: Cell::new(Moment::from_secs(1000)),
        }
    }

    pub(crate) fn filtering(self, filtering: Filtering) -> Self {
        Self { filtering, ..self }
    }

    /// Whose packets keep their own address.
    pub(crate) fn routed() -> Self {
        Self {
            translates: false,
            ..Self::new()
        }
    }

    /// With a published port.
    pub(crate) fn publishing(
        self,
        protocol: Protocol,
        external: SocketAddr,
        owner: Owner,
        inside: SocketAddr,
    ) -> Self {
        let publication = Publication {
            owner,
            protocol,
            address: external.ip(),
            ports: external.port()..=external.port(),
            inside,
        };
        Self {
            published: Published::new(vec![publication], vec![]),
            ..self
        }
    }

    pub(crate) fn wait(&self, duration: Duration) {
        self.now.set(self.now.get() + duration);
    }

    /// As [`Host::wait`], with the sweep that comes once a second.
    pub(crate) fn wait_sweeping(&self, duration: Duration) {
        for _ in 0..duration.as_secs() {
            self.wait(Duration::from_secs(1));
            self.nat.sweep(self.now());
        }
    }

    pub(crate) fn now(&self) -> Moment {
        self.now.get()
    }

    /// What leaves the host when a container sends `wire`.
    pub(crate) fn send(&self, owner: Owner, wire: &Wire) -> Result<Wire, Refusal> {
        let mut bytes = wire.bytes.clone();
        let mut frame = Frame::parse(&mut bytes, wire.header).unwrap();
        let family = if frame.layout().ethertype.0 == 0x0800 {
            V4
        } else {
            V6
        };
        let way = Outbound {
            owner,
            source: self.translates.then_some(family.external),
            filtering: self.filtering,
            published: &self.published,
            ingress: ingress(owner),
        };
        let result = self.nat.outbound(&mut frame, &way, self.now());
        finish(result, bytes, wire).map(|(wire, ())| wire)
    }

    /// What a container gets when `wire` comes to the host's address, and which container.
    pub(crate) fn receive(&self, wire: &Wire) -> Result<(Wire, Owner), Refusal> {
        self.receive_at(UPLINK, wire)
    }

    fn receive_at(&self, ingress: u32, wire: &Wire) -> Result<(Wire, Owner), Refusal> {
        let mut bytes = wire.bytes.clone();
        let mut frame = Frame::parse(&mut bytes, wire.header).unwrap();
        let result = self
            .nat
            .inbound(&mut frame, ingress, &self.published, self.now());
        finish(result, bytes, wire)
    }

    /// What another container gets when one sends `wire` to the host's address.
    pub(crate) fn hairpin(&self, owner: Owner, wire: &Wire) -> Result<(Wire, Owner), Refusal> {
        self.receive_at(ingress(owner), &self.send(owner, wire)?)
    }

    /// Whether `wire` reaches the container that has its destination address.
    pub(crate) fn direct(&self, owner: Owner, wire: &Wire, admit: Admit) -> Result<(), Refusal> {
        let mut bytes = wire.bytes.clone();
        let mut frame = Frame::parse(&mut bytes, wire.header).unwrap();
        let result = self.nat.direct(
            &mut frame,
            owner,
            UPLINK,
            admit,
            &self.published,
            self.now(),
        );
        assert_eq!(bytes, wire.bytes, "nothing changes");
        result
    }

    pub(crate) fn is_ours(&self, wire: &Wire) -> bool {
        let mut bytes = wire.bytes.clone();
        let frame = Frame::parse(&mut bytes, wire.header).unwrap();
        self.nat.is_ours(&frame, &self.published)
    }

    /// Sends a packet that must get through, and says which endpoint it seems to come from.
    pub(crate) fn mapped(&self, owner: Owner, packet: &Packet) -> SocketAddr {
        let sent = self.send(owner, &packet.wire()).unwrap();
        source_of(&sent)
    }
}

fn finish<T>(
    result: Result<T, Refusal>,
    bytes: Vec<u8>,
    wire: &Wire,
) -> Result<(Wire, T), Refusal> {
    match result {
        Ok(value) => {
            let header = wire.header;
            Ok((Wire { bytes, header }, value))
        }
        Err(refusal) => {
            assert_eq!(bytes, wire.bytes, "{refusal}, and unchanged");
            Err(refusal)
        }
    }
}

/// Source address, and port or identifier, read by etherparse.
pub(crate) fn source_of(wire: &Wire) -> SocketAddr {
    endpoints_of(wire).0
}

/// Destination address, and port or identifier.
pub(crate) fn destination_of(wire: &Wire) -> SocketAddr {
    endpoints_of(wire).1
}

fn endpoints_of(wire: &Wire) -> (SocketAddr, SocketAddr) {
    use etherparse::{NetSlice, SlicedPacket};
    let packet = SlicedPacket::from_ethernet(&wire.bytes).unwrap();
    let net = packet.net.unwrap();
    let (source, destination) = match &net {
        NetSlice::Ipv4(ip) => (
            IpAddr::V4(ip.header().source_addr()),
            IpAddr::V4(ip.header().destination_addr()),
        ),
        NetSlice::Ipv6(ip) => (
            IpAddr::V6(ip.header().source_addr()),
            IpAddr::V6(ip.header().destination_addr()),
        ),
        NetSlice::Arp(_) => panic!("no IP"),
    };
    let ip = net.ip_payload_ref().unwrap();
    let word = |at: usize| u16::from_be_bytes([ip.payload[at], ip.payload[at + 1]]);
    let ports = match ip.ip_number.0 {
        1 | 58 => (word(4), word(4)),
        _ => (word(0), word(2)),
    };
    (
        SocketAddr::new(source, ports.0),
        SocketAddr::new(destination, ports.1),
    )
}
