//! What is taken from an answer, and what is none.

use std::net::Ipv4Addr;

use vswitch_dhcp::{Event, Identity, Lease, State};

use crate::server::{ACK, ADDRESS, Lab, OFFER, SERVER, USUAL, answer, identity};

const MASK: (u8, &[u8]) = (1, &[255, 255, 255, 0]);
const HOUR: (u8, &[u8]) = (51, &[0, 0, 14, 16]);

/// Gets a lease with these options.
fn lease(options: &[(u8, &[u8])]) -> Lease {
    lease_of(|question, kind| answer(question, kind, SERVER, ADDRESS, options))
}

fn lease_of(make: impl Fn(&[u8], u8) -> Vec<u8>) -> Lease {
    let mut lab = Lab::new(identity());
    let discover = lab.sends();
    assert_eq!(lab.hears(&make(&discover.payload, OFFER)), None);
    let request = lab.sends();
    match lab.hears(&make(&request.payload, ACK)) {
        Some(Event::Bound(lease)) => lease,
        other => panic!("{other:?}"),
    }
}

/// Whether an offer is taken up.
fn is_offer(identity: Identity, make: impl Fn(&[u8]) -> Vec<u8>) -> bool {
    let mut lab = Lab::new(identity);
    let discover = lab.sends();
    assert_eq!(lab.hears(&make(&discover.payload)), None);
    lab.client.state() == State::Requesting
}

fn offers(address: [u8; 4], options: &[(u8, &[u8])]) -> bool {
    is_offer(identity(), |question| {
        answer(question, OFFER, SERVER, address.into(), options)
    })
}

#[test]
fn all_that_is_said_is_taken() {
    let lease = lease(&[
        (1, &[255, 255, 252, 0]),
        (3, &[192, 0, 2, 254, 192, 0, 2, 253]),
        (6, &[192, 0, 2, 53, 127, 0, 0, 1, 192, 0, 2, 54]),
        (58, &[0, 0, 0, 100]),
        (59, &[0, 0, 0, 200]),
        (51, &[0, 0, 1, 44]),
    ]);
    assert_eq!((lease.address, lease.prefix_len), (ADDRESS, 22));
    assert_eq!(lease.router, Some(Ipv4Addr::new(192, 0, 2, 254)));
    assert_eq!(
        lease.dns,
        [Ipv4Addr::new(192, 0, 2, 53), Ipv4Addr::new(192, 0, 2, 54)]
    );
    let times = (lease.renew_after, lease.rebind_after, lease.seconds);
    assert_eq!(times, (100, 200, 300));
}

#[test]
fn a_class_is_a_mask_where_none_is_said() {
    assert_eq!(lease(&[HOUR]).prefix_len, 24);
}

#[test]
fn classless_routes_win_over_the_router() {
    let router = (3, &[192, 0, 2, 254][..]);
    let of = |routes: &[u8]| lease(&[MASK, HOUR, router, (121, routes)]).router;
    let other = Some(Ipv4Addr::new(192, 0, 2, 253));
    assert_eq!(of(&[8, 10, 192, 0, 2, 252, 0, 192, 0, 2, 253]), other);
    assert_eq!(of(&[8, 10, 192, 0, 2, 252]), None, "no default route");
    assert_eq!(of(&[0, 0, 0, 0, 0]), None, "all is on the link");
    // What nobody can read is not there.
    assert_eq!(of(&[33, 1]), Some(Ipv4Addr::new(192, 0, 2, 254)));
}

#[test]
fn a_router_that_cannot_be_one_is_none() {
    for router in [
        [0, 0, 0, 0],
        [255, 255, 255, 255],
        [224, 0, 0, 1],
        ADDRESS.octets(),
    ] {
        assert_eq!(lease(&[MASK, HOUR, (3, &router)]).router, None);
    }
}

#[test]
fn options_may_be_in_other_fields() {
    let lease = lease_of(|question, kind| {
        let mut message = answer(question, kind, SERVER, ADDRESS, &[(52, &[3])]);
        message[44..51].copy_from_slice(&[1, 4, 255, 255, 0, 0, 255]);
        message[108..115].copy_from_slice(&[51, 4, 0, 0, 1, 0, 255]);
        message
    });
    assert_eq!((lease.prefix_len, lease.seconds), (16, 256));
}

#[test]
fn offers_that_make_no_sense_are_not_taken_up() {
    assert!(offers(ADDRESS.octets(), &USUAL));
    for address in [
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
        [192, 0, 2, 0],
        [192, 0, 2, 255],
    ] {
        assert!(!offers(address, &USUAL), "{address:?}");
    }
    let address = ADDRESS.octets();
    assert!(!offers(address, &[MASK]), "no time");
    assert!(!offers(address, &[MASK, (51, &[0; 4])]), "no time at all");
    assert!(!offers(address, &[MASK, (51, &[0, 1])]), "a time cut short");
    assert!(
        !offers(address, &[(1, &[255, 0, 255, 0]), HOUR]),
        "a mask with a hole"
    );
    assert!(
        !offers(address, &[(1, &[0; 4]), HOUR]),
        "a mask of everything"
    );
}

#[test]
fn messages_for_others_are_not_heard() {
    let offer = |question: &[u8]| answer(question, OFFER, SERVER, ADDRESS, &USUAL);
    for (at, what) in [
        (0, "a question"),
        (1, "another link"),
        (2, "a longer address"),
        (4, "another number"),
        (28, "another client"),
        (236, "no cookie"),
    ] {
        let heard = is_offer(identity(), |question| {
            let mut message = offer(question);
            message[at] ^= 1;
            message
        });
        assert!(!heard, "{what}");
    }
    let no_server = is_offer(identity(), |question| {
        let mut message = offer(question);
        // The option becomes one that nobody knows.
        message[243] = 224;
        message
    });
    assert!(!no_server);
    for length in 0..240 {
        assert!(!is_offer(identity(), |question| offer(question)[..length].to_vec()));
    }
}

/// RFC 6842: clients behind one MAC address are told apart by what the server repeats.
#[test]
fn the_client_identifier_is_the_clients() {
    let identity = Identity {
        client_id: Some(vec![1, 2, 3]),
        ..identity()
    };
    for (echoed, taken) in [
        (None, true),
        (Some(&[1, 2, 3][..]), true),
        (Some(&[1, 2, 4]), false),
    ] {
        let heard = is_offer(identity.clone(), |question| {
            let id = echoed.map(|id| (61, id));
            let options: Vec<_> = USUAL.into_iter().chain(id).collect();
            answer(question, OFFER, SERVER, ADDRESS, &options)
        });
        assert_eq!(heard, taken, "{echoed:?}");
    }
}
