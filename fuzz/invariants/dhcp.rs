//! What holds for any octets from a network where somebody is asked for an address: the first says in which state
//! the client is, the rest is a message to it, and a frame.

#![allow(clippy::expect_used, reason = "to panic is how an invariant speaks")]

use std::net::Ipv4Addr;
use std::time::Duration;

use vswitch_dhcp::ask::Ask;
use vswitch_dhcp::conflict::Check;
use vswitch_dhcp::{Client, Event, Identity, Lease, Output, State, frame};
use vswitch_packet::{MacAddr, Moment};

const MAC: MacAddr = MacAddr([2, 0x42, 0, 0, 0, 7]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 70);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const START: Moment = Moment::from_secs(1000);

/// Where the number of a transaction and the client's address are in a message.
const XID: std::ops::Range<usize> = 4..8;
const CHADDR: std::ops::Range<usize> = 28..34;

/// Panics if the client would, or if it believes what it must not.
pub(crate) fn check(input: &[u8]) {
    let Some((stage, octets)) = input.split_first() else {
        return;
    };
    check_frame(octets);
    let (mut client, question, now) = client(*stage);
    // What is not for this client is dropped before anything else is looked at.
    let mut message = octets.to_vec();
    if message.len() >= CHADDR.end {
        message[XID].copy_from_slice(&question[XID]);
        message[CHADDR].copy_from_slice(&MAC.0);
    }
    let (state, had) = (client.state(), client.lease().cloned());
    let event = client.receive(&message, now);
    match (&event, state) {
        (None, _) => {}
        (Some(Event::Bound(lease)), State::Requesting | State::Rebooting)
        | (Some(Event::Renewed(lease)), State::Renewing | State::Rebinding) => {
            assert_eq!(lease.address, ADDRESS, "what was asked for");
            assert_eq!(client.lease(), Some(lease));
        }
        (Some(Event::Lost(_)), State::Renewing | State::Rebinding) => {
            assert!(had.is_some() && client.lease().is_none());
        }
        unexpected => panic!("{unexpected:?}"),
    }
    for lease in client.lease().into_iter().chain(client.offer()) {
        check_lease(lease);
    }
    check_rest(&mut client, now);
}

/// A client in a state that awaits an answer, and its question.
fn client(stage: u8) -> (Client, Vec<u8>, Moment) {
    let identity = Identity {
        mac: MAC,
        client_id: Some(vec![1, 2, 3]),
        hostname: Some("host".to_owned()),
        broadcast: stage & 0x80 != 0,
    };
    let lease = Lease {
        address: ADDRESS,
        prefix_len: 24,
        router: None,
        server: SERVER,
        dns: vec![],
        obtained: START,
        seconds: 3600,
        renew_after: 1800,
        rebind_after: 3150,
    };
    let (mut client, now) = match stage % 5 {
        0 | 1 => (Client::new(identity, 1, START), START),
        2 => (Client::resume(identity, lease, 1), START),
        3 => (
            Client::holding(identity, lease, 1),
            START + Duration::from_secs(1800),
        ),
        _ => (
            Client::holding(identity, lease, 1),
            START + Duration::from_secs(3150),
        ),
    };
    let mut question = sent(&mut client, now);
    if stage % 5 == 1 {
        assert_eq!(client.receive(&offer(&question), now), None);
        question = sent(&mut client, now);
    }
    (client, question, now)
}

fn sent(client: &mut Client, now: Moment) -> Vec<u8> {
    match client.poll(now) {
        Some(Output::Send(outgoing)) => outgoing.payload,
        other => panic!("{other:?}"),
    }
}

fn offer(question: &[u8]) -> Vec<u8> {
    let mut offer = question.get(..240).expect("a whole message").to_vec();
    offer[0] = 2;
    offer[16..20].copy_from_slice(&ADDRESS.octets());
    offer.extend([53, 1, 2, 54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 255]);
    offer
}

fn check_lease(lease: &Lease) {
    let first = lease.address.octets()[0];
    assert!(first != 0 && first != 127 && first < 224);
    assert!((1..=32).contains(&lease.prefix_len));
    assert_ne!(lease.router, Some(lease.address));
    assert!(lease.dns.len() <= 3);
    if lease.seconds != Lease::INFINITE {
        assert!(Lease::SHORTEST <= lease.seconds);
        assert!(lease.renew_after < lease.rebind_after && lease.rebind_after < lease.seconds);
    }
}

/// Whatever was said, the client comes to rest, and does not wake before it has something to do.
fn check_rest(client: &mut Client, mut now: Moment) {
    for _ in 0..20 {
        match client.poll(now) {
            Some(Output::Send(outgoing)) => {
                assert_eq!(outgoing.payload.first(), Some(&1));
                let octets = frame::wrap(&outgoing, MAC, MacAddr::BROADCAST);
                assert_eq!(frame::unwrap(&octets), None, "that is for servers");
            }
            Some(Output::Event(_)) => {}
            None => {
                let Some(deadline) = client.deadline() else {
                    let never = client.lease().and_then(Lease::expires).is_none();
                    assert!(never, "nothing wakes it");
                    return;
                };
                assert!(deadline > now);
                now = deadline;
            }
        }
    }
}

fn check_frame(octets: &[u8]) {
    if let Some((payload, _)) = frame::unwrap(octets) {
        assert!(payload.len() + 14 + 20 + 8 <= octets.len());
    }
    let addresses = [ADDRESS.into(), "2001:db8::7".parse().expect("an address")];
    let check = Check::new(MAC, &addresses, 1, START);
    if let Some(conflict) = check.receive(octets) {
        assert!(addresses.contains(&conflict.address));
        assert!(conflict.holder != MAC && conflict.holder.is_valid_source());
    }
    for address in addresses {
        let ask = Ask::new(MAC, None, address, START);
        let holder = ask.receive(octets);
        let conflict = check.receive(octets);
        // Who has it is in conflict with who wants it; who wants it does not answer.
        assert!(
            holder.is_none() || conflict.is_none_or(|conflict| Some(conflict.holder) == holder),
            "{holder:?} and {conflict:?}"
        );
    }
}
