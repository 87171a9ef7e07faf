use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const VLAN: Vlan = Vlan::NONE;

fn mac(n: u64) -> MacAddr {
    MacAddr::from_u64(0x0242_0000_0000 | n)
}

fn at(secs: u64) -> Moment {
    Moment::from_secs(secs)
}

#[test]
fn an_address_is_found_until_it_ages() {
    let fdb = Fdb::new(16, 300, 1);
    assert_eq!(fdb.learn(VLAN, mac(1), PortId(3), at(0)), Learned::New);
    assert_eq!(fdb.lookup(VLAN, mac(1), at(299)), Some(PortId(3)));
    assert_eq!(fdb.lookup(VLAN, mac(1), at(300)), None);
    assert_eq!(fdb.learn(VLAN, mac(1), PortId(3), at(200)), Learned::Known);
    assert_eq!(fdb.lookup(VLAN, mac(1), at(499)), Some(PortId(3)));
    fdb.sweep(at(500));
    assert_eq!((fdb.learned(), fdb.entries(at(500))), (0, vec![]));
}

#[test]
fn a_moved_address_is_followed_at_once() {
    let fdb = Fdb::new(16, 300, 1);
    fdb.learn(VLAN, mac(1), PortId(3), at(0));
    assert_eq!(fdb.learn(VLAN, mac(1), PortId(4), at(0)), Learned::Moved);
    assert_eq!(fdb.lookup(VLAN, mac(1), at(0)), Some(PortId(4)));
}

#[test]
fn a_configured_address_neither_ages_nor_moves() {
    let fdb = Fdb::new(16, 300, 1);
    assert!(fdb.set_static(VLAN, mac(1), PortId(3)));
    assert_eq!(fdb.learn(VLAN, mac(1), PortId(3), at(0)), Learned::Known);
    let elsewhere = fdb.learn(VLAN, mac(1), PortId(4), at(0));
    assert_eq!(elsewhere, Learned::Elsewhere);
    assert_eq!(fdb.configured(VLAN, mac(1)), Some(PortId(3)));
    fdb.flush();
    assert_eq!(fdb.lookup(VLAN, mac(1), at(100_000)), Some(PortId(3)));
    fdb.forget_port(PortId(3));
    assert_eq!(fdb.lookup(VLAN, mac(1), at(0)), None);
}

#[test]
fn the_limit_holds_and_makes_room_when_addresses_age() {
    let fdb = Fdb::new(100, 300, 1);
    for n in 0..100 {
        assert_eq!(fdb.learn(VLAN, mac(n), PortId(0), at(0)), Learned::New);
    }
    assert_eq!(fdb.learn(VLAN, mac(100), PortId(0), at(0)), Learned::Full);
    assert_eq!(fdb.learn(VLAN, mac(5), PortId(1), at(0)), Learned::Moved);
    fdb.sweep(at(301));
    assert_eq!(fdb.learn(VLAN, mac(100), PortId(0), at(301)), Learned::New);
}

#[test]
fn a_configured_address_comes_and_goes_and_a_learned_one_stays() {
    let fdb = Fdb::new(16, 300, 1);
    fdb.learn(VLAN, mac(1), PortId(3), at(0));
    assert!(!fdb.remove_static(VLAN, mac(1)));
    assert_eq!(fdb.lookup(VLAN, mac(1), at(0)), Some(PortId(3)));
    assert_eq!(fdb.configured(VLAN, mac(1)), None);
    fdb.set_static(VLAN, mac(1), PortId(4));
    assert_eq!((fdb.learned(), fdb.count_behind(PortId(4))), (0, 1));
    assert!(fdb.remove_static(VLAN, mac(1)));
    assert!(!fdb.remove_static(VLAN, mac(1)));
    assert_eq!(fdb.lookup(VLAN, mac(1), at(0)), None);
    assert_eq!(fdb.count_behind(PortId(4)), 0);
}

#[test]
fn a_port_has_its_share_and_no_more() {
    let fdb = Fdb::new(100, 300, 1);
    let learn = |n, port, now| fdb.learn_within(3, VLAN, mac(n), PortId(port), at(now));
    for n in 0..3 {
        assert_eq!(learn(n, 7, 0), Learned::New);
    }
    assert_eq!(learn(3, 7, 0), Learned::Full);
    // Known ones are refreshed, others learn, configured ones are no part of it.
    assert_eq!(learn(0, 7, 1), Learned::Known);
    assert_eq!(learn(4, 8, 0), Learned::New);
    assert!(fdb.set_static(VLAN, mac(5), PortId(7)));
    assert_eq!(fdb.count_behind(PortId(7)), 4);
    // What moves away makes room; what moves in takes it.
    assert_eq!(learn(0, 8, 1), Learned::Moved);
    assert_eq!(learn(3, 7, 1), Learned::New);
    assert_eq!(learn(0, 7, 1), Learned::Full);
    assert_eq!(fdb.lookup(VLAN, mac(0), at(1)), None);
    assert_eq!(fdb.count_behind(PortId(8)), 1);
    // So does what ages.
    fdb.sweep(at(300));
    assert_eq!(fdb.count_behind(PortId(7)), 2);
    assert_eq!(learn(0, 7, 300), Learned::New);
}

#[test]
fn one_address_may_be_in_two_vlans() {
    let fdb = Fdb::new(16, 300, 1);
    let tagged = Vlan::from_bits(100);
    fdb.learn(VLAN, mac(1), PortId(3), at(0));
    fdb.learn(tagged, mac(1), PortId(4), at(0));
    assert_eq!(fdb.lookup(VLAN, mac(1), at(0)), Some(PortId(3)));
    assert_eq!(fdb.lookup(tagged, mac(1), at(0)), Some(PortId(4)));
}

