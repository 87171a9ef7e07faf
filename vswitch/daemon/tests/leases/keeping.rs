//! How an address is kept, lost and given back.

use std::sync::atomic::{AtomicBool, Ordering};

use vswitch_dhcp::{Event, Lease, Loss};
use vswitch_netio::clock;
use vswitch_packet::MacAddr;
use vswitchd::leases::LeaseState;

use crate::lan::{
    ACK, DISCOVER, HOLDER_MAC, MAC, NAK, RELEASE, REQUEST, SERVER, SERVER_MAC, Seen, What, address,
    arp_reply, endpoint, eventually, identity, server, with_lan,
};

/// The shortest lease that a client takes.
const SHORT: u32 = 20;

/// What a record from before a restart says, a moment before the lease is to be renewed.
fn recorded(renew_after: u32) -> Lease {
    Lease {
        address: address(70),
        prefix_len: 24,
        router: Some(address(254)),
        server: SERVER,
        dns: vec![],
        obtained: clock::now(),
        seconds: 3,
        renew_after,
        rebind_after: 2,
    }
}

#[test]
fn a_lease_is_renewed_by_unicast_and_nothing_is_listened_to_between() {
    with_lan(server([address(70)], SHORT), |host| {
        let place = host.place(None);
        let lease = host
            .wait(host.leases.acquire(endpoint(), place, identity(), None))
            .unwrap();
        host.leases
            .keep(endpoint(), place, identity(), Some(lease.clone()));
        eventually("the socket is closed", || host.is_deaf());
        let Event::Renewed(renewed) = host.event() else {
            panic!("not renewed");
        };
        assert_eq!(renewed.address, lease.address);
        assert!(renewed.obtained > lease.obtained);
        let questions = host.questions();
        let (seen, renewal) = questions.last().unwrap();
        assert_eq!((renewal.kind, renewal.to), (REQUEST, SERVER));
        assert_eq!(renewal.about, Some(address(70)));
        // To whoever sent the answer before, without asking for it.
        assert_eq!((seen.from, seen.to), (MAC, SERVER_MAC));
        let asked = What::Arp {
            sender: address(70),
            target: SERVER,
        };
        assert!(host.seen().iter().all(|seen| seen.what != asked));
        eventually("the socket is closed again", || host.is_deaf());
        assert_eq!(host.leases.list()[0].state, LeaseState::Bound);
    });
}

#[test]
fn after_a_restart_the_server_is_found_by_arp() {
    let mut dhcp = server([], 3600);
    let script = move |seen: &Seen| match seen.what {
        What::Arp { sender, target } if (sender, target) == (address(70), SERVER) => {
            vec![arp_reply(SERVER, SERVER_MAC, None)]
        }
        _ => dhcp(seen),
    };
    with_lan(script, |host| {
        let place = host.place(None);
        host.leases
            .keep(endpoint(), place, identity(), Some(recorded(0)));
        assert!(matches!(host.event(), Event::Renewed(lease) if lease.address == address(70)));
        let questions = host.questions();
        let (seen, renewal) = questions.last().unwrap();
        assert_eq!(
            (renewal.kind, renewal.to, seen.to),
            (REQUEST, SERVER, SERVER_MAC)
        );
    });
}

#[test]
fn a_server_that_is_silent_costs_the_address_and_another_one_is_had() {
    let back = AtomicBool::new(false);
    let mut dhcp = server([address(71)], 3600);
    let script = |seen: &Seen| {
        if back.load(Ordering::Relaxed) {
            dhcp(seen)
        } else {
            vec![]
        }
    };
    with_lan(script, |host| {
        let place = host.place(None);
        host.leases
            .keep(endpoint(), place, identity(), Some(recorded(1)));
        assert_eq!(host.event(), Event::Lost(Loss::Expired));
        let rebinding = host.questions();
        let to_all = rebinding
            .iter()
            .find(|(seen, question)| question.kind == REQUEST && seen.to == MacAddr::BROADCAST);
        assert!(to_all.is_some(), "all servers were asked before");
        eventually("it asks again", || host.kinds().last() == Some(&DISCOVER));
        assert_eq!(host.leases.list()[0].state, LeaseState::Asking);
        assert_eq!(host.leases.list()[0].expires_in, None);
        back.store(true, Ordering::Relaxed);
        assert!(matches!(host.event(), Event::Bound(lease) if lease.address == address(71)));
    });
}

