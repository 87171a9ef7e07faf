//! Ranges that are too long for a socket a port.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use vswitch_cnm::publish::Protocol::{Sctp, Tcp, Udp};
use vswitchd::local_ports::HoldError;

use crate::host::{
    PATIENCE, assert_refused, assert_reset, at, binding, join, receive, udp_client,
    with_local_ports,
};

/// Says something through a held port, and hears the answer.
fn assert_talks(to: SocketAddr, service: &TcpListener) -> (TcpStream, TcpStream) {
    let (mut client, mut container) = join(to, service);
    client.write_all(b"?").unwrap();
    container.read_exact(&mut [0]).unwrap();
    container.write_all(b"!").unwrap();
    client.read_exact(&mut [0]).unwrap();
    (client, container)
}

fn assert_refused_at_once(to: SocketAddr) {
    let error = TcpStream::connect(to).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

fn open_sockets() -> usize {
    let count = |table: &str| {
        let text = std::fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap();
        text.lines().count() - 1
    };
    ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"]
        .map(count)
        .iter()
        .sum()
}

#[test]
fn twenty_four_thousand_tcp_ports_lead_each_to_its_own() {
    with_local_ports(|ports| {
        let target = Some(at("127.1.0.2", 10_000));
        let held = ["0.0.0.0", "::"].map(|all| {
            ports
                .hold(&binding(Tcp, all, 40_000..=63_999, target))
                .unwrap()
        });
        assert_eq!(open_sockets(), 2);
        for (port, container) in [(40_000, 10_000), (40_001, 10_001), (63_999, 33_999)] {
            let service = TcpListener::bind(at("127.1.0.2", container)).unwrap();
            for host in ["127.0.0.1", "127.0.0.2", "::1"] {
                assert_talks(at(host, port), &service);
            }
            drop(service);
            assert_refused(at("127.0.0.1", port));
        }
        assert_refused_at_once(at("127.0.0.1", 39_999));
        assert_refused_at_once(at("127.0.0.1", 64_000));
        drop(held);
        for port in [40_000, 40_001, 63_999] {
            assert_refused_at_once(at("127.0.0.1", port));
            TcpListener::bind(at("0.0.0.0", port)).unwrap();
        }
    });
}

#[test]
fn twenty_four_thousand_udp_ports_answer_each_for_itself() {
    with_local_ports(|ports| {
        let target = Some(at("127.1.0.2", 10_000));
        let held = ["0.0.0.0", "::"].map(|all| {
            ports
                .hold(&binding(Udp, all, 40_000..=63_999, target))
                .unwrap()
        });
        for (port, container) in [(40_000, 10_000), (55_555, 25_555), (63_999, 33_999)] {
            let service = UdpSocket::bind(at("127.1.0.2", container)).unwrap();
            service.set_read_timeout(Some(PATIENCE)).unwrap();
            for host in ["127.0.0.1", "127.0.0.2", "::1"] {
                // Connected: it hears nothing from other ports or addresses.
                let client = udp_client(at(host, port));
                for length in [0, 1, 1472, 65_507] {
                    let sent = vec![0x5a; length];
                    client.send(&sent).unwrap();
                    let (asked, source) = receive(&service);
                    service.send_to(&asked, source).unwrap();
                    assert!(receive(&client) == (sent, at(host, port)));
                }
            }
        }
        drop(held);
        let client = udp_client(at("127.0.0.1", 55_555));
        client.send(b"?").unwrap();
        let error = client.recv(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        drop(client);
        assert_eq!(open_sockets(), 0);
    });
}

#[test]
fn a_range_on_one_address_is_not_on_others() {
    with_local_ports(|ports| {
        let target = Some(at("127.1.0.2", 10_000));
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 20_000..=29_999, target))
            .unwrap();
        let service = TcpListener::bind(at("127.1.0.2", 15_000)).unwrap();
        assert_talks(at("127.0.0.1", 25_000), &service);
        for port in [20_000, 25_000] {
            assert_refused_at_once(at("127.0.0.2", port));
            assert_refused_at_once(at("::1", port));
        }
    });
}

