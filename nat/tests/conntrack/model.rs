//! Against a model that is plain and slow.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use vswitch_nat::conntrack::Step;
use vswitch_nat::{Filtering, Owner, Protocol, Publication, Published, Refusal};

use super::host::{Host, Limits, at, ip};

#[derive(Clone, Debug)]
enum Event {
    Send {
        inside: usize,
        remote: usize,
        source: usize,
    },
    Receive {
        address: usize,
        port: u16,
        remote: usize,
    },
    /// To an external endpoint that was given out.
    Answer {
        nth: usize,
        remote: usize,
    },
    Wait {
        seconds: u64,
        sweep: bool,
    },
    ForgetOwner {
        owner: u32,
    },
    ForgetExternal {
        address: usize,
    },
    ForgetMapping {
        nth: usize,
    },
}

const ADDRESSES: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
const REMOTES: [&str; 4] = [
    "198.51.100.1:53",
    "198.51.100.1:54",
    "198.51.100.2:53",
    "198.51.100.3:53",
];
const INSIDES: [&str; 6] = [
    "10.0.0.2:53",
    "10.0.0.2:5000",
    "10.0.0.3:5000",
    "10.0.0.3:5001",
    "10.0.0.4:5000",
    "10.0.0.4:7000",
];
/// Port 7000 of the second address leads to the last container's port 7000.
const PUBLISHED: [(&str, u16, &str); 2] = [
    ("0.0.0.0", 5353, "10.0.0.2:53"),
    ("192.0.2.2", 7000, "10.0.0.4:7000"),
];

fn event() -> impl Strategy<Value = Event> {
    let remote = 0..REMOTES.len();
    prop_oneof![
        6 => (0..INSIDES.len(), remote.clone(), 0..3usize)
            .prop_map(|(inside, remote, source)| Event::Send { inside, remote, source }),
        2 => (
            0..2usize,
            prop_oneof![Just(5353u16), Just(7000), Just(5000), Just(53), 40_000..40_004u16],
            remote.clone(),
        )
            .prop_map(|(address, port, remote)| Event::Receive { address, port, remote }),
        5 => (0..20usize, remote).prop_map(|(nth, remote)| Event::Answer { nth, remote }),
        3 => (1..200u64, any::<bool>()).prop_map(|(seconds, sweep)| Event::Wait { seconds, sweep }),
        1 => (2..5u32).prop_map(|owner| Event::ForgetOwner { owner }),
        1 => (0..2usize).prop_map(|address| Event::ForgetExternal { address }),
        1 => (0..20usize).prop_map(|nth| Event::ForgetMapping { nth }),
    ]
}

/// Sessions by inside and remote endpoint: their external endpoint, whether that was drawn, and
/// when they were seen.
#[derive(Default)]
struct Model {
    sessions: HashMap<(SocketAddr, SocketAddr), (SocketAddr, bool, u64)>,
}

impl Model {
    fn age(&mut self, now: u64) {
        self.sessions.retain(|_, (_, _, seen)| *seen + 300 > now);
    }

    /// The external endpoint drawn for an inside endpoint on an address.
    fn drawn(&self, inside: SocketAddr, address: std::net::IpAddr) -> Option<SocketAddr> {
        self.sessions
            .iter()
            .find(|((i, _), (e, drawn, _))| *drawn && *i == inside && e.ip() == address)
            .map(|(_, (external, _, _))| *external)
    }

    fn who_drew(&self, external: SocketAddr) -> Option<SocketAddr> {
        self.sessions
            .iter()
            .find(|(_, (e, drawn, _))| *drawn && *e == external)
            .map(|((inside, _), _)| *inside)
    }

    fn session(&self, external: SocketAddr, remote: SocketAddr) -> Option<SocketAddr> {
        self.sessions
            .iter()
            .find(|((_, r), (e, _, _))| *r == remote && *e == external)
            .map(|((inside, _), _)| *inside)
    }
}

fn published_inside(external: SocketAddr) -> Option<SocketAddr> {
    PUBLISHED
        .iter()
        .find(|(address, port, _)| {
            *port == external.port() && (ip(address) == external.ip() || *address == "0.0.0.0")
        })
        .map(|(_, _, inside)| at(inside))
}

fn published_external(inside: SocketAddr, address: std::net::IpAddr) -> Option<SocketAddr> {
    PUBLISHED
        .iter()
        .find(|(on, _, to)| at(to) == inside && (ip(on) == address || *on == "0.0.0.0"))
        .map(|(_, port, _)| SocketAddr::new(address, *port))
}

