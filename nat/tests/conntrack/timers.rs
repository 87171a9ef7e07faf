//! Timers (RFC 4787 §4.3, RFC 5382 §5, RFC 5508 §3.2, RFC 7857 §2).

use std::time::Duration;

use vswitch_nat::conntrack::{Step, flag};
use vswitch_nat::{Protocol, Refusal, State, Timeouts};
use vswitch_packet::Moment;

use super::host::{ACK, ACK_BACK, Host, Limits, SYN, SYN_ACK, at, tcp};

const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);

/// Whether the only session is there after so long.
fn lives(host: &Host, protocol: Protocol, remote: &str, after: Duration) -> bool {
    let then = host.now + after;
    let external = at("192.0.2.1:5000");
    let inside = host
        .table
        .inside_of(protocol, external, at(remote), &host.published, then);
    assert_eq!(inside.is_some(), host.table.sessions(then).len() == 1);
    inside.is_some()
}

#[test]
fn exactly() {
    let timeouts = Timeouts::default();
    let remote = "198.51.100.1:80";
    for (protocol, first, second, third, timeout) in [
        (Protocol::Udp, Step::Plain, None, None, timeouts.udp),
        (
            Protocol::Udp,
            Step::Plain,
            Some(Step::Plain),
            None,
            timeouts.udp,
        ),
        (
            Protocol::Echo,
            Step::Query,
            Some(Step::Reply),
            None,
            timeouts.echo,
        ),
        (Protocol::Tcp, SYN, None, None, timeouts.tcp_transitory),
        (
            Protocol::Tcp,
            SYN,
            Some(SYN_ACK),
            None,
            timeouts.tcp_transitory,
        ),
        (
            Protocol::Tcp,
            SYN,
            Some(SYN_ACK),
            Some(ACK),
            timeouts.tcp_established,
        ),
        (
            Protocol::Sctp,
            Step::Sctp { chunk: 1 },
            None,
            None,
            timeouts.sctp_transitory,
        ),
        (
            Protocol::Sctp,
            Step::Sctp { chunk: 1 },
            Some(Step::Sctp { chunk: 2 }),
            None,
            timeouts.sctp_transitory,
        ),
        (
            Protocol::Sctp,
            Step::Sctp { chunk: 1 },
            Some(Step::Sctp { chunk: 11 }),
            None,
            timeouts.sctp_established,
        ),
    ] {
        let mut host = Host::new(Limits::default());
        host.now = Moment::from_nanos(123_456_789_012);
        let inside = at("10.0.0.2:5000");
        let external = host.send(protocol, inside, at(remote), first).unwrap();
        host.now = host.now + SECOND / 3;
        if let Some(step) = second {
            host.receive(protocol, external, at(remote), step).unwrap();
        }
        if let Some(step) = third {
            host.send(protocol, inside, at(remote), step).unwrap();
        }
        let timeout = match second {
            None => timeout - SECOND / 3,
            Some(_) => timeout,
        };
        assert!(
            lives(&host, protocol, remote, timeout - NANO),
            "{protocol:?}"
        );
        assert!(!lives(&host, protocol, remote, timeout), "{protocol:?}");

        // The sweep comes by once a second, and is neither early nor more than that late.
        let end = host.now + timeout;
        let mut now = host.now;
        while now + SECOND < end {
            now = now + SECOND;
            host.table.sweep(now);
        }
        assert_eq!(host.sessions(), 1);
        host.table.sweep(end + SECOND);
        host.assert_empty();
        assert_eq!(host.table.counts().expired, 1);
    }
}

#[test]
fn both_directions_refresh() {
    let mut host = Host::new(Limits::default());
    let external = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    for n in 0..20 {
        host.now = host.now + Duration::from_secs(299);
        host.table.sweep(host.now);
        if n % 2 == 0 {
            assert_eq!(host.udp("10.0.0.2:5000", "198.51.100.1:53"), Ok(external));
        } else {
            assert_eq!(
                host.udp_back(external, "198.51.100.1:53"),
                Ok(at("10.0.0.2:5000"))
            );
        }
    }
    assert_eq!(host.table.counts().created, 1);
}

#[test]
fn a_session_that_is_over_begins_anew() {
    let mut host = Host::new(Limits::default());
    host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    host.now = host.now + Duration::from_secs(300);
    assert_eq!(
        host.udp_back(at("192.0.2.1:5000"), "198.51.100.1:53"),
        Err(Refusal::Filtered)
    );
    host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    let counts = host.table.counts();
    assert_eq!((counts.created, counts.expired, counts.sessions), (2, 1, 1));
}