#[test]
fn readers_never_see_one_address_behind_another_s_port() {
    // Address n lives only ever behind port n, while addresses come and go in a small table.
    let fdb = Arc::new(Fdb::new(64, 300, 7));
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..2000u32 {
                for n in 0..64 {
                    fdb.learn(VLAN, mac(n), PortId(n as u32), at(0));
                }
                fdb.forget_port(PortId(round % 64));
                fdb.forget_port(PortId((round * 7 + 3) % 64));
            }
        });
        while !writer.is_finished() {
            for n in 0..64 {
                let port = fdb.lookup(VLAN, mac(n), at(0));
                assert!(
                    port.is_none_or(|port| port == PortId(n as u32)),
                    "{n} at {port:?}"
                );
            }
        }
    });
}

#[test]
fn shares_hold_whoever_learns_at_the_same_time() {
    const SHARE: usize = 10;
    let fdb = Arc::new(Fdb::new(1000, 300, 3));
    let count = |port| {
        let entries = fdb.entries(at(0));
        entries.iter().filter(|e| e.port == PortId(port)).count()
    };
    std::thread::scope(|scope| {
        let writers = [0u32, 1, 2].map(|own| {
            let fdb = &fdb;
            scope.spawn(move || {
                for round in 0..300 {
                    // Everybody claims the same addresses.
                    for n in 0..40 {
                        fdb.learn_within(SHARE, VLAN, mac(n), PortId(own), at(0));
                    }
                    match round % 3 {
                        0 => fdb.forget_port(PortId(own)),
                        1 => _ = fdb.set_static(VLAN, mac(own.into()), PortId(9)),
                        _ => _ = fdb.remove_static(VLAN, mac(own.into())),
                    }
                }
            })
        });
        while !writers
            .iter()
            .all(std::thread::ScopedJoinHandle::is_finished)
        {
            for port in 0..3 {
                assert!(count(port) <= SHARE);
            }
        }
    });
    let ports = [0, 1, 2, 9];
    assert_eq!(
        ports.map(count),
        ports.map(|port| fdb.count_behind(PortId(port)))
    );
    assert_eq!(fdb.learned(), count(0) + count(1) + count(2));
}

/// Learned addresses of ports 2 and 3 at most.
const SHARE: usize = 5;

const fn share(port: u32) -> usize {
    if port < 2 { usize::MAX } else { SHARE }
}

#[derive(Clone, Debug)]
enum Step {
    Learn(u64, u32),
    Static(u64, u32),
    RemoveStatic(u64),
    Forget(u32),
    Wait(u64),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..40u64, 0..4u32).prop_map(|(mac, port)| Step::Learn(mac, port)),
        1 => (0..40u64, 0..4u32).prop_map(|(mac, port)| Step::Static(mac, port)),
        1 => (0..40u64).prop_map(Step::RemoveStatic),
        1 => (0..4u32).prop_map(Step::Forget),
        2 => (0..200u64).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #[test]
    fn behaves_as_a_map_with_ages(steps in proptest::collection::vec(step(), 1..200), seed: u64) {
        let fdb = Fdb::new(1000, 300, seed);
        let mut model: HashMap<u64, (u32, Option<u64>)> = HashMap::new();
        let mut now = 1000;
        for step in steps {
            match step {
                Step::Learn(n, port) => {
                    let learned = fdb.learn_within(share(port), VLAN, mac(n), PortId(port), at(now));
                    let behind = model.values().filter(|(at, seen)| *at == port && seen.is_some());
                    let full = behind.count() >= share(port);
                    let expected = match model.get(&n) {
                        Some((at, _)) if *at == port => Learned::Known,
                        Some((_, None)) => Learned::Elsewhere,
                        _ if full => Learned::Full,
                        Some((_, Some(seen))) if now - seen < 300 => Learned::Moved,
                        _ => Learned::New,
                    };
                    prop_assert_eq!(learned, expected);
                    match (model.get(&n), full) {
                        (Some((_, None)), _) => {}
                        (Some((at, _)), true) if *at != port => _ = model.remove(&n),
                        (None, true) => {}
                        _ => _ = model.insert(n, (port, Some(now))),
                    }
                }
                Step::Static(n, port) => {
                    fdb.set_static(VLAN, mac(n), PortId(port));
                    model.insert(n, (port, None));
                }
                Step::RemoveStatic(n) => {
                    let there = model.get(&n).is_some_and(|(_, seen)| seen.is_none());
                    prop_assert_eq!(fdb.remove_static(VLAN, mac(n)), there);
                    if there {
                        model.remove(&n);
                    }
                }
                Step::Forget(port) => {
                    fdb.forget_port(PortId(port));
                    model.retain(|_, (at, _)| *at != port);
                }
                Step::Wait(secs) => now += secs,
                Step::Sweep => {
                    fdb.sweep(at(now));
                    model.retain(|_, (_, seen)| seen.is_none_or(|seen| now - seen < 300));
                }
            }
            let learned = model.values().filter(|(_, seen)| seen.is_some()).count();
            prop_assert_eq!(fdb.learned(), learned);
            for port in 0..4 {
                let behind = model.values().filter(|(at, _)| *at == port).count();
                prop_assert_eq!(fdb.count_behind(PortId(port)), behind);
            }
            for n in 0..40 {
                let live = model.get(&n).filter(|(_, seen)| seen.is_none_or(|seen| now - seen < 300));
                prop_assert_eq!(fdb.lookup(VLAN, mac(n), at(now)), live.map(|(port, _)| PortId(*port)));
            }
        }
    }
}
