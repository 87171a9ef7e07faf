//! Several threads at once.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use vswitch_nat::conntrack::Step;
use vswitch_nat::{Filtering, Outbound, Owner, Protocol, Publication, Published, Refusal, Tuple};

use super::host::{Host, Limits, at, ip};

fn endpoint(n: u32, port: u16) -> SocketAddr {
    SocketAddr::new(ip(&format!("10.0.{}.{}", n / 250, n % 250)), port)
}

/// Lets the others go when its thread fails.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        self.0.fetch_or(thread::panicking(), Ordering::Relaxed);
    }
}

/// Runs it on so many threads, which begin each round together.
fn together(threads: usize, rounds: u32, run: impl Fn(usize, u32) + Sync) {
    let (arrived, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for thread in 0..threads {
            let (run, arrived, failed) = (&run, &arrived, &failed);
            scope.spawn(move || {
                let _alarm = Alarm(failed);
                for round in 0..rounds {
                    arrived.fetch_add(1, Ordering::Relaxed);
                    while arrived.load(Ordering::Relaxed) < threads * (round as usize + 1) {
                        assert!(!failed.load(Ordering::Relaxed), "another thread failed");
                        thread::yield_now();
                    }
                    run(thread, round);
                }
            });
        }
    });
}

#[test]
fn two_datagrams_of_one_new_flow_make_one_mapping() {
    const ROUNDS: u32 = 3000;
    let host = Host::new(Limits::default());
    let seen = std::sync::Mutex::new(HashSet::new());
    // The same source port in all containers, so that most ports are drawn.
    together(3, ROUNDS, |_, round| {
        let inside = endpoint(round, 5353);
        let external = host
            .send(Protocol::Udp, inside, at("198.51.100.1:53"), Step::Plain)
            .unwrap();
        seen.lock().unwrap().insert((inside, external));
    });
    let counts = host.table.counts();
    assert_eq!(
        (counts.sessions, counts.mappings),
        (u64::from(ROUNDS), u64::from(ROUNDS))
    );
    assert_eq!(counts.created, u64::from(ROUNDS));
    assert_eq!(
        seen.lock().unwrap().len(),
        ROUNDS as usize,
        "one external endpoint each"
    );
    assert_eq!(host.ports.ours.lock().unwrap().len(), ROUNDS as usize);
}

#[test]
fn one_flow_from_both_sides_at_once() {
    let mut host = Host::new(Limits::default());
    host.published = Published::new(
        (0..250)
            .map(|n| Publication {
                owner: Owner(n),
                protocol: Protocol::Udp,
                address: ip("0.0.0.0"),
                ports: 20_000 + n as u16..=20_000 + n as u16,
                inside: endpoint(n, 53),
            })
            .collect(),
        Vec::new(),
    );
    let host = host;
    together(2, 2500, |thread, round| {
        let (n, remote) = (
            round % 250,
            SocketAddr::new(ip("203.0.113.1"), round as u16),
        );
        let external = SocketAddr::new(ip("192.0.2.1"), 20_000 + n as u16);
        let inside = endpoint(n, 53);
        if thread == 0 {
            let leads = host.receive(Protocol::Udp, external, remote, Step::Plain);
            assert_eq!(leads, Ok(inside));
        } else {
            let comes = host.send(Protocol::Udp, inside, remote, Step::Plain);
            assert_eq!(comes, Ok(external));
        }
    });
    let counts = host.table.counts();
    assert_eq!(
        (counts.sessions, counts.mappings, counts.created),
        (2500, 250, 2500)
    );
}