fn host(filtering: Filtering) -> Host {
    let mut host = Host::new(Limits {
        ports: 40_000..=40_003,
        ..Limits::default()
    });
    host.filtering = filtering;
    let publications = PUBLISHED.map(|(address, port, inside)| Publication {
        owner: Host::owner(at(inside).ip()),
        protocol: Protocol::Udp,
        address: ip(address),
        ports: port..=port,
        inside: at(inside),
    });
    host.published = Published::new(publications.into(), Vec::new());
    host
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn as_the_model(
        events in prop::collection::vec(event(), 1..80),
        filtering in prop_oneof![
            Just(Filtering::EndpointIndependent),
            Just(Filtering::AddressDependent),
            Just(Filtering::AddressAndPortDependent),
        ],
    ) {
        let mut host = host(filtering);
        let mut model = Model::default();
        let mut given: Vec<SocketAddr> = vec![at("192.0.2.1:1")];
        for event in events {
            let now = host.now.as_secs();
            model.age(now);
            match event {
                Event::Send { inside, remote, source } => {
                    let (inside, remote) = (at(INSIDES[inside]), at(REMOTES[remote]));
                    host.source = ADDRESSES.get(source).map(|address| ip(address));
                    let sent = host.send(Protocol::Udp, inside, remote, Step::Plain);
                    let known = model.sessions.get_mut(&(inside, remote));
                    if let Some((external, _, seen)) = known {
                        prop_assert_eq!(sent, Ok(*external));
                        *seen = now;
                        continue;
                    }
                    let (external, drawn) = match host.source {
                        None => (inside, false),
                        Some(address) => match published_external(inside, address) {
                            Some(external) => (external, false),
                            None => {
                                let Ok(external) = sent else {
                                    // Four ports, the own one, and as many as there are takers.
                                    prop_assert_eq!(sent, Err(Refusal::PortsExhausted));
                                    prop_assert!(model.drawn(inside, address).is_none());
                                    continue;
                                };
                                match model.drawn(inside, address) {
                                    Some(before) => prop_assert_eq!(external, before),
                                    None => {
                                        prop_assert_eq!(external.ip(), address);
                                        prop_assert_eq!(model.who_drew(external), None);
                                        prop_assert_eq!(published_inside(external), None);
                                        let own = SocketAddr::new(address, inside.port());
                                        if model.who_drew(own).is_none()
                                            && published_inside(own).is_none()
                                            && sent != Ok(own)
                                        {
                                            // Only if what had it is silent and not swept up yet.
                                            prop_assert!(host.sessions() > model.sessions.len() as u64);
                                        }
                                    }
                                }
                                (external, true)
                            }
                        },
                    };
                    prop_assert_eq!(sent, Ok(external));
                    model.sessions.insert((inside, remote), (external, drawn, now));
                    given.push(external);
                }
                Event::Receive { .. } | Event::Answer { .. } => {
                    let (external, remote) = match event {
                        Event::Receive { address, port, remote } => {
                            (SocketAddr::new(ip(ADDRESSES[address]), port), at(REMOTES[remote]))
                        }
                        Event::Answer { nth, remote } => {
                            (given[nth % given.len()], at(REMOTES[remote]))
                        }
                        _ => unreachable!(),
                    };
                    // What is sent to a container's own address does not come here.
                    if !ADDRESSES.iter().any(|address| ip(address) == external.ip()) {
                        continue;
                    }
                    let came = host.receive(Protocol::Udp, external, remote, Step::Plain);
                    if let Some(inside) = model.session(external, remote) {
                        prop_assert_eq!(came, Ok(inside));
                        model.sessions.get_mut(&(inside, remote)).unwrap().2 = now;
                    } else if let Some(inside) = published_inside(external) {
                        prop_assert_eq!(came, Ok(inside));
                        model.sessions.insert((inside, remote), (external, false, now));
                    } else if let Some(inside) = model.who_drew(external) {
                        let admitted = match filtering {
                            Filtering::EndpointIndependent => true,
                            Filtering::AddressDependent => model.sessions.iter().any(
                                |((i, r), (e, ..))| {
                                    (*i, *e, r.ip()) == (inside, external, remote.ip())
                                },
                            ),
                            Filtering::AddressAndPortDependent => false,
                        };
                        if admitted {
                            prop_assert_eq!(came, Ok(inside));
                            model.sessions.insert((inside, remote), (external, true, now));
                        } else {
                            prop_assert_eq!(came, Err(Refusal::Filtered));
                        }
                    } else {
                        // A mapping that is silent and not swept up yet admits nobody.
                        prop_assert!(matches!(came, Err(Refusal::NotOurs | Refusal::Filtered)));
                    }
                }
                Event::Wait { seconds, sweep } => {
                    host.now = host.now + Duration::from_secs(seconds);
                    if sweep {
                        host.table.sweep(host.now);
                    }
                }
                Event::ForgetOwner { owner } => {
                    host.table.forget_owner(Owner(owner));
                    model.sessions.retain(|(inside, _), _| Host::owner(inside.ip()) != Owner(owner));
                }
                Event::ForgetExternal { address } => {
                    let address = ip(ADDRESSES[address]);
                    host.table.forget_external(address);
                    model.sessions.retain(|_, (external, ..)| external.ip() != address);
                }
                Event::ForgetMapping { nth } => {
                    let external = given[nth % given.len()];
                    let there = host.table.forget_mapping(Protocol::Udp, external);
                    let before = model.sessions.len();
                    model.sessions.retain(|_, (e, ..)| {
                        *e != external || !ADDRESSES.iter().any(|a| ip(a) == e.ip())
                    });
                    prop_assert!(there || before == model.sessions.len());
                }
            }
            let now = host.now.as_secs();
            model.age(now);
            let mut rows: Vec<_> = host
                .table
                .sessions(host.now)
                .iter()
                .map(|row| (row.tuple.inside, row.tuple.remote, row.external, row.idle.as_secs()))
                .collect();
            let mut plain: Vec<_> = model
                .sessions
                .iter()
                .map(|((inside, remote), (external, _, seen))| (*inside, *remote, *external, now - seen))
                .collect();
            rows.sort_unstable();
            plain.sort_unstable();
            prop_assert_eq!(rows, plain);
        }
        host.now = host.now + Duration::from_secs(300);
        host.table.sweep(host.now);
        host.assert_empty();
    }
}
