//! Who may answer (RFC 4787 §5, RFC 5382 §4.3), and what may reach a container directly.

use vswitch_nat::conntrack::{Step, flag};
use vswitch_nat::{Admit, Filtering, Opening, Protocol, Published, Refusal, State, Tuple};

use super::host::{ACK, ACK_BACK, Host, Limits, SYN, SYN_ACK, at, ip, tcp};

#[test]
fn as_configured() {
    use Filtering::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
    for (filtering, other_port, other_address) in [
        (EndpointIndependent, true, true),
        (AddressDependent, true, false),
        (AddressAndPortDependent, false, false),
    ] {
        let mut host = Host::new(Limits::default());
        host.filtering = filtering;
        let external = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
        let admits = |remote| match host.udp_back(external, remote) {
            Ok(inside) => {
                assert_eq!(inside, at("10.0.0.2:5000"));
                true
            }
            Err(refusal) => {
                assert_eq!(refusal, Refusal::Filtered);
                false
            }
        };
        assert!(admits("198.51.100.1:53"));
        assert_eq!(admits("198.51.100.1:54"), other_port, "{filtering:?}");
        assert_eq!(admits("198.51.100.2:53"), other_address, "{filtering:?}");

        // TCP: only what begins a connection (RFC 6146 §3.5.2.2).
        let (inside, remote) = (at("10.0.0.2:6000"), at("198.51.100.1:80"));
        let external = host.send(Protocol::Tcp, inside, remote, SYN).unwrap();
        let from = |remote, step| {
            host.receive(Protocol::Tcp, external, at(remote), step)
                .is_ok()
        };
        assert!(!from("198.51.100.1:81", ACK_BACK));
        assert!(!from("198.51.100.1:81", SYN_ACK));
        assert!(!from("198.51.100.1:81", tcp(flag::RST, 5000, 0)));
        assert_eq!(from("198.51.100.1:81", SYN), other_port);
        assert_eq!(from("198.51.100.2:80", SYN), other_address);
    }
}

#[test]
fn what_is_silent_too_long_admits_nobody() {
    for filtering in [Filtering::EndpointIndependent, Filtering::AddressDependent] {
        let mut host = Host::new(Limits::default());
        host.filtering = filtering;
        let external = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
        host.now = host.now + std::time::Duration::from_secs(300);
        // Not even swept.
        assert_eq!(
            host.udp_back(external, "198.51.100.1:54"),
            Err(Refusal::Filtered)
        );
        host.assert_empty();
        assert_eq!(
            host.udp_back(external, "198.51.100.1:54"),
            Err(Refusal::NotOurs)
        );
        assert_eq!(host.table.counts().expired, 1);
    }
}

#[test]
fn what_is_filtered_refreshes_nothing() {
    let mut host = Host::new(Limits::default());
    let external = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    for _ in 0..30 {
        host.now = host.now + std::time::Duration::from_secs(10);
        assert_eq!(
            host.udp_back(external, "203.0.113.9:1"),
            Err(Refusal::Filtered)
        );
        host.table.sweep(host.now);
        if host.sessions() == 0 {
            break;
        }
    }
    host.assert_empty();
}

#[test]
fn errors_refresh_nothing() {
    // RFC 5508 REQ-6, RFC 4787 REQ-12, RFC 7857 §7.1.
    let mut host = Host::new(Limits::default());
    let external = host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    let tuple = Tuple {
        protocol: Protocol::Udp,
        inside: at("10.0.0.2:5000"),
        remote: at("198.51.100.1:53"),
    };
    host.now = host.now + std::time::Duration::from_secs(299);
    assert_eq!(host.table.external_of(&tuple, host.now), Some(external));
    let published = Published::default();
    let inside = |host: &Host, remote| {
        host.table
            .inside_of(Protocol::Udp, external, at(remote), &published, host.now)
            .map(|inside| inside.endpoint)
    };
    assert_eq!(inside(&host, "198.51.100.1:53"), Some(tuple.inside));
    assert_eq!(inside(&host, "198.51.100.1:54"), None, "no such session");
    host.now = host.now + std::time::Duration::from_secs(1);
    assert_eq!(host.table.external_of(&tuple, host.now), None);
    assert_eq!(inside(&host, "198.51.100.1:53"), None);
}

#[test]
fn simultaneous_open() {
    // RFC 5382 REQ-2a.
    let host = Host::new(Limits::default());
    let (inside, remote) = (at("10.0.0.2:6000"), at("198.51.100.1:80"));
    let external = host.send(Protocol::Tcp, inside, remote, SYN).unwrap();
    let back = |step| host.receive(Protocol::Tcp, external, remote, step);
    assert_eq!(back(tcp(flag::SYN, 5000, 0)), Ok(inside));
    assert_eq!(back(SYN_ACK), Ok(inside));
    assert_eq!(host.state(inside, remote), Some(State::Unreplied));
    let syn_ack = tcp(flag::SYN | flag::ACK, 1000, 5001);
    assert_eq!(
        host.send(Protocol::Tcp, inside, remote, syn_ack),
        Ok(external)
    );
    assert_eq!(host.state(inside, remote), Some(State::Established));
}

