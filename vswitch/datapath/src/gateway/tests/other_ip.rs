//! What is neither ARP, nor ND, nor a ping.

use super::*;

/// Dropped, and the sender is told.
const fn told(reason: DropReason) -> Option<Verdict> {
    Some(Verdict::Rejected(reason, 0))
}

fn whatever_length(verdict: Option<Verdict>) -> Option<Verdict> {
    match verdict {
        Some(Verdict::Rejected(reason, _)) => told(reason),
        verdict => verdict,
    }
}

#[test]
fn goes_where_its_destination_says() {
    let bad = drop(BadIpHeader);
    let cases = [
        (ALICE4, "192.168.9.9", TO_HOST),
        (ALICE4, "224.0.0.1", TO_HOST),
        (ALICE4, "255.255.255.255", TO_HOST),
        (ALICE4, "169.254.3.4", TO_HOST),
        (ZERO, "255.255.255.255", TO_HOST),
        (ALICE4, "192.168.9.10", told(NoRoute)),
        (ALICE4, BOB4, told(NoRoute)),
        (ALICE4, "127.0.0.1", bad),
        (ALICE4, ZERO, bad),
        ("127.0.0.1", GATEWAY4, bad),
        ("224.0.0.5", GATEWAY4, bad),
        ("255.255.255.255", GATEWAY4, bad),
        (GATEWAY4, "1.1.1.1", drop(SpoofedAddress)),
        (ALICE6, "2001:db8::9", TO_HOST),
        (ALICE6, "fe80::7", TO_HOST),
        (ALICE6, GATEWAY_LINK_LOCAL, TO_HOST),
        (ALICE6, "ff05::2", TO_HOST),
        (ALICE6, "2001:db8::10", told(NoRoute)),
        (ALICE6, "::1", bad),
        (ALICE6, "::", bad),
        ("ff02::1", GATEWAY6, bad),
        ("::1", GATEWAY6, bad),
        (GATEWAY6, "2001:db8::10", drop(SpoofedAddress)),
    ];
    for (from, to, verdict) in cases {
        let mut bytes = match ip(to) {
            IpAddr::V4(_) => ping4(from, to, b"x"),
            IpAddr::V6(_) => ping6(from, to, b"x"),
        };
        let received = Lab::new().receive(&mut bytes);
        assert_eq!(whatever_length(received), verdict, "{from} to {to}");
        let without = if verdict == TO_HOST && to == GATEWAY_LINK_LOCAL {
            ANSWERED
        } else if verdict == TO_HOST {
            drop(NotServed)
        } else {
            verdict
        };
        let received = Lab::without_host_port().receive(&mut bytes);
        assert_eq!(whatever_length(received), without, "{from} to {to}");
    }
}

#[test]
fn a_wrong_header_is_dropped() {
    let mut wrong = ping4(ALICE4, GATEWAY4, b"x");
    wrong[22] ^= 1;
    assert_eq!(Lab::new().receive(&mut wrong), drop(BadIpHeader));
    for len in [15, 33] {
        let mut truncated = ping4(ALICE4, GATEWAY4, b"x");
        truncated.truncate(len);
        assert_eq!(Lab::new().receive(&mut truncated), drop(BadIpHeader));
    }
    let mut opaque = ethernet(GATEWAY, ALICE, 0x88cc, &[0; 20]);
    assert_eq!(Lab::new().receive(&mut opaque), drop(NotServed));
}

#[test]
fn the_host_is_not_answered() {
    let mut lab = Lab::new();
    lab.ingress = port(Role::Host);
    assert_eq!(
        lab.receive(&mut ask(MacAddr::BROADCAST, GATEWAY4, ALICE4)),
        None
    );
    assert_eq!(
        lab.receive(&mut ask(MacAddr::BROADCAST, ALICE4, GATEWAY4)),
        None
    );
    assert_eq!(
        lab.receive(&mut ping4(ALICE4, GATEWAY4, b"x")),
        drop(Hairpin)
    );
    assert!(lab.neighbours.rows().is_empty());
}
