//! Sessions outlive the process.

use std::net::IpAddr;

use vswitch_nat::conntrack::{Step, flag};
use vswitch_nat::{Filtering, Owner, Protocol, Publication, Published, Refusal, SessionRow, State};

use super::host::{ACK_BACK, Host, Limits, SYN, at, ip, tcp};

/// The next process, with what the last one wrote.
fn restart(host: &Host) -> (Host, usize) {
    let mut next = Host::new(Limits::default());
    next.published = host.published.clone();
    next.now = vswitch_packet::Moment::from_secs(5);
    let owner = |inside: IpAddr| Some(Host::owner(inside));
    let count = next
        .table
        .restore(host.slots.records().into_iter(), owner, next.now);
    (next, count)
}

fn rows(host: &Host) -> Vec<SessionRow> {
    let mut rows = host.table.sessions(host.now);
    rows.sort_by_key(|row| (row.tuple.inside, row.tuple.remote));
    rows
}

#[test]
fn everything_comes_back() {
    let mut host = Host::new(Limits::default());
    host.published = Published::new(
        vec![Publication {
            owner: Owner(2),
            protocol: Protocol::Tcp,
            address: ip("0.0.0.0"),
            ports: 8080..=8080,
            inside: at("10.0.0.2:80"),
        }],
        Vec::new(),
    );
    let connection = host.connect("10.0.0.2:5000", "198.51.100.1:80");
    let drawn = host.connect("10.0.0.3:5000", "198.51.100.1:80");
    assert_ne!(drawn.port(), 5000);
    host.receive(
        Protocol::Tcp,
        at("192.0.2.1:8080"),
        at("203.0.113.1:7"),
        SYN,
    )
    .unwrap();
    host.filtering = Filtering::EndpointIndependent;
    let open = host.udp("10.0.0.4:53", "198.51.100.1:53").unwrap();
    host.udp("10.0.0.4:53", "198.51.100.2:53").unwrap();
    host.send(
        Protocol::Echo,
        at("10.0.0.4:1"),
        at("198.51.100.2:0"),
        Step::Query,
    )
    .unwrap();
    host.source = None;
    host.send(
        Protocol::Other(47),
        at("10.0.0.4:0"),
        at("198.51.100.2:0"),
        Step::Plain,
    )
    .unwrap();
    host.source = Some(ip("2001:db8::1"));
    let v6 = host.udp("[fd00::5]:7", "[2001:db8:1::1]:53").unwrap();

    let (next, count) = restart(&host);
    assert_eq!(count, 8);
    let before: Vec<_> = rows(&host)
        .iter()
        .map(|r| (r.owner, r.tuple, r.external, r.state))
        .collect();
    let after: Vec<_> = rows(&next)
        .iter()
        .map(|r| (r.owner, r.tuple, r.external, r.state))
        .collect();
    assert_eq!(before, after);
    assert_eq!(next.table.counts().mappings, host.table.counts().mappings);
    assert_eq!(
        *next.ports.ours.lock().unwrap(),
        *host.ports.ours.lock().unwrap()
    );
    assert_eq!(next.slots.used(), 8, "written anew, for the process after");

    let remote = at("198.51.100.1:80");
    assert_eq!(
        next.receive(Protocol::Tcp, connection, remote, ACK_BACK),
        Ok(at("10.0.0.2:5000"))
    );
    assert_eq!(
        next.receive(Protocol::Tcp, drawn, remote, ACK_BACK),
        Ok(at("10.0.0.3:5000"))
    );
    assert_eq!(
        next.udp_back(v6, "[2001:db8:1::1]:53"),
        Ok(at("[fd00::5]:7"))
    );
    assert_eq!(
        next.udp_back(open, "203.0.113.77:7"),
        Ok(at("10.0.0.4:53")),
        "its filtering, too"
    );
    let answer = next.send(
        Protocol::Tcp,
        at("10.0.0.2:80"),
        at("203.0.113.1:7"),
        ACK_BACK,
    );
    assert_eq!(answer, Ok(at("192.0.2.1:8080")));
    // The port is its own still.
    assert_eq!(next.udp("10.0.0.4:53", "198.51.100.9:53"), Ok(open));
    let other = next
        .send(Protocol::Tcp, at("10.0.0.9:5000"), remote, SYN)
        .unwrap();
    assert!(other != connection && other != drawn);

    // And once more.
    let (third, count) = restart(&next);
    assert_eq!(count, 8 + 3);
    assert_eq!(third.table.counts().sessions, next.table.counts().sessions);
}

#[test]
fn the_ledger_follows() {
    let host = Host::new(Limits::default());
    let (inside, remote) = (at("10.0.0.2:5000"), at("198.51.100.1:80"));
    let external = host.connect("10.0.0.2:5000", "198.51.100.1:80");
    let state = |host: &Host| restart(host).0.state(inside, remote);
    assert_eq!(state(&host), Some(State::Established));
    let fin = tcp(flag::FIN | flag::ACK, 1001, 5001);
    host.send(Protocol::Tcp, inside, remote, fin).unwrap();
    assert_eq!(state(&host), Some(State::Closing));
    host.receive(Protocol::Tcp, external, remote, tcp(flag::RST, 5001, 0))
        .unwrap();
    assert_eq!(state(&host), Some(State::Transitory));
    host.table.forget_owner(Owner(2));
    assert_eq!(state(&host), None);
    assert_eq!(host.slots.used(), 0);
}

#[test]
fn what_is_damaged_or_nobodys_is_left() {
    let host = Host::new(Limits::default());
    for n in 2..6 {
        host.udp(&format!("10.0.0.{n}:5000"), "198.51.100.1:53")
            .unwrap();
    }
    let mut records = host.slots.records();
    records[1][3] ^= 1 << 40;
    // The third is nobody's now, and the port of the fourth is the host's.
    let port = host.udp("10.0.0.5:5000", "198.51.100.1:53").unwrap().port();
    let next = Host::new(Limits::default());
    next.ports.hosts.lock().unwrap().insert(port);
    let owner = |inside| (inside != ip("10.0.0.4")).then(|| Host::owner(inside));
    // The first comes twice.
    let records = records.iter().chain(&records[..1]).copied();
    assert_eq!(next.table.restore(records, owner, next.now), 1);
    let [row] = next.table.sessions(next.now)[..] else {
        panic!("one session");
    };
    assert_eq!(row.tuple.inside, at("10.0.0.2:5000"));
    assert_eq!(next.slots.used(), 1);
    next.table.forget_owner(Owner(2));
    next.assert_empty();
}

#[test]
fn no_more_than_there_is_room_for() {
    let host = Host::new(Limits::default());
    for n in 0..200 {
        host.udp(&format!("10.0.0.{n}:5000"), "198.51.100.1:53")
            .unwrap();
    }
    let next = Host::new(Limits {
        sessions: 50,
        ..Limits::default()
    });
    let owner = |inside| Some(Host::owner(inside));
    let count = next
        .table
        .restore(host.slots.records().into_iter(), owner, next.now);
    assert_eq!((count, next.sessions(), next.slots.used()), (50, 50, 50));
    // Unreplied ones, all of them of others: there is room for a newcomer of its own.
    let own = next.udp("10.0.1.201:1", "198.51.100.1:53");
    assert_eq!(own, Err(Refusal::TableFull), "one each is a fair share");
}