#[test]
fn a_port_of_a_range_in_use_is_named_and_nothing_is_held() {
    with_local_ports(|ports| {
        let is_named = |protocol, host, port| {
            let error = ports
                .hold(&binding(protocol, host, 20_000..=29_999, None))
                .unwrap_err();
            assert!(
                matches!(error, HoldError::InUse { address, .. } if address == at(host, port)),
                "{error}"
            );
            assert_eq!(
                error.to_string(),
                format!("{host}:{port}/{protocol} is in use by a program of the host")
            );
            TcpListener::bind(at("127.0.0.1", 20_000)).unwrap();
            UdpSocket::bind(at("127.0.0.1", 20_000)).unwrap();
        };
        let tcp = [25_001, 25_000].map(|port| TcpListener::bind(at("127.0.0.1", port)).unwrap());
        let udp = UdpSocket::bind(at("127.0.0.1", 29_999)).unwrap();
        // One that serves both families.
        let both = TcpListener::bind(at("::", 24_000)).unwrap();
        is_named(Tcp, "127.0.0.1", 24_000);
        drop(both);
        is_named(Tcp, "127.0.0.1", 25_000);
        is_named(Tcp, "0.0.0.0", 25_000);
        is_named(Udp, "127.0.0.1", 29_999);
        // Others' addresses and protocols are no hindrance.
        drop((
            ports
                .hold(&binding(Tcp, "127.0.0.2", 20_000..=29_999, None))
                .unwrap(),
            ports
                .hold(&binding(Tcp, "::", 20_000..=29_999, None))
                .unwrap(),
            ports
                .hold(&binding(Udp, "::", 20_000..=29_999, None))
                .unwrap(),
        ));
        drop((tcp, udp));
        let held = ports
            .hold(&binding(Tcp, "127.0.0.1", 20_000..=29_999, None))
            .unwrap();
        is_named_as_ours(ports.hold(&binding(Tcp, "127.0.0.1", 29_000..=30_000, None)));
        drop(held);
    });
}

fn is_named_as_ours(again: Result<vswitchd::local_ports::Held, HoldError>) {
    let error = again.unwrap_err();
    assert!(
        matches!(error, HoldError::InUse { address, .. } if address == at("127.0.0.1", 29_000)),
        "{error}"
    );
}

#[test]
fn a_part_of_a_range_can_be_let_go() {
    with_local_ports(|ports| {
        let target = Some(at("127.1.0.2", 10_000));
        let mut held = ports
            .hold(&binding(Tcp, "127.0.0.1", 20_000..=29_999, None))
            .unwrap();
        held.set_target(target);
        let service = TcpListener::bind(at("127.1.0.2", 19_999)).unwrap();
        let (mut client, _container) = assert_talks(at("127.0.0.1", 29_999), &service);
        // The first ones, and then some amidst: what remains below them is few.
        held.let_go(&(20_000..=20_000));
        assert_reset(&mut client);
        held.let_go(&(20_010..=20_019));
        for port in [20_000, 20_010, 20_019] {
            assert_refused_at_once(at("127.0.0.1", port));
            TcpListener::bind(at("127.0.0.1", port)).unwrap();
        }
        assert_talks(at("127.0.0.1", 29_999), &service);
        for port in [20_001, 20_009, 20_020] {
            let service = TcpListener::bind(at("127.1.0.2", port - 10_000)).unwrap();
            assert_talks(at("127.0.0.1", port), &service);
        }
    });
}

#[test]
fn a_range_of_sctp_needs_nothing_of_the_kernel() {
    with_local_ports(|ports| {
        let target = Some(at("127.1.0.2", 20_000));
        let _held = ports
            .hold(&binding(Sctp, "127.0.0.1", 20_000..=20_999, target))
            .unwrap();
    });
}
