//! Who has a port, and from when to when.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Socket, Type};
use vswitch_cnm::publish::Protocol::{Sctp, Tcp, Udp};
use vswitchd::local_ports::{HoldError, Limits, LocalPorts};

use crate::host::{
    assert_refused, assert_reset, at, binding, eventually, in_a_host, join, receive, reset,
    tcp_service, udp_client, udp_service, with_local_ports,
};

/// Takes a port as another program would.
fn take(kind: Type, address: SocketAddr, reuse: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    socket.set_reuse_address(reuse)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        socket.listen(1)?;
    }
    Ok(socket)
}

fn assert_free(kind: Type, address: SocketAddr) {
    take(kind, address, false).unwrap();
}

#[test]
fn a_held_port_is_in_use_for_others() {
    with_local_ports(|ports| {
        for (protocol, kind) in [(Tcp, Type::STREAM), (Udp, Type::DGRAM)] {
            let _held = ["0.0.0.0", "::"]
                .map(|all| ports.hold(&binding(protocol, all, 80..=81, None)).unwrap());
            for address in ["0.0.0.0", "127.0.0.1", "::", "::1"] {
                for reuse in [true, false] {
                    let error = take(kind, at(address, 81), reuse).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::AddrInUse);
                }
                let again = ports.hold(&binding(protocol, address, 81..=90, None));
                assert!(matches!(again, Err(HoldError::InUse { .. })), "{again:?}");
            }
        }
    });
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_held() {
    with_local_ports(|ports| {
        for (protocol, kind) in [(Tcp, Type::STREAM), (Udp, Type::DGRAM)] {
            for reuse in [true, false] {
                let _others = [8082, 8084].map(|port| take(kind, at("127.0.0.1", port), reuse));
                for host in ["127.0.0.1", "0.0.0.0"] {
                    let error = ports
                        .hold(&binding(protocol, host, 8080..=8085, None))
                        .unwrap_err();
                    assert_eq!(
                        error.to_string(),
                        format!("{host}:8082/{protocol} is in use by a program of the host")
                    );
                    assert!(matches!(
                        error,
                        HoldError::InUse { address, protocol: named }
                            if address == at(host, 8082) && named == protocol
                    ));
                }
                for port in [8080, 8081, 8083, 8085] {
                    assert_free(kind, at("127.0.0.1", port));
                }
            }
        }
    });
}

#[test]
fn families_addresses_and_protocols_are_apart() {
    with_local_ports(|ports| {
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, None))
            .unwrap();
        let _others = [
            ports
                .hold(&binding(Tcp, "127.0.0.2", 80..=80, None))
                .unwrap(),
            ports.hold(&binding(Tcp, "::", 80..=80, None)).unwrap(),
            ports
                .hold(&binding(Udp, "127.0.0.1", 80..=80, None))
                .unwrap(),
        ];
    });
}

#[test]
fn an_address_the_host_does_not_have() {
    with_local_ports(|ports| {
        for host in ["192.0.2.1", "2001:db8::1"] {
            for protocol in [Tcp, Udp] {
                let error = ports
                    .hold(&binding(protocol, host, 80..=80, None))
                    .unwrap_err();
                assert!(matches!(error, HoldError::NoSuchAddress { .. }), "{error}");
            }
        }
    });
}

#[test]
fn sctp_is_held_where_the_kernel_has_it() {
    with_local_ports(|ports| {
        let has_it = Socket::new(Domain::IPV4, Type::STREAM, Some(socket2::Protocol::SCTP)).is_ok();
        let target = Some(at("127.1.0.2", 80));
        let held = ports
            .hold(&binding(Sctp, "127.0.0.1", 80..=90, target))
            .unwrap();
        let again = ports.hold(&binding(Sctp, "127.0.0.1", 90..=90, None));
        assert_eq!(again.is_err(), has_it);
        drop(held);
    });
}

#[test]
fn each_port_of_a_range_leads_to_its_own() {
    with_local_ports(|ports| {
        let service = TcpListener::bind(at("127.1.0.2", 1255)).unwrap();
        let target = Some(at("127.1.0.2", 1000));
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 8000..=8255, target))
            .unwrap();
        let (mut client, mut container) = join(at("127.0.0.1", 8255), &service);
        client.write_all(b"x").unwrap();
        container.read_exact(&mut [0]).unwrap();
        assert_refused(at("127.0.0.1", 8254));
        let service = UdpSocket::bind(at("127.1.0.2", 1001)).unwrap();
        let _held = ports
            .hold(&binding(Udp, "127.0.0.1", 8000..=8255, target))
            .unwrap();
        udp_client(at("127.0.0.1", 8001)).send(b"second").unwrap();
        assert_eq!(receive(&service).0, b"second");
    });
}

