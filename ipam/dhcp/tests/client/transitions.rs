//! The figure of RFC 2131 §4.4, edge by edge.

use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::DhcpMessageType::{Decline, Discover, Release, Request};
use vswitch_dhcp::{Client, Event, Identity, Lease, Loss, State};
use vswitch_packet::Moment;

use crate::server::{
    ACK, ADDRESS, Lab, MAC, NAK, OFFER, OTHER_SERVER, SERVER, USUAL, answer, exchange, identity,
    kind, read, usual_lease,
};

const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ALL: Ipv4Addr = Ipv4Addr::BROADCAST;

#[test]
fn an_address_is_had_in_four_messages() {
    let mut lab = Lab::new(identity());
    assert_eq!(lab.client.state(), State::Init);
    let discover = lab.sends();
    assert_eq!(lab.client.state(), State::Selecting);
    assert_eq!((discover.source, discover.destination), (NOBODY, ALL));
    read(&discover, |message| {
        assert_eq!(message.message_type, Discover);
        assert_eq!(message.client_ip, NOBODY);
        assert_eq!(
            (message.requested_ip, message.server_identifier),
            (None, None)
        );
        assert_eq!(message.max_size, Some(1472));
        let wanted = [1, 121, 3, 6, 15, 26, 51, 54, 58, 59];
        assert_eq!(message.parameter_request_list, Some(&wanted[..]));
        assert!(!message.broadcast);
    });

    let offer = answer(&discover.payload, OFFER, SERVER, ADDRESS, &USUAL);
    assert_eq!(lab.hears(&offer), None);
    assert_eq!(lab.client.state(), State::Requesting);
    assert_eq!(lab.client.offer(), Some(&usual_lease(lab.now)));
    assert_eq!(lab.client.lease(), None);
    lab.now = lab.now + Duration::from_secs(1);
    let request = lab.sends();
    assert_eq!((request.source, request.destination), (NOBODY, ALL));
    read(&request, |message| {
        assert_eq!(message.message_type, Request);
        assert_eq!(message.client_ip, NOBODY);
        assert_eq!(message.requested_ip, Some(ADDRESS));
        assert_eq!(message.server_identifier, Some(SERVER));
    });
    assert_eq!(
        exchange(&request),
        exchange(&discover),
        "number and secs stay"
    );

    // The time of the lease counts from the request, not from its answer.
    let asked = lab.now;
    lab.now = lab.now + Duration::from_secs(2);
    let ack = answer(&request.payload, ACK, SERVER, ADDRESS, &USUAL);
    let lease = usual_lease(asked);
    assert_eq!(lab.hears(&ack), Some(Event::Bound(lease.clone())));
    assert_eq!(lab.client.lease(), Some(&lease));
    assert_eq!(lab.hears(&ack), None, "once");
    lab.assert_idle();
}

#[test]
fn who_asks_is_said() {
    let id = vec![0, b'c', b'1'];
    let mut lab = Lab::new(Identity {
        client_id: Some(id.clone()),
        hostname: Some("web".to_owned()),
        broadcast: true,
        ..identity()
    });
    let discover = lab.sends();
    read(&discover, |message| assert!(message.broadcast));
    let options = &discover.payload[240..];
    for option in [&[61, 3, 0, b'c', b'1'][..], &[12, 3, b'w', b'e', b'b']] {
        assert!(options.windows(option.len()).any(|part| part == option));
    }
    for (client_id, hostname) in [(vec![1], ""), (vec![1; 256], &*"x".repeat(256))] {
        let mut lab = Lab::new(Identity {
            client_id: Some(client_id),
            hostname: Some(hostname.to_owned()),
            ..identity()
        });
        let discover = lab.sends();
        // The type, the size and the parameters.
        assert_eq!(discover.payload[243..245], [57, 2]);
        assert_eq!(discover.payload[247], 55);
    }
}

