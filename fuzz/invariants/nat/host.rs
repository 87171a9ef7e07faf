//! A host with two containers that talk to somebody outside, all with the same port, so that the
//! second one's had to change.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitch_nat::host_ports::AllFree;
use vswitch_nat::{
    Admit, Config, Filtering, Nat, Outbound, Owner, Protocol, Publication, Published, Refusal,
    Timeouts,
};
use vswitch_packet::checksum;
use vswitch_packet::{Frame, Moment};

pub(super) const FIRST: Owner = Owner(7);
pub(super) const SECOND: Owner = Owner(8);
const UPLINK: u32 = 1;

const fn v4(octets: [u8; 4]) -> IpAddr {
    let [a, b, c, d] = octets;
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(subnet: u16, host: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, subnet, 0, 0, 0, 0, host))
}

/// The host, the first and the second container, and who is outside.
pub(super) const ADDRESSES: [[IpAddr; 4]; 2] = [
    [
        v4([192, 0, 2, 1]),
        v4([172, 18, 0, 2]),
        v4([172, 18, 0, 3]),
        v4([198, 51, 100, 10]),
    ],
    [v6(0, 1), v6(0x18, 2), v6(0x18, 3), v6(0xffff, 0x10)],
];

/// Which way a frame goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Out(Owner),
    In,
    Direct(Owner),
}

impl Way {
    pub(super) const fn choose(octet: u8) -> Self {
        match octet % 4 {
            0 => Self::In,
            1 => Self::Out(FIRST),
            2 => Self::Out(SECOND),
            _ => Self::Direct(SECOND),
        }
    }
}

pub(super) struct Host {
    pub(super) nat: Nat,
    published: Published,
    pub(super) now: Moment,
}

impl Host {
    pub(super) fn new() -> Self {
        let publication = |family: usize| Publication {
            owner: SECOND,
            protocol: Protocol::Udp,
            address: ADDRESSES[family][0],
            ports: 8000..=8100,
            inside: (ADDRESSES[family][2], 9000).into(),
        };
        let host = Self {
            nat: Nat::new(Config {
                max_sessions: 64,
                max_sessions_per_owner: 64,
                timeouts: Timeouts::default(),
                ports: 32768..=60999,
                host_ports: Box::new(AllFree),
                ledger: None,
                seed: 1,
            }),
            published: Published::new(vec![publication(0), publication(1)], vec![]),
            now: Moment::from_secs(1),
        };
        for [_, first, second, outside] in ADDRESSES {
            for (owner, inside) in [(FIRST, first), (SECOND, second)] {
                let udp = packet(17, inside, outside, &[0x13, 0x88, 0, 80, 0, 8, 0, 0]);
                let tcp = [
                    0x13, 0x88, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0,
                ];
                let tcp = packet(6, inside, outside, &tcp);
                for mut octets in [udp, tcp] {
                    let mut frame = Frame::parse_plain(&mut octets).expect("a frame");
                    host.pass(&mut frame, Way::Out(owner)).expect("room");
                }
            }
        }
        host
    }

    pub(super) fn pass(&self, frame: &mut Frame<'_>, way: Way) -> Result<Owner, Refusal> {
        match way {
            Way::In => self.nat.inbound(frame, UPLINK, &self.published, self.now),
            Way::Out(owner) => {
                let v4 = frame.layout().ethertype == vswitch_packet::EtherType::IPV4;
                let out = Outbound {
                    owner,
                    source: Some(ADDRESSES[usize::from(!v4)][0]),
                    filtering: Filtering::default(),
                    published: &self.published,
                    ingress: owner.0,
                };
                self.nat.outbound(frame, &out, self.now).map(|()| owner)
            }
            Way::Direct(owner) => {
                let (admit, published) = (Admit::Openings, &self.published);
                self.nat
                    .direct(frame, owner, UPLINK, admit, published, self.now)
                    .map(|()| owner)
            }
        }
    }

    pub(super) fn is_ours(&self, frame: &Frame<'_>) -> bool {
        self.nat.is_ours(frame, &self.published)
    }
}

/// A frame with `payload`, in which no transport checksum is computed.
pub(super) fn packet(protocol: u8, source: IpAddr, destination: IpAddr, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [a, b] = (20 + payload.len() as u16).to_be_bytes();
            frame.extend([8, 0, 0x45, 0, a, b, 0, 7, 0, 0, 64, protocol, 0, 0]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
            sum_ipv4_header(&mut frame);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let [a, b] = (payload.len() as u16).to_be_bytes();
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, a, b, protocol, 64]);
            frame.extend(source.octets());
            frame.extend(destination.octets());
        }
        _ => unreachable!("both of one family"),
    }
    frame.extend(payload);
    frame
}

pub(super) fn sum_ipv4_header(frame: &mut [u8]) {
    frame[24..26].fill(0);
    let sum = !checksum::sum(&frame[14..34]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}