#[test]
fn a_server_that_refuses_gives_another_address_which_is_probed() {
    let mut dhcp = server([address(71), address(72)], 3600);
    let script = move |seen: &Seen| match &seen.what {
        What::Arp { target, .. } if *target == address(71) => {
            vec![arp_reply(*target, HOLDER_MAC, None)]
        }
        What::Arp { target, .. } if *target == SERVER => {
            vec![arp_reply(SERVER, SERVER_MAC, None)]
        }
        What::Dhcp(question) if question.about == Some(address(70)) => {
            vec![question.answer(NAK, std::net::Ipv4Addr::UNSPECIFIED, 3600, None)]
        }
        _ => dhcp(seen),
    };
    with_lan(script, |host| {
        let place = host.place(None);
        host.leases
            .keep(endpoint(), place, identity(), Some(recorded(0)));
        assert_eq!(host.event(), Event::Lost(Loss::Refused));
        // The first one is in use, and nobody hears of it.
        assert!(matches!(host.event(), Event::Bound(lease) if lease.address == address(72)));
    });
}

#[test]
fn who_has_no_address_yet_is_given_one_when_there_is_a_server() {
    with_lan(server([address(70)], 3600), |host| {
        host.leases
            .keep(endpoint(), host.place(None), identity(), None);
        assert!(matches!(host.event(), Event::Bound(lease) if lease.address == address(70)));
    });
}

#[test]
fn a_lease_is_given_back_once() {
    with_lan(server([address(70)], 3600), |host| {
        let place = host.place(None);
        let lease = host
            .wait(host.leases.acquire(endpoint(), place, identity(), None))
            .unwrap();
        host.leases.keep(endpoint(), place, identity(), Some(lease));
        host.leases.let_go(endpoint(), true);
        host.leases.let_go(endpoint(), true);
        assert_eq!(host.leases.list(), []);
        eventually("it is given back", || host.kinds().contains(&RELEASE));
        let questions = host.questions();
        let (seen, release) = questions.last().unwrap();
        assert_eq!((seen.to, release.to), (SERVER_MAC, SERVER));
        assert_eq!(release.about, Some(address(70)));
        eventually("the socket is closed", || host.is_deaf());
        assert_eq!(
            host.kinds().iter().filter(|kind| **kind == RELEASE).count(),
            1
        );
    });
}

#[test]
fn a_lease_that_is_let_go_is_neither_renewed_nor_given_back() {
    with_lan(
        |_| vec![],
        |host| {
            let place = host.place(None);
            host.leases
                .keep(endpoint(), place, identity(), Some(recorded(0)));
            host.leases.let_go(endpoint(), false);
            assert_eq!(host.leases.list(), []);
            eventually("the socket is closed", || host.is_deaf());
            assert!(!host.kinds().contains(&RELEASE));
            assert!(host.events.try_recv().is_err());
        },
    );
}

#[test]
fn a_lease_goes_on_at_another_place() {
    let tag = Some((0x8100, 100));
    let script = move |seen: &Seen| match &seen.what {
        What::Dhcp(question) if seen.tag == tag => {
            vec![question.answer(ACK, question.about.unwrap(), 3600, tag)]
        }
        _ => vec![],
    };
    with_lan(script, |host| {
        let vlan = Some((vswitch_packet::ethernet::EtherType::VLAN, 100));
        host.leases
            .keep(endpoint(), host.place(None), identity(), Some(recorded(1)));
        host.leases
            .keep(endpoint(), host.place(vlan), identity(), Some(recorded(1)));
        assert_eq!(host.leases.list().len(), 1);
        // At T2, as nobody answers ARP.
        assert!(matches!(host.event(), Event::Renewed(lease) if lease.address == address(70)));
        assert!(host.questions().iter().all(|(seen, _)| seen.tag == tag));
    });
}