/// Mappings come and go under packets in both directions, with few ports, so that each is used
/// again and again by others: no packet ends up with the wrong container.
#[test]
fn no_packet_finds_another_mapping() {
    let mut host = Host::new(Limits {
        ports: 40_000..=40_015,
        ..Limits::default()
    });
    host.filtering = Filtering::EndpointIndependent;
    let host = host;
    together(4, 4000, |thread, round| match thread {
        0 | 1 => {
            let n = round.wrapping_mul(7).wrapping_add(thread as u32) % 40;
            let inside = endpoint(n, 5353);
            // A remote endpoint for each container: what it is told must be meant for it.
            let remote = SocketAddr::new(ip("198.51.100.1"), n as u16 + 1);
            match host.send(Protocol::Udp, inside, remote, Step::Plain) {
                Ok(external) => {
                    let back = host.receive(Protocol::Udp, external, remote, Step::Plain);
                    // Unless it is gone by now; another's has never heard of this remote endpoint,
                    // but admits all.
                    if let Ok(leads) = back
                        && leads != inside
                    {
                        assert_eq!(host.state(inside, remote), None);
                    }
                }
                Err(refusal) => assert_eq!(refusal, Refusal::PortsExhausted),
            }
        }
        2 => {
            let external = SocketAddr::new(ip("192.0.2.1"), 40_000 + (round % 16) as u16);
            if round % 2 == 0 {
                host.table.forget_mapping(Protocol::Udp, external);
            } else {
                host.table.forget_owner(Owner(round % 40));
            }
        }
        _ => {
            for port in 40_000..=40_015 {
                let external = SocketAddr::new(ip("192.0.2.1"), port);
                let _ = host.receive(Protocol::Udp, external, at("203.0.113.9:9"), Step::Plain);
            }
            host.table.sweep(host.now);
        }
    });
    // Every external endpoint is one mapping's.
    let rows = host.table.sessions(host.now);
    let pairs: HashSet<_> = rows
        .iter()
        .map(|row| (row.external, row.tuple.inside))
        .collect();
    let externals: HashSet<_> = rows.iter().map(|row| row.external).collect();
    assert_eq!(pairs.len(), externals.len());
    assert_eq!(*host.ports.ours.lock().unwrap(), {
        externals
            .iter()
            .map(|external| (Protocol::Udp, *external))
            .collect()
    });
    for owner in 0..40 {
        host.table.forget_owner(Owner(owner));
    }
    host.assert_empty();
}

#[test]
fn limits_hold_and_all_is_given_back() {
    let host = Host::new(Limits {
        sessions: 100,
        per_owner: 60,
        ..Limits::default()
    });
    together(4, 5000, |thread, round| {
        let n = round % 5;
        let inside = endpoint(n, 1000 + (round % 97) as u16);
        let remote = SocketAddr::new(ip("198.51.100.1"), (round % 31) as u16 + 1);
        match thread {
            0 | 1 => {
                if let Ok(external) = host.send(Protocol::Udp, inside, remote, Step::Plain) {
                    let _ = host.receive(Protocol::Udp, external, remote, Step::Plain);
                }
            }
            2 => {
                // There are as many slots in the ledger as sessions may be.
                host.table.forget_owner(Owner(n));
            }
            _ => host
                .table
                .sweep(host.now + Duration::from_secs(u64::from(round) / 50)),
        }
    });
    for owner in 0..5 {
        host.table.forget_owner(Owner(owner));
    }
    host.assert_empty();
    // No seat and no quota was lost.
    for n in 0..60 {
        host.send(
            Protocol::Udp,
            endpoint(1, 1000 + n),
            at("198.51.100.1:1"),
            Step::Plain,
        )
        .unwrap();
    }
    for n in 0..40 {
        host.send(
            Protocol::Udp,
            endpoint(2, 1000 + n),
            at("198.51.100.1:1"),
            Step::Plain,
        )
        .unwrap();
    }
    assert_eq!(host.sessions(), 100);
}

/// An address goes while mappings begin at it: what begins after it is closed finds no port, and
/// what began before is gone.
#[test]
fn an_address_that_goes_under_load() {
    let host = Host::new(Limits::default());
    together(3, 2000, |thread, round| {
        let inside = endpoint(round, 5000 + thread as u16);
        if thread == 0 {
            host.table.forget_external(ip("192.0.2.1"));
        } else {
            let sent = host.send(Protocol::Udp, inside, at("198.51.100.1:53"), Step::Plain);
            assert!(matches!(sent, Ok(_) | Err(Refusal::PortsExhausted)));
        }
    });
    host.table.forget_external(ip("192.0.2.1"));
    host.assert_empty();
}

