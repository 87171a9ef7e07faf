//! How an address is had.

use std::net::Ipv4Addr;
use std::time::Duration;

use vswitch_dhcp::Lease;
use vswitch_netio::clock;
use vswitch_netio::netlink::Netlink;
use vswitch_packet::MacAddr;
use vswitch_packet::ethernet::EtherType;
use vswitchd::leases::{AcquireError, LeaseState};

use crate::lan::{
    ACK, DECLINE, DISCOVER, HOLDER_MAC, MAC, OFFER, REQUEST, SERVER, What, address, arp_reply,
    endpoint, eventually, identity, server, with_lan,
};

const HOUR: u32 = 3600;

#[test]
fn an_address_is_asked_for_and_probed_and_then_nothing_is_listened_to() {
    with_lan(server([address(70)], HOUR), |host| {
        let place = host.place(None);
        let acquired = host.leases.acquire(endpoint(), place, identity(), None);
        let lease = host.wait(acquired).unwrap();
        assert_eq!((lease.address, lease.prefix_len), (address(70), 24));
        assert_eq!((lease.router, lease.server), (Some(address(254)), SERVER));
        assert_eq!(lease.seconds, HOUR);

        assert_eq!(host.kinds(), [DISCOVER, REQUEST]);
        let seen = host.seen();
        let probe = What::Arp {
            sender: Ipv4Addr::UNSPECIFIED,
            target: address(70),
        };
        assert_eq!(seen.iter().filter(|seen| seen.what == probe).count(), 3);
        for seen in seen {
            assert_eq!((seen.from, seen.to), (MAC, MacAddr::BROADCAST));
            assert_eq!(seen.tag, None);
        }
        let status = host.leases.list();
        assert_eq!(status.len(), 1);
        assert_eq!(
            (status[0].endpoint, status[0].state),
            (endpoint(), LeaseState::Bound)
        );
        assert!(
            status[0]
                .expires_in
                .is_some_and(|seconds| seconds <= HOUR.into())
        );
        eventually("the socket is closed", || host.is_deaf());
    });
}

#[test]
fn only_the_vlan_is_spoken_to_and_heard() {
    for ethertype in [EtherType::VLAN, EtherType::SERVICE_VLAN] {
        let own = Some((ethertype.0, 100));
        let script = move |seen: &crate::lan::Seen| {
            let What::Dhcp(question) = &seen.what else {
                return vec![];
            };
            let kind = if question.kind == DISCOVER {
                OFFER
            } else {
                ACK
            };
            // Those of other VLANs are quicker.
            [None, Some((ethertype.0, 101)), Some((0x9100, 100)), own]
                .into_iter()
                .zip(70..)
                .map(|(tag, last)| question.answer(kind, address(last), HOUR, tag))
                .collect()
        };
        with_lan(script, |host| {
            let place = host.place(Some((ethertype, 100)));
            let acquired = host.leases.acquire(endpoint(), place, identity(), None);
            assert_eq!(host.wait(acquired).unwrap().address, address(73));
            for seen in host.seen() {
                assert_eq!(seen.tag, own);
            }
        });
    }
}

#[test]
fn an_address_in_use_is_declined_and_the_next_one_is_taken() {
    let mut dhcp = server([address(70), address(71)], HOUR);
    let script = move |seen: &crate::lan::Seen| match seen.what {
        What::Arp { target, .. } if target == address(70) => {
            vec![arp_reply(target, HOLDER_MAC, None)]
        }
        _ => dhcp(seen),
    };
    with_lan(script, |host| {
        let acquired = host
            .leases
            .acquire(endpoint(), host.place(None), identity(), None);
        assert_eq!(host.wait(acquired).unwrap().address, address(71));
        assert_eq!(
            host.kinds(),
            [DISCOVER, REQUEST, DECLINE, DISCOVER, REQUEST]
        );
        let (_, decline) = &host.questions()[2];
        assert_eq!(decline.about, Some(address(70)));
    });
}

