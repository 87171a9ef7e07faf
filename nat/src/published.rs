//! Published ports: mappings that are configured, and what may be reached directly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use crate::tuple::{Owner, Protocol};

/// A range of the host's ports that leads to as many ports of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Whose.
    pub owner: Owner,
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// One of the host's addresses, or the unspecified one for all of its family.
    pub address: IpAddr,
    /// The host's ports.
    pub ports: RangeInclusive<u16>,
    /// The container's address, of the same family, and the port that the first leads to.
    pub inside: SocketAddr,
}

/// Ports of a container that may be reached at its own address, where its network is routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The container's address.
    pub inside: IpAddr,
    /// The container's ports.
    pub ports: RangeInclusive<u16>,
}

/// All published ports. Costs memory by range, not by port.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// By protocol, host address and first port.
    by_external: Vec<Publication>,
    /// By protocol, container address and its first port.
    by_inside: Vec<Reverse>,
    /// By protocol, container address and first port.
    openings: Vec<Opening>,
}

/// A publication, found from inside.
#[derive(Clone, Debug)]
struct Reverse {
    protocol: Protocol,
    inside: IpAddr,
    ports: RangeInclusive<u16>,
    /// The last port of all ranges of this container up to this one: they may overlap here.
    reach: u16,
    address: IpAddr,
    /// The host's port for the first of `ports`.
    external: u16,
}

impl Published {
    /// Of publications that do not overlap on one address, except on the unspecified one. Ranges
    /// that are empty, lead beyond port 65535, or from one family to the other, lead nowhere.
    #[must_use]
    pub fn new(publications: Vec<Publication>, openings: Vec<Opening>) -> Self {
        let mut by_external = publications;
        by_external.retain(Publication::is_sound);
        by_external.sort_by_key(|p| (p.protocol, p.address, *p.ports.start()));

        let mut by_inside: Vec<Reverse> = by_external.iter().map(Reverse::of).collect();
        by_inside.sort_by_key(|r| (r.protocol, r.inside, *r.ports.start(), r.external));
        let mut before: Option<(Protocol, IpAddr, u16)> = None;
        for reverse in &mut by_inside {
            reverse.reach = match before {
                Some((protocol, inside, reach))
                    if (protocol, inside) == (reverse.protocol, reverse.inside) =>
                {
                    reach.max(*reverse.ports.end())
                }
                _ => *reverse.ports.end(),
            };
            before = Some((reverse.protocol, reverse.inside, reverse.reach));
        }

        let mut openings = openings;
        openings.retain(|opening| !opening.ports.is_empty());
        openings.sort_by_key(|o| (o.protocol, o.inside, *o.ports.start()));
        merge(&mut openings);
        Self {
            by_external,
            by_inside,
            openings,
        }
    }

    /// Where the host's port at `external` leads; one published on that very address goes before
    /// one on all.
    #[must_use]
    pub fn inside(&self, protocol: Protocol, external: SocketAddr) -> Option<(Owner, SocketAddr)> {
        let publication = self.covering(protocol, external)?;
        let offset = external.port() - publication.ports.start();
        let port = publication.inside.port() + offset;
        let inside = SocketAddr::new(publication.inside.ip(), port);
        Some((publication.owner, inside))
    }

    /// By which port of the host's `address` the container's endpoint `inside` is published. Of
    /// several, one on that very address, and of those the lowest.
    #[must_use]
    pub fn external(&self, protocol: Protocol, inside: SocketAddr, address: IpAddr) -> Option<u16> {
        let key = (protocol, inside.ip(), inside.port());
        let upto = self
            .by_inside
            .partition_point(|r| (r.protocol, r.inside, *r.ports.start()) <= key);
        self.by_inside[..upto]
            .iter()
            .rev()
            .take_while(|r| (r.protocol, r.inside) == (key.0, key.1) && r.reach >= key.2)
            .filter(|r| r.ports.contains(&key.2))
            .filter(|r| r.address == address || r.address == unspecified(address))
            .map(|r| (r.address != address, r.external + (key.2 - r.ports.start())))
            // Another may be published on that very address in the place of one on all.
            .filter(|&(_, port)| {
                let leads = self.inside(protocol, SocketAddr::new(address, port));
                leads.is_some_and(|(_, to)| (to.ip(), to.port()) == (key.1, key.2))
            })
            .min()
            .map(|(_, port)| port)
    }