/// Packets of established sessions take the sessions' own locks, while others end these sessions and
/// begin them anew, with other ports and in other places: each is translated as its own container's
/// or not at all.
#[test]
fn packets_of_sessions_that_end_and_begin_anew() {
    const CONTAINERS: u32 = 16;
    const REMOTES: u32 = 4;
    const ROUNDS: u32 = 10_000;

    let mut host = Host::new(Limits {
        sessions: (CONTAINERS * REMOTES) as usize,
        // For each of two addresses, and half of them are free.
        ports: 40_000..=40_015,
        ..Limits::default()
    });
    host.filtering = Filtering::AddressDependent;
    let (host, hosts) = (&host, [ip("192.0.2.1"), ip("192.0.2.2")]);
    let inside = |n: u32| endpoint(n, 5353);
    // Each container talks to its own, who are not let in by another's mapping.
    let remote = |n: u32, m: u32| {
        let address = ip(&format!("198.51.{}.{}", 100 + m, n + 1));
        SocketAddr::new(address, 53)
    };
    let send = |n: u32, m: u32| {
        let way = Outbound {
            owner: Owner(n),
            source: Some(hosts[n as usize % 2]),
            filtering: host.filtering,
            published: &host.published,
            ingress: 0,
        };
        let tuple = Tuple {
            protocol: Protocol::Udp,
            inside: inside(n),
            remote: remote(n, m),
        };
        let sent = host.table.outbound(&tuple, Step::Plain, &way, host.now);
        if let Ok(external) = sent {
            assert_eq!(external.ip(), hosts[n as usize % 2]);
        }
        sent
    };
    let receive = |n: u32, m: u32, external| {
        let led = host.receive(Protocol::Udp, external, remote(n, m), Step::Plain);
        match led {
            Ok(leads) => assert_eq!(leads, inside(n)),
            // It has ended, or its port is another's by now.
            Err(refusal) => assert!(matches!(refusal, Refusal::NotOurs | Refusal::Filtered)),
        }
        led.is_ok()
    };

    let (done, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..3 {
            let (done, failed, answered) = (&done, &failed, &answered);
            scope.spawn(move || {
                let _alarm = Alarm(failed);
                // All threads have the same sessions, in another order.
                for round in (thread..).step_by(5) {
                    if done.load(Ordering::Relaxed) || failed.load(Ordering::Relaxed) {
                        break;
                    }
                    let (n, m) = (round % CONTAINERS, round / CONTAINERS % REMOTES);
                    for _ in 0..4 {
                        match send(n, m) {
                            Ok(external) => {
                                let count = usize::from(receive(n, m, external));
                                answered.fetch_add(count, Ordering::Relaxed);
                            }
                            Err(refusal) => assert_eq!(refusal, Refusal::PortsExhausted),
                        }
                    }
                }
            });
        }
        let _alarm = Alarm(&failed);
        for round in 0..ROUNDS {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let n = round % CONTAINERS;
            match round % 5 {
                0 => host.table.sweep(host.now + Duration::from_secs(400)),
                1 | 3 => host.table.forget_owner(Owner(n)),
                _ => {
                    for m in 0..REMOTES {
                        let _ = send(n, m);
                    }
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(answered.into_inner() > 0);

    // What is counted, listed, written down and held is the same.
    let check = || {
        let (rows, counts) = (host.table.sessions(host.now), host.table.counts());
        let pairs: HashSet<_> = rows
            .iter()
            .map(|row| (row.external, row.tuple.inside))
            .collect();
        let externals: HashSet<_> = pairs.iter().map(|&(external, _)| external).collect();
        assert_eq!(externals.len(), pairs.len());
        assert_eq!(
            (counts.sessions, counts.mappings),
            (rows.len() as u64, pairs.len() as u64)
        );
        assert_eq!(host.slots.used(), rows.len());
        assert_eq!(*host.ports.ours.lock().unwrap(), {
            let held = externals.iter();
            held.map(|&external| (Protocol::Udp, external)).collect()
        });
        rows.len()
    };
    check();
    // No seat, no port and no quota was lost.
    for (n, m) in (0..CONTAINERS).flat_map(|n| (0..REMOTES).map(move |m| (n, m))) {
        let external = send(n, m).unwrap();
        assert!(receive(n, m, external));
    }
    assert_eq!(check(), (CONTAINERS * REMOTES) as usize);
    (0..CONTAINERS).for_each(|n| host.table.forget_owner(Owner(n)));
    host.assert_empty();
}