#[test]
fn half_closed_and_closed() {
    let mut host = Host::new(Limits::default());
    let (inside, remote) = (at("10.0.0.2:5000"), at("198.51.100.1:80"));
    let external = host.connect("10.0.0.2:5000", "198.51.100.1:80");
    let fin = tcp(flag::FIN | flag::ACK, 1001, 5001);
    host.send(Protocol::Tcp, inside, remote, fin).unwrap();
    assert_eq!(host.state(inside, remote), Some(State::Closing));
    // The other side may go on for long.
    host.now = host.now + Duration::from_secs(7000);
    host.table.sweep(host.now);
    host.receive(Protocol::Tcp, external, remote, ACK_BACK)
        .unwrap();
    host.now = host.now + Duration::from_secs(7000);
    let fin = tcp(flag::FIN | flag::ACK, 5001, 1002);
    assert_eq!(
        host.receive(Protocol::Tcp, external, remote, fin),
        Ok(inside)
    );
    // Then four minutes are left, whatever comes still.
    for _ in 0..23 {
        host.now = host.now + Duration::from_secs(10);
        let last = tcp(flag::ACK, 1002, 5002);
        host.send(Protocol::Tcp, inside, remote, last).unwrap();
    }
    host.table.sweep(host.now + Duration::from_secs(9));
    assert_eq!(host.sessions(), 1);
    host.table.sweep(host.now + Duration::from_secs(10));
    host.assert_empty();
}

#[test]
fn a_reset_leaves_four_minutes() {
    let mut host = Host::new(Limits::default());
    let (inside, remote) = (at("10.0.0.2:5000"), at("198.51.100.1:80"));
    let external = host.connect("10.0.0.2:5000", "198.51.100.1:80");
    let from_outside = |host: &Host, sequence| {
        let reset = tcp(flag::RST, sequence, 0);
        // Whatever it is worth, it is delivered: the container judges for itself.
        assert_eq!(
            host.receive(Protocol::Tcp, external, remote, reset),
            Ok(inside)
        );
    };
    host.now = host.now + Duration::from_secs(3600);
    from_outside(&host, 0x7000_0000);
    assert_eq!(
        host.state(inside, remote),
        Some(State::Established),
        "forged"
    );
    assert_eq!(
        host.table.sessions(host.now)[0].idle,
        Duration::from_secs(3600)
    );
    from_outside(&host, 5001);
    assert_eq!(host.state(inside, remote), Some(State::Transitory));
    host.now = host.now + Duration::from_secs(239);
    from_outside(&host, 5001);
    assert_eq!(host.table.sessions(host.now)[0].left, SECOND);
    // It was not the end after all.
    host.send(Protocol::Tcp, inside, remote, ACK).unwrap();
    assert_eq!(host.state(inside, remote), Some(State::Established));
    assert_eq!(
        host.table.sessions(host.now)[0].left,
        Duration::from_secs(7440)
    );
}

#[test]
fn timeouts_longer_than_the_wheel_and_shorter_than_a_second() {
    for timeout in [
        Duration::from_millis(20),
        Duration::from_secs(511),
        Duration::from_secs(512),
        Duration::from_secs(513),
        Duration::from_secs(100_000),
    ] {
        let host = Host::new(Limits {
            timeouts: Timeouts {
                udp: timeout,
                ..Timeouts::default()
            },
            ..Limits::default()
        });
        host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
        let end = host.now + timeout;
        // Now and then, now and then not for long.
        let mut now = host.now;
        for gap in [1, 1, 300, 1, 2000].iter().cycle() {
            now = now + Duration::from_secs(*gap);
            if now >= end {
                break;
            }
            host.table.sweep(now);
            assert_eq!(host.sessions(), 1, "{timeout:?}");
        }
        host.table.sweep(end + SECOND);
        host.assert_empty();
    }
}

#[test]
fn a_clock_that_steps_back_harms_nothing() {
    let mut host = Host::new(Limits::default());
    host.table.sweep(host.now);
    host.now = Moment::from_secs(500);
    host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    host.table.sweep(Moment::from_secs(799));
    assert_eq!(host.sessions(), 1);
    host.table.sweep(Moment::from_secs(1512));
    host.assert_empty();
}

#[test]
fn a_sweep_is_bounded_and_the_next_goes_on() {
    let host = Host::new(Limits {
        sessions: 10_000,
        per_owner: 10_000,
        ..Limits::default()
    });
    // All in one shard: one inside endpoint.
    for n in 0..10_000u32 {
        let remote = format!("198.51.{}.{}:53", n / 250, n % 250);
        host.udp("10.0.0.2:5000", &remote).unwrap();
    }
    let end = host.now + Duration::from_secs(300);
    host.table.sweep(end);
    let left = host.sessions();
    assert!(0 < left && left < 10_000, "{left}");
    while host.sessions() > 0 {
        let before = host.sessions();
        host.table.sweep(end);
        assert!(host.sessions() < before);
    }
    host.assert_empty();
}