#[test]
fn after_three_addresses_in_use_it_is_the_holder_who_is_named() {
    let mut dhcp = server([70, 71, 72, 73].map(address), HOUR);
    let script = move |seen: &crate::lan::Seen| match seen.what {
        What::Arp { target, .. } => vec![arp_reply(target, HOLDER_MAC, None)],
        _ => dhcp(seen),
    };
    with_lan(script, |host| {
        let acquired = host
            .leases
            .acquire(endpoint(), host.place(None), identity(), None);
        let error = host.wait(acquired).unwrap_err();
        assert_eq!(
            error.to_string(),
            "192.0.2.72, from the DHCP server 192.0.2.1 on eth0, is used by 02:00:00:00:00:63 already, as were \
             those before: see who has addresses of the server's range without having asked it"
        );
        eventually("the last is declined", || {
            host.kinds().last() == Some(&DECLINE)
        });
        assert_eq!(host.leases.list(), []);
    });
}

#[test]
fn the_address_from_before_is_asked_for_first() {
    with_lan(server([address(70)], HOUR), |host| {
        let previous = Lease {
            address: address(99),
            prefix_len: 24,
            router: None,
            server: SERVER,
            dns: vec![],
            obtained: clock::now(),
            seconds: 60,
            renew_after: 30,
            rebind_after: 50,
        };
        let place = host.place(None);
        let acquired = host
            .leases
            .acquire(endpoint(), place, identity(), Some(previous));
        assert_eq!(host.wait(acquired).unwrap().address, address(99));
        assert_eq!(host.kinds(), [REQUEST]);
    });
}

#[test]
fn nobody_answers() {
    with_lan(
        |_| vec![],
        |host| {
            let place = host.place(Some((EtherType::VLAN, 100)));
            let acquired = host.leases.acquire(endpoint(), place, identity(), None);
            let error = host.wait(acquired).unwrap_err();
            assert_eq!(
                error.to_string(),
                "no DHCP server answered on eth0.100 within 10 s: see that there is one in this network and VLAN, \
                 and that the switch lets the address 02:42:00:00:00:07 in"
            );
            assert!(host.kinds().len() > 1, "it asks more than once");
            assert_eq!(host.leases.list(), []);
            eventually("the socket is closed", || host.is_deaf());
        },
    );
}

#[test]
fn an_offer_that_is_not_confirmed_is_told_apart_from_silence() {
    let mut dhcp = server([address(70)], HOUR);
    let script = move |seen: &crate::lan::Seen| match &seen.what {
        What::Dhcp(question) if question.kind == REQUEST => vec![],
        _ => dhcp(seen),
    };
    with_lan(script, |host| {
        let acquired = host
            .leases
            .acquire(endpoint(), host.place(None), identity(), None);
        let error = host.wait(acquired).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the DHCP server 192.0.2.1 on eth0 offered 192.0.2.70 and did not confirm it within 10 s: see its log"
        );
    });
}

#[test]
fn a_nic_that_is_down_or_gone_is_told() {
    with_lan(
        |_| vec![],
        |host| {
            let place = host.place(None);
            let acquire =
                |place| host.wait(host.leases.acquire(endpoint(), place, identity(), None));
            Netlink::open().unwrap().set_down(host.interface).unwrap();
            let error = acquire(place).unwrap_err();
            assert!(matches!(error, AcquireError::Wire(_)), "{error:?}");
            assert!(
                error.to_string().starts_with("cannot send on eth0: "),
                "{error}"
            );
            let mut nowhere = place;
            nowhere.interface = 4711;
            let error = acquire(nowhere).unwrap_err();
            assert_eq!(
                error.to_string(),
                "cannot listen on interface 4711: no interface 4711 in this namespace"
            );
            assert_eq!(host.leases.list(), []);
        },
    );
}

#[test]
fn who_does_not_wait_leaves_nothing() {
    with_lan(
        |_| vec![],
        |host| {
            let acquired = host
                .leases
                .acquire(endpoint(), host.place(None), identity(), None);
            let limited =
                async { tokio::time::timeout(Duration::from_millis(200), acquired).await };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap();
            assert!(runtime.block_on(limited).is_err());
            assert_eq!(host.leases.list(), []);
            eventually("the socket is closed", || host.is_deaf());
        },
    );
}