#[test]
fn a_discovery_is_repeated_ever_more_slowly() {
    let mut lab = Lab::new(identity());
    let began = lab.now;
    let (xid, _) = exchange(&lab.sends());
    for expected in [4, 8, 16, 32, 64, 64, 64] {
        let before = lab.now;
        lab.wait(100);
        let waited = lab.now.since(before).as_millis();
        let around = (expected - 1) * 1000..=(expected + 1) * 1000;
        assert!(
            around.contains(&waited),
            "{waited} ms instead of {expected} s"
        );
        let again = lab.sends();
        assert_eq!(kind(&again), Discover);
        let secs = u16::try_from(lab.now.since(began).as_secs()).unwrap();
        assert_eq!(exchange(&again), (xid, secs));
    }
}

#[test]
fn two_clients_do_not_stay_in_step() {
    let deadlines: Vec<_> = (0..20)
        .map(|seed| {
            let mut client = Client::new(identity(), seed, Moment::ORIGIN);
            assert!(client.poll(Moment::ORIGIN).is_some());
            client.deadline().unwrap()
        })
        .collect();
    assert!(deadlines.iter().any(|deadline| *deadline != deadlines[0]));
    let renewals: Vec<_> = (0..20)
        .map(|seed| Client::holding(identity(), usual_lease(Moment::ORIGIN), seed).deadline())
        .collect();
    assert!(renewals.iter().any(|renewal| *renewal != renewals[0]));
}

#[test]
fn an_offer_that_is_not_confirmed_is_given_up() {
    let mut lab = Lab::new(identity());
    let discover = lab.sends();
    let offer = answer(&discover.payload, OFFER, SERVER, ADDRESS, &USUAL);
    assert_eq!(lab.hears(&offer), None);
    for _ in 0..4 {
        let request = lab.sends();
        assert_eq!(
            (kind(&request), exchange(&request)),
            (Request, exchange(&discover))
        );
        lab.wait(100);
    }
    let anew = lab.sends();
    assert_eq!(kind(&anew), Discover);
    assert_ne!(exchange(&anew).0, exchange(&discover).0);
    assert_eq!(lab.hears(&offer), None, "of the exchange before");
    assert_eq!(lab.client.state(), State::Selecting);
}

#[test]
fn a_refusal_of_what_was_offered_begins_anew_and_not_in_a_hurry() {
    let mut lab = Lab::new(identity());
    for round in 0..4 {
        let discover = lab.sends();
        let offer = answer(&discover.payload, OFFER, SERVER, ADDRESS, &USUAL);
        assert_eq!(lab.hears(&offer), None);
        let request = lab.sends();
        let nak = answer(&request.payload, NAK, SERVER, NOBODY, &[]);
        assert_eq!(lab.hears(&nak), None);
        assert_eq!(lab.client.state(), State::Init);
        let waited = lab.wait(100);
        assert_eq!(waited > 0, round > 0, "{waited} s in round {round}");
    }
}

#[test]
fn only_the_chosen_server_confirms_or_refuses() {
    let mut lab = Lab::new(identity());
    let discover = lab.sends();
    let offer = answer(&discover.payload, OFFER, SERVER, ADDRESS, &USUAL);
    let other = Ipv4Addr::new(192, 0, 2, 99);
    let other_offer = answer(&discover.payload, OFFER, OTHER_SERVER, other, &USUAL);
    let early = answer(&discover.payload, ACK, SERVER, ADDRESS, &USUAL);
    assert_eq!(lab.hears(&early), None, "before anything was offered");
    assert_eq!(lab.hears(&offer), None);
    assert_eq!(lab.hears(&other_offer), None);
    assert_eq!(lab.hears(&early), None, "before it was asked for");
    let request = lab.sends();
    read(&request, |message| {
        assert_eq!(message.requested_ip, Some(ADDRESS));
    });
    for (kind, server, address) in [
        (ACK, OTHER_SERVER, ADDRESS),
        (ACK, SERVER, other),
        (NAK, OTHER_SERVER, NOBODY),
        (OFFER, SERVER, ADDRESS),
        (13, SERVER, ADDRESS),
    ] {
        let wrong = answer(&request.payload, kind, server, address, &USUAL);
        assert_eq!(lab.hears(&wrong), None);
        assert_eq!(lab.client.state(), State::Requesting);
    }
    let mut ack = answer(&request.payload, ACK, SERVER, ADDRESS, &USUAL);
    ack[4] ^= 1;
    assert_eq!(lab.hears(&ack), None, "of another exchange");
    ack[4] ^= 1;
    assert!(matches!(lab.hears(&ack), Some(Event::Bound(_))));
}