    /// Whether the container's endpoint may be reached at its own address.
    #[must_use]
    pub fn opens(&self, protocol: Protocol, inside: SocketAddr) -> bool {
        let key = (protocol, inside.ip(), inside.port());
        let upto = self
            .openings
            .partition_point(|o| (o.protocol, o.inside, *o.ports.start()) <= key);
        self.openings[..upto]
            .last()
            .is_some_and(|o| (o.protocol, o.inside) == (key.0, key.1) && o.ports.contains(&key.2))
    }

    /// The publication that `external` belongs to.
    pub(crate) fn covering(
        &self,
        protocol: Protocol,
        external: SocketAddr,
    ) -> Option<&Publication> {
        let on = |address: IpAddr| {
            let key = (protocol, address, external.port());
            let upto = self
                .by_external
                .partition_point(|p| (p.protocol, p.address, *p.ports.start()) <= key);
            self.by_external[..upto].last().filter(|p| {
                (p.protocol, p.address) == (protocol, address) && p.ports.contains(&key.2)
            })
        };
        on(external.ip()).or_else(|| on(unspecified(external.ip())))
    }
}

impl Publication {
    fn is_sound(&self) -> bool {
        let extra = self.ports.end().checked_sub(*self.ports.start());
        extra.is_some_and(|extra| self.inside.port().checked_add(extra).is_some())
            && self.address.is_ipv4() == self.inside.is_ipv4()
    }
}

impl Reverse {
    fn of(publication: &Publication) -> Self {
        let first = publication.inside.port();
        let last = first + (publication.ports.end() - publication.ports.start());
        Self {
            protocol: publication.protocol,
            inside: publication.inside.ip(),
            ports: first..=last,
            reach: last,
            address: publication.address,
            external: *publication.ports.start(),
        }
    }
}

/// Joins ranges that overlap, so that one look is enough.
fn merge(openings: &mut Vec<Opening>) {
    openings.dedup_by(|next, before| {
        let joined = (next.protocol, next.inside) == (before.protocol, before.inside)
            && next.ports.start() <= before.ports.end();
        if joined {
            let end = *before.ports.end().max(next.ports.end());
            before.ports = *before.ports.start()..=end;
        }
        joined
    });
}

fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn publication(
        owner: u32,
        address: &str,
        ports: RangeInclusive<u16>,
        inside: &str,
    ) -> Publication {
        Publication {
            owner: Owner(owner),
            protocol: Protocol::Tcp,
            address: address.parse().unwrap(),
            ports,
            inside: inside.parse().unwrap(),
        }
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_leads_port_by_port() {
        let range = publication(1, "0.0.0.0", 20000..=59999, "10.0.0.2:1000");
        let published = Published::new(vec![range], Vec::new());
        for (external, inside) in [(20000, 1000), (20001, 1001), (59999, 40999)] {
            let external = SocketAddr::new("192.0.2.1".parse().unwrap(), external);
            let inside = SocketAddr::new("10.0.0.2".parse().unwrap(), inside);
            assert_eq!(
                published.inside(Protocol::Tcp, external),
                Some((Owner(1), inside))
            );
            assert_eq!(
                published.external(Protocol::Tcp, inside, external.ip()),
                Some(external.port())
            );
        }
        assert_eq!(published.inside(Protocol::Tcp, at("192.0.2.1:19999")), None);
        assert_eq!(published.inside(Protocol::Tcp, at("192.0.2.1:60000")), None);
        assert_eq!(published.inside(Protocol::Udp, at("192.0.2.1:20000")), None);
        assert_eq!(
            published.inside(Protocol::Tcp, at("[2001:db8::1]:20000")),
            None
        );
    }

    #[test]
    fn one_address_goes_before_all() {
        let published = Published::new(
            vec![
                publication(1, "0.0.0.0", 8000..=8100, "10.0.0.2:80"),
                publication(2, "192.0.2.1", 8050..=8050, "10.0.0.3:80"),
            ],
            Vec::new(),
        );
        let inside = |external: &str| published.inside(Protocol::Tcp, at(external));
        assert_eq!(
            inside("192.0.2.1:8049"),
            Some((Owner(1), at("10.0.0.2:129")))
        );
        assert_eq!(
            inside("192.0.2.1:8050"),
            Some((Owner(2), at("10.0.0.3:80")))
        );
        assert_eq!(
            inside("192.0.2.1:8051"),
            Some((Owner(1), at("10.0.0.2:131")))
        );
        assert_eq!(
            inside("192.0.2.9:8050"),
            Some((Owner(1), at("10.0.0.2:130")))
        );
        // There the first container's port 130 is not published at all.
        let external = |inside: &str, address: &str| {
            published.external(Protocol::Tcp, at(inside), address.parse().unwrap())
        };
        assert_eq!(external("10.0.0.2:130", "192.0.2.1"), None);
        assert_eq!(external("10.0.0.2:130", "192.0.2.9"), Some(8050));
        assert_eq!(external("10.0.0.3:80", "192.0.2.1"), Some(8050));
        assert_eq!(external("10.0.0.3:80", "192.0.2.9"), None);
    }

    #[test]
    fn nonsense_leads_nowhere() {
        #[allow(clippy::reversed_empty_ranges, reason = "what is tested")]
        let empty = 9..=8;
        let published = Published::new(
            vec![
                publication(1, "0.0.0.0", 1000..=1001, "10.0.0.2:65535"),
                publication(1, "0.0.0.0", empty, "10.0.0.2:80"),
                publication(1, "::", 80..=80, "10.0.0.2:80"),
            ],
            Vec::new(),
        );
        for port in 0..=u16::MAX {
            let external = SocketAddr::new("192.0.2.1".parse().unwrap(), port);
            assert_eq!(published.inside(Protocol::Tcp, external), None);
        }
        assert_eq!(
            published.inside(Protocol::Tcp, at("[2001:db8::1]:80")),
            None
        );
    }

    #[test]
    fn openings_that_overlap() {
        let opening = |ports| Opening {
            protocol: Protocol::Udp,
            inside: "10.0.0.2".parse().unwrap(),
            ports,
        };
        let openings = vec![opening(10..=100), opening(20..=30), opening(90..=120)];
        let published = Published::new(Vec::new(), openings);
        for port in 0..200 {
            let inside = SocketAddr::new("10.0.0.2".parse().unwrap(), port);
            let open = (10..=120).contains(&port);
            assert_eq!(published.opens(Protocol::Udp, inside), open, "{port}");
            assert!(!published.opens(Protocol::Tcp, inside));
        }
    }

    prop_compose! {
        fn publications()(
            raw in prop::collection::vec((0..3u32, 0..3usize, 1..60u16, 0..12u16, 1..60u16), 0..14)
        ) -> Vec<Publication> {
            let mut taken = std::collections::HashSet::new();
            let mut publications = Vec::new();
            for (owner, address, start, extra, port) in raw {
                let address = ["0.0.0.0", "192.0.2.1", "192.0.2.2"][address];
                let ports = start..=start + extra;
                if ports.clone().any(|port| taken.contains(&(address, port))) {
                    continue;
                }
                taken.extend(ports.clone().map(|port| (address, port)));
                let inside = format!("10.0.0.{owner}:{port}");
                publications.push(publication(owner, address, ports, &inside));
            }
            publications
        }
    }

    proptest! {
        /// Against a look at each publication in turn.
        #[test]
        fn as_a_plain_search_finds(publications in publications()) {
            let published = Published::new(publications.clone(), Vec::new());
            for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
                let address: IpAddr = address.parse().unwrap();
                let mut back = std::collections::BTreeMap::new();
                for port in 0..80 {
                    let of = |p: &&Publication| p.ports.contains(&port);
                    let exact = publications.iter().filter(|p| p.address == address).find(of);
                    let any = publications.iter().filter(|p| p.address.is_unspecified()).find(of);
                    let plain = exact.or(any).map(|p| {
                        let to = p.inside.port() + (port - p.ports.start());
                        (p.owner, SocketAddr::new(p.inside.ip(), to))
                    });
                    let external = SocketAddr::new(address, port);
                    prop_assert_eq!(published.inside(Protocol::Tcp, external), plain);
                    if let Some((_, inside)) = plain {
                        let rank = (exact.is_none(), port);
                        let best = back.entry(inside).or_insert(rank);
                        *best = rank.min(*best);
                    }
                }
                for owner in 0..3 {
                    for port in 0..80 {
                        let inside = SocketAddr::new(IpAddr::from([10, 0, 0, owner]), port);
                        let plain = back.get(&inside).map(|&(_, port)| port);
                        prop_assert_eq!(published.external(Protocol::Tcp, inside, address), plain);
                    }
                }
            }
        }
    }
}