#[test]
fn letting_go_frees_the_port_at_once_and_resets_what_is_proxied() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let (udp_service, udp_target) = udp_service("127.1.0.2");
        for _ in 0..50 {
            let held = ports
                .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
                .unwrap();
            let (mut client, mut container) = join(at("127.0.0.1", 80), &service);
            let udp = binding(Udp, "127.0.0.1", 53..=53, Some(udp_target));
            let udp_held = ports.hold(&udp).unwrap();
            udp_client(at("127.0.0.1", 53)).send(b"?").unwrap();
            receive(&udp_service);
            drop((held, udp_held));
            // Without SO_REUSEADDR: there is nothing left of the old connections either.
            assert_free(Type::STREAM, at("127.0.0.1", 80));
            assert_free(Type::DGRAM, at("127.0.0.1", 53));
            assert_reset(&mut client);
            assert_reset(&mut container);
        }
    });
}

#[test]
fn a_part_can_be_let_go() {
    with_local_ports(|ports| {
        let service = TcpListener::bind(at("127.1.0.2", 1003)).unwrap();
        let target = Some(at("127.1.0.2", 1000));
        let mut held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=83, target))
            .unwrap();
        let _kept = join(at("127.0.0.1", 83), &service);
        held.let_go(&(79..=81));
        assert_free(Type::STREAM, at("127.0.0.1", 80));
        assert_free(Type::STREAM, at("127.0.0.1", 81));
        assert!(take(Type::STREAM, at("127.0.0.1", 82), false).is_err());
        let (mut client, mut container) = join(at("127.0.0.1", 83), &service);
        client.write_all(b"x").unwrap();
        container.read_exact(&mut [0]).unwrap();
    });
}

#[test]
fn a_target_may_come_change_and_go() {
    with_local_ports(|ports| {
        let mut held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, None))
            .unwrap();
        assert_refused(at("127.0.0.1", 80));
        let (first, target) = tcp_service("127.1.0.2");
        held.set_target(Some(target));
        let (mut client, mut container) = join(at("127.0.0.1", 80), &first);
        // The same one is no change.
        held.set_target(Some(target));
        client.write_all(b"x").unwrap();
        container.read_exact(&mut [0]).unwrap();
        let (second, target) = tcp_service("127.1.0.3");
        held.set_target(Some(target));
        assert_reset(&mut client);
        assert_reset(&mut container);
        let (mut client, _container) = join(at("127.0.0.1", 80), &second);
        held.set_target(None);
        assert_reset(&mut client);
        assert_refused(at("127.0.0.1", 80));
    });
}

#[test]
fn after_a_stop_the_next_one_can_hold_the_same_ports() {
    in_a_host(|| {
        let (service, target) = tcp_service("127.1.0.2");
        let wanted = binding(Tcp, "0.0.0.0", 80..=80, Some(target));
        let mut left = Vec::new();
        for _ in 0..3 {
            let ports = LocalPorts::start(Limits::default()).unwrap();
            let mut held = ports.hold(&wanted).unwrap();
            let (mut client, container) = join(at("127.0.0.1", 80), &service);
            // One that ends in order leaves TIME_WAIT behind, on the held port's side.
            let (mut other, peer) = join(at("127.0.0.1", 80), &service);
            drop(peer);
            assert_eq!(other.read(&mut [0]).unwrap(), 0);
            drop(other);
            ports.stop();
            assert_reset(&mut client);
            drop(container);
            // One that outlives the thread has nothing to let go.
            held.set_target(None);
            left.push(held);
        }
    });
}

#[test]
fn connections_that_ended_leave_no_socket_behind() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        let before = tcp_sockets();
        for round in 0..60 {
            let (mut client, container) = join(at("127.0.0.1", 80), &service);
            match round % 3 {
                0 => reset(client),
                1 => reset(container),
                _ => {
                    drop(container);
                    assert_eq!(client.read(&mut [0]).unwrap(), 0);
                }
            }
        }
        eventually("all are closed", || tcp_sockets() == before);
    });
}

/// How many there are in the calling thread's namespace.
fn tcp_sockets() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/sockstat").unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("TCP: inuse "))
        .unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}