#[test]
fn a_lease_is_renewed_with_its_server() {
    let mut lab = Lab::new(identity());
    let lease = lab.bind();
    lab.wait(3600);
    // A little before T1, so that not all renew at once.
    assert!(lab.now <= lease.renews().unwrap());
    assert!(lab.now + Duration::from_secs(60) >= lease.renews().unwrap());
    let request = lab.sends();
    assert_eq!(lab.client.state(), State::Renewing);
    assert_eq!((request.source, request.destination), (ADDRESS, SERVER));
    read(&request, |message| {
        assert_eq!(message.message_type, Request);
        assert_eq!(message.client_ip, ADDRESS);
        assert_eq!(
            (message.requested_ip, message.server_identifier),
            (None, None)
        );
    });
    let ack = answer(&request.payload, ACK, OTHER_SERVER, ADDRESS, &USUAL);
    assert_eq!(lab.hears(&ack), None, "it was not asked");
    let other = answer(
        &request.payload,
        ACK,
        SERVER,
        Ipv4Addr::new(192, 0, 2, 99),
        &USUAL,
    );
    assert_eq!(lab.hears(&other), None, "that is no renewal");
    let ack = answer(&request.payload, ACK, SERVER, ADDRESS, &USUAL);
    assert_eq!(lab.hears(&ack), Some(Event::Renewed(usual_lease(lab.now))));
    assert_eq!(lab.client.state(), State::Bound);
}

