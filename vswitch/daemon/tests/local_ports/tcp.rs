//! TCP through held ports.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use vswitch_cnm::publish::Protocol::Tcp;
use vswitchd::local_ports::{Limits, LocalPorts};

use crate::host::{
    accept, assert_refused, assert_reset, at, binding, connect, in_a_host, join,
    raise_descriptor_limit, reset, tcp_service, with_local_ports,
};

/// Octets that tell where in the stream they belong.
fn stream_of(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}

/// Sends back all that comes, and ends when the other side does.
fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 10_000];
    loop {
        let read = stream.read(&mut buffer).unwrap();
        if read == 0 {
            return stream.shutdown(Shutdown::Write).unwrap();
        }
        stream.write_all(&buffer[..read]).unwrap();
    }
}

#[test]
fn a_long_stream_comes_back_whole() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        let (mut client, container) = join(at("127.0.0.1", 80), &service);
        let sent = stream_of(16 << 20);
        let mut received = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| echo(container));
            let mut writer = client.try_clone().unwrap();
            let sent = &sent;
            scope.spawn(move || {
                writer.write_all(sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            client.read_to_end(&mut received).unwrap();
        });
        assert!(received == sent);
    });
}

#[test]
fn what_a_slow_reader_has_not_read_is_kept() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        let (mut client, mut container) = join(at("127.0.0.1", 80), &service);
        let sent = stream_of(32 << 20);
        thread::scope(|scope| {
            scope.spawn(|| {
                client.write_all(&sent).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
            });
            // Other connections go on meanwhile, by the same thread and buffer.
            let (mut other, peer) = join(at("127.0.0.1", 80), &service);
            scope.spawn(move || echo(peer));
            other.write_all(b"hello").unwrap();
            other.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            other.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "hello");
            let mut received = Vec::new();
            container.read_to_end(&mut received).unwrap();
            assert!(received == sent);
        });
    });
}

#[test]
fn each_side_may_end_its_half_first() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        for client_first in [true, false] {
            let (client, container) = join(at("127.0.0.1", 80), &service);
            let (mut first, mut second) = if client_first {
                (client, container)
            } else {
                (container, client)
            };
            first.write_all(b"question").unwrap();
            first.shutdown(Shutdown::Write).unwrap();
            let mut question = String::new();
            second.read_to_string(&mut question).unwrap();
            assert_eq!(question, "question");
            second.write_all(b"answer").unwrap();
            drop(second);
            let mut answer = String::new();
            first.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "answer");
        }
    });
}

#[test]
fn a_reset_is_passed_on() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        let (client, mut container) = join(at("127.0.0.1", 80), &service);
        reset(client);
        assert_reset(&mut container);
        let (mut client, container) = join(at("127.0.0.1", 80), &service);
        reset(container);
        assert_reset(&mut client);
    });
}

#[test]
fn a_reset_after_a_half_was_ended_is_passed_on_though_nothing_is_sent() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        for client_first in [true, false] {
            let (client, container) = join(at("127.0.0.1", 80), &service);
            let (first, mut second) = if client_first {
                (client, container)
            } else {
                (container, client)
            };
            first.shutdown(Shutdown::Write).unwrap();
            assert_eq!(second.read(&mut [0]).unwrap(), 0);
            reset(first);
            // The kernel tells EPIPE to writers; to a reader after the end it tells the end again.
            crate::host::eventually("the reset comes through", || second.write(b"x").is_err());
        }
    });
}

#[test]
fn what_was_sent_before_a_reset_is_delivered() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        let (mut client, mut container) = join(at("127.0.0.1", 80), &service);
        container.write_all(b"last words").unwrap();
        let mut words = [0; 10];
        client.read_exact(&mut words).unwrap();
        assert_eq!(&words, b"last words");
        reset(container);
        assert_reset(&mut client);
    });
}

#[test]
fn where_the_container_refuses_the_client_is_reset() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        drop(service);
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        assert_refused(at("127.0.0.1", 80));
    });
}

#[test]
fn where_the_container_is_silent_the_client_is_reset_in_time() {
    in_a_host(|| {
        let limits = Limits {
            connect: Duration::from_millis(300),
            ..Limits::default()
        };
        let ports = LocalPorts::start(limits).unwrap();
        // A full queue of connections: the kernel ignores the next ones.
        let service =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        service.bind(&at("127.1.0.2", 80).into()).unwrap();
        service.listen(0).unwrap();
        let _filler = connect(at("127.1.0.2", 80));
        let held = binding(Tcp, "127.0.0.1", 80..=80, Some(at("127.1.0.2", 80)));
        let _held = ports.hold(&held).unwrap();
        assert_refused(at("127.0.0.1", 80));
        ports.stop();
    });
}

#[test]
fn a_client_of_ipv6_reaches_a_container_of_ipv4() {
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "::", 80..=80, Some(target)))
            .unwrap();
        let (mut client, container) = join(at("::1", 80), &service);
        thread::scope(|scope| {
            scope.spawn(|| echo(container));
            client.write_all(b"six").unwrap();
            let mut answer = [0; 3];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"six");
            drop(client);
        });
    });
}

#[test]
fn a_thousand_connections_at_once() {
    raise_descriptor_limit();
    with_local_ports(|ports| {
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        let mut pairs: Vec<_> = (0..1000)
            .map(|_| join(at("127.0.0.1", 80), &service))
            .collect();
        for (at, (client, _)) in pairs.iter_mut().enumerate() {
            client.write_all(&(at as u32).to_be_bytes()).unwrap();
        }
        for (at, (client, container)) in pairs.iter_mut().enumerate() {
            let mut octets = [0; 4];
            container.read_exact(&mut octets).unwrap();
            assert_eq!(u32::from_be_bytes(octets), at as u32);
            container.write_all(&octets).unwrap();
            client.read_exact(&mut octets).unwrap();
            assert_eq!(u32::from_be_bytes(octets), at as u32);
        }
    });
}

#[test]
fn connections_for_which_there_is_no_room_wait() {
    in_a_host(|| {
        let limits = Limits {
            descriptors: 4,
            ..Limits::default()
        };
        let ports = LocalPorts::start(limits).unwrap();
        let (service, target) = tcp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Tcp, "127.0.0.1", 80..=80, Some(target)))
            .unwrap();
        let mut clients: Vec<_> = (0..3).map(|_| connect(at("127.0.0.1", 80))).collect();
        let served = [accept(&service), accept(&service)];
        service.set_nonblocking(true).unwrap();
        assert!(service.accept().is_err());
        service.set_nonblocking(false).unwrap();
        drop(clients.remove(0));
        drop(served);
        let mut third = accept(&service);
        clients[1].write_all(b"3").unwrap();
        let mut octet = [0];
        third.read_exact(&mut octet).unwrap();
        assert_eq!(&octet, b"3");
        ports.stop();
    });
}