#[test]
fn a_connection_is_picked_up_in_its_midst() {
    let host = Host::new(Limits::default());
    let (inside, remote) = (at("10.0.0.2:6000"), at("198.51.100.1:80"));
    let external = host.send(Protocol::Tcp, inside, remote, ACK).unwrap();
    assert_eq!(host.state(inside, remote), Some(State::Unreplied));
    assert_eq!(
        host.receive(Protocol::Tcp, external, remote, ACK_BACK),
        Ok(inside)
    );
    assert_eq!(host.state(inside, remote), Some(State::Established));
    // A reset of nothing begins nothing.
    let reset = tcp(flag::RST, 1, 0);
    let refused = host.send(Protocol::Tcp, inside, at("198.51.100.2:80"), reset);
    assert_eq!(refused, Err(Refusal::Filtered));
}

#[test]
fn a_container_by_its_own_address() {
    let mut host = Host::new(Limits::default());
    host.source = None;
    host.published = Published::new(
        Vec::new(),
        vec![Opening {
            protocol: Protocol::Tcp,
            inside: ip("10.0.0.2"),
            ports: 80..=81,
        }],
    );
    let remote = "198.51.100.1:5555";
    let syn = |inside, admit| host.direct(Protocol::Tcp, inside, remote, SYN, admit);
    let filtered = Err(Refusal::Filtered);
    assert_eq!(syn("10.0.0.2:80", Admit::Answers), filtered);
    assert_eq!(syn("10.0.0.2:82", Admit::Openings), filtered);
    assert_eq!(syn("10.0.0.2:81", Admit::Openings), Ok(()));
    assert_eq!(syn("10.0.0.2:82", Admit::All), Ok(()));
    let ping =
        |step, admit| host.direct(Protocol::Echo, "10.0.0.2:9", "198.51.100.1:0", step, admit);
    assert_eq!(ping(Step::Query, Admit::Answers), filtered);
    assert_eq!(ping(Step::Reply, Admit::All), filtered);
    assert_eq!(ping(Step::Query, Admit::Openings), Ok(()));

    // Its answers find the session, and an answer to it is admitted by every policy.
    host.source = Some(ip("192.0.2.1"));
    let answer = host.send(Protocol::Tcp, at("10.0.0.2:81"), at(remote), SYN_ACK);
    assert_eq!(answer, Ok(at("10.0.0.2:81")));
    let ack = |admit| host.direct(Protocol::Tcp, "10.0.0.2:81", remote, ACK, admit);
    assert_eq!(ack(Admit::Answers), Ok(()));
}

#[test]
fn answers_only_means_answers_only() {
    let mut host = Host::new(Limits::default());
    host.source = None;
    let (inside, remote) = ("10.0.0.2:5000", "198.51.100.1:80");
    let filtered = Err(Refusal::Filtered);
    let sent = |step| host.send(Protocol::Tcp, at(inside), at(remote), step);
    let direct = |remote, step| host.direct(Protocol::Tcp, inside, remote, step, Admit::Answers);
    sent(SYN).unwrap();
    assert_eq!(direct(remote, SYN_ACK), Ok(()));
    assert_eq!(
        direct("198.51.100.1:81", SYN),
        filtered,
        "whatever the filtering"
    );
    sent(ACK).unwrap();
    sent(tcp(flag::FIN | flag::ACK, 1001, 5001)).unwrap();
    assert_eq!(
        direct(remote, tcp(flag::FIN | flag::ACK, 5001, 1002)),
        Ok(())
    );
    assert_eq!(host.state(at(inside), at(remote)), Some(State::Closing));
    // The same endpoints anew, from outside: that is no answer.
    assert_eq!(direct(remote, SYN), filtered);
    assert_eq!(host.state(at(inside), at(remote)), Some(State::Closing));

    // A ping in the other direction with the same identifier is none either.
    let echo = |step| {
        host.direct(
            Protocol::Echo,
            "10.0.0.2:9",
            "198.51.100.1:0",
            step,
            Admit::Answers,
        )
    };
    host.send(
        Protocol::Echo,
        at("10.0.0.2:9"),
        at("198.51.100.1:0"),
        Step::Query,
    )
    .unwrap();
    assert_eq!(echo(Step::Query), filtered);
    assert_eq!(echo(Step::Reply), Ok(()));
}

#[test]
fn a_translated_conversation_is_not_reached_directly() {
    let host = Host::new(Limits::default());
    host.udp("10.0.0.2:5000", "198.51.100.1:53").unwrap();
    let direct = host.direct(
        Protocol::Udp,
        "10.0.0.2:5000",
        "198.51.100.1:53",
        Step::Plain,
        Admit::Answers,
    );
    assert_eq!(direct, Err(Refusal::Filtered));
}