#[test]
fn a_silent_server_is_asked_again_then_all_are_and_then_it_is_over() {
    let mut lab = Lab::new(identity());
    let lease = lab.bind();
    let mut renewals = Vec::new();
    let mut rebindings = Vec::new();
    let mut numbers = Vec::new();
    loop {
        lab.wait(3600);
        if lab.now == lease.expires().unwrap() {
            break;
        }
        let request = lab.sends();
        numbers.push(exchange(&request).0);
        match lab.client.state() {
            State::Renewing => {
                assert_eq!((request.source, request.destination), (ADDRESS, SERVER));
                renewals.push(lab.now);
            }
            State::Rebinding => {
                assert_eq!((request.source, request.destination), (ADDRESS, ALL));
                rebindings.push(lab.now);
            }
            state => panic!("{state:?}"),
        }
        assert_eq!(lab.client.lease(), Some(&lease));
    }
    assert_eq!(rebindings[0], lease.rebinds().unwrap());
    for (times, end) in [(renewals, lease.rebinds()), (rebindings, lease.expires())] {
        assert!(times.len() > 2);
        for pair in times.windows(2) {
            let rest = end.unwrap().since(pair[0]);
            let wait = (rest / 2).max(Duration::from_secs(60));
            assert_eq!(
                pair[1].since(pair[0]),
                wait,
                "half of what is left, but a minute"
            );
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() > 4, "each has its own number");

    assert_eq!(lab.event(), Event::Lost(Loss::Expired));
    assert_eq!(lab.client.lease(), None);
    let discover = lab.sends();
    read(&discover, |message| {
        assert_eq!(message.message_type, Discover);
        assert_eq!(message.requested_ip, Some(ADDRESS), "it may still be free");
        assert_eq!(message.secs, 0);
    });
}

#[test]
fn any_server_may_rebind() {
    let mut lab = Lab::new(identity());
    let lease = lab.bind();
    lab.now = lease.rebinds().unwrap();
    let request = lab.sends();
    assert_eq!(lab.client.state(), State::Rebinding);
    let ack = answer(&request.payload, ACK, OTHER_SERVER, ADDRESS, &USUAL);
    let rebound = Lease {
        server: OTHER_SERVER,
        ..usual_lease(lab.now)
    };
    assert_eq!(lab.hears(&ack), Some(Event::Renewed(rebound)));
    lab.wait(3600);
    assert_eq!(lab.sends().destination, OTHER_SERVER);
}

#[test]
fn a_refused_renewal_loses_the_address_at_once() {
    for rebinding in [false, true] {
        let mut lab = Lab::new(identity());
        let lease = lab.bind();
        let at = if rebinding {
            lease.rebinds()
        } else {
            lease.renews()
        };
        lab.now = at.unwrap();
        let request = lab.sends();
        let nak = answer(&request.payload, NAK, SERVER, NOBODY, &[]);
        assert_eq!(lab.hears(&nak), Some(Event::Lost(Loss::Refused)));
        assert_eq!(lab.client.lease(), None);
        let discover = lab.sends();
        read(&discover, |message| assert_eq!(message.requested_ip, None));
    }
}

#[test]
fn an_answer_after_the_end_does_not_bring_the_lease_back() {
    let mut lab = Lab::new(identity());
    let lease = lab.bind();
    lab.now = lease.rebinds().unwrap();
    let request = lab.sends();
    lab.now = lease.expires().unwrap();
    let ack = answer(&request.payload, ACK, SERVER, ADDRESS, &USUAL);
    assert_eq!(lab.hears(&ack), Some(Event::Lost(Loss::Expired)));
    assert_eq!(lab.hears(&ack), None);
}

#[test]
fn an_infinite_lease_is_never_renewed() {
    let mut lab = Lab::new(identity());
    let discover = lab.sends();
    let infinite: [(u8, &[u8]); 2] = [(1, &[255, 255, 255, 0]), (51, &[0xff; 4])];
    assert_eq!(
        lab.hears(&answer(
            &discover.payload,
            OFFER,
            SERVER,
            ADDRESS,
            &infinite
        )),
        None
    );
    let request = lab.sends();
    let event = lab.hears(&answer(&request.payload, ACK, SERVER, ADDRESS, &infinite));
    assert!(matches!(event, Some(Event::Bound(lease)) if lease.seconds == Lease::INFINITE));
    assert_eq!(lab.client.deadline(), None);
    lab.now = Moment::from_nanos(u64::MAX);
    lab.assert_idle();
}

#[test]
fn a_tiny_lease_does_not_make_a_busy_client() {
    let mut lab = Lab::new(identity());
    let discover = lab.sends();
    let tiny: [(u8, &[u8]); 3] = [(51, &[0, 0, 0, 1]), (58, &[0; 4]), (59, &[0; 4])];
    assert_eq!(
        lab.hears(&answer(&discover.payload, OFFER, SERVER, ADDRESS, &tiny)),
        None
    );
    let request = lab.sends();
    let event = lab.hears(&answer(&request.payload, ACK, SERVER, ADDRESS, &tiny));
    assert!(matches!(event, Some(Event::Bound(lease)) if lease.seconds == 20));
    assert!(lab.wait(3600) >= 9);
}

#[test]
fn a_known_address_is_asked_for_first() {
    let mut lab = Lab::of(Client::resume(identity(), usual_lease(Moment::ORIGIN), 7));
    assert_eq!(lab.client.state(), State::Rebooting);
    assert_eq!(lab.client.lease(), None, "not to be used yet");
    let request = lab.sends();
    assert_eq!((request.source, request.destination), (NOBODY, ALL));
    read(&request, |message| {
        assert_eq!(message.message_type, Request);
        assert_eq!(message.client_ip, NOBODY);
        assert_eq!(message.requested_ip, Some(ADDRESS));
        assert_eq!(message.server_identifier, None);
    });
    let ack = answer(&request.payload, ACK, OTHER_SERVER, ADDRESS, &USUAL);
    let lease = Lease {
        server: OTHER_SERVER,
        ..usual_lease(lab.now)
    };
    assert_eq!(lab.hears(&ack), Some(Event::Bound(lease)));
}

#[test]
fn a_known_address_that_is_refused_or_unknown_is_asked_for_no_more_or_politely() {
    for refused in [true, false] {
        let mut lab = Lab::of(Client::resume(identity(), usual_lease(Moment::ORIGIN), 7));
        let request = lab.sends();
        if refused {
            let nak = answer(&request.payload, NAK, SERVER, NOBODY, &[]);
            assert_eq!(lab.hears(&nak), None, "nothing is lost that was not had");
        } else {
            lab.wait(100);
        }
        let discover = lab.sends();
        read(&discover, |message| {
            assert_eq!(message.message_type, Discover);
            assert_eq!(message.requested_ip, (!refused).then_some(ADDRESS));
        });
    }
}

#[test]
fn a_lease_from_before_is_kept() {
    let lease = usual_lease(Moment::from_secs(500));
    let mut lab = Lab::of(Client::holding(identity(), lease.clone(), 7));
    assert_eq!(lab.client.lease(), Some(&lease));
    lab.assert_idle();
    lab.wait(3600);
    assert_eq!(kind(&lab.sends()), Request);
    assert_eq!(lab.client.state(), State::Renewing);

    let over = usual_lease(Moment::ORIGIN).resumed(4000, Moment::from_secs(1000));
    let mut lab = Lab::of(Client::holding(identity(), over, 7));
    assert_eq!(lab.event(), Event::Lost(Loss::Expired));
}

#[test]
fn an_address_in_use_is_declined_and_another_one_looked_for() {
    let mut lab = Lab::new(identity());
    for round in 0..5 {
        lab.bind();
        lab.client.decline(lab.now);
        assert_eq!(lab.client.lease(), None);
        let Some(vswitch_dhcp::Output::Send(decline)) = lab.client.poll(lab.now) else {
            panic!("nothing is declined");
        };
        assert_eq!((decline.source, decline.destination), (NOBODY, ALL));
        read(&decline, |message| {
            assert_eq!(message.message_type, Decline);
            assert_eq!(message.client_ip, NOBODY);
            assert_eq!(message.requested_ip, Some(ADDRESS));
            assert_eq!(message.server_identifier, Some(SERVER));
            assert_eq!(message.parameter_request_list, None);
            assert_eq!(message.max_size, None);
        });
        // Who is waited for is in a hurry, but not for ever.
        assert_eq!(lab.wait(100), if round < 3 { 0 } else { 10 });
    }
    let discover = lab.sends();
    read(&discover, |message| assert_eq!(message.requested_ip, None));
    lab.client.decline(lab.now);
    lab.assert_idle();
}

#[test]
fn an_address_is_given_back() {
    let mut lab = Lab::new(identity());
    lab.bind();
    let release = lab.client.release().unwrap();
    assert_eq!((release.source, release.destination), (ADDRESS, SERVER));
    read(&release, |message| {
        assert_eq!(message.message_type, Release);
        assert_eq!(message.client_ip, ADDRESS);
        assert_eq!(message.requested_ip, None);
        assert_eq!(message.server_identifier, Some(SERVER));
        assert_eq!(message.client_hardware_address.0, MAC.0);
    });
    assert_eq!(lab.client.state(), State::Released);
    assert_eq!((lab.client.lease(), lab.client.deadline()), (None, None));
    lab.now = Moment::from_secs(1 << 30);
    lab.assert_idle();
    assert_eq!(lab.client.release(), None);

    let mut lab = Lab::new(identity());
    lab.sends();
    assert_eq!(lab.client.release(), None, "there is nothing to give back");
}
