//! UDP through held ports.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use vswitch_cnm::publish::Protocol::Udp;
use vswitch_netio::netlink::{Dad, Netlink};
use vswitchd::local_ports::{Limits, LocalPorts};

use crate::host::{
    PATIENCE, at, binding, eventually, in_a_host, receive, udp_client, udp_service,
    with_local_ports,
};

#[test]
fn each_client_gets_its_answers() {
    with_local_ports(|ports| {
        let (service, target) = udp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Udp, "127.0.0.1", 53..=53, Some(target)))
            .unwrap();
        let clients: Vec<_> = (0..20).map(|_| udp_client(at("127.0.0.1", 53))).collect();
        for (nth, client) in clients.iter().enumerate() {
            client.send(format!("from {nth}").as_bytes()).unwrap();
        }
        let mut sources = Vec::new();
        for _ in &clients {
            let (text, source) = receive(&service);
            service
                .send_to(&[b"answer ", text.as_slice()].concat(), source)
                .unwrap();
            sources.push(source);
        }
        sources.sort();
        sources.dedup();
        assert_eq!(sources.len(), clients.len());
        for (nth, client) in clients.iter().enumerate() {
            assert_eq!(receive(client).0, format!("answer from {nth}").as_bytes());
        }
        // The container may go on without being asked.
        clients[3].send(b"again").unwrap();
        let (_, source) = receive(&service);
        assert!(sources.contains(&source));
        for part in [b"one", b"two"] {
            service.send_to(part, source).unwrap();
            assert_eq!(receive(&clients[3]).0, part);
        }
    });
}

#[test]
fn datagrams_of_any_length() {
    with_local_ports(|ports| {
        let (service, target) = udp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Udp, "127.0.0.1", 53..=53, Some(target)))
            .unwrap();
        let client = udp_client(at("127.0.0.1", 53));
        for length in [0, 1, 1472, 9000, 65_507] {
            let sent = vec![0x5a; length];
            client.send(&sent).unwrap();
            let (asked, source) = receive(&service);
            assert_eq!(asked.len(), length);
            service.send_to(&asked, source).unwrap();
            assert!(receive(&client).0 == sent);
        }
    });
}

#[test]
fn the_answer_comes_from_the_address_that_was_asked() {
    with_local_ports(|ports| {
        let mut netlink = Netlink::open().unwrap();
        for address in ["fd00::1", "fd00::2"] {
            let network = format!("{address}/128").parse().unwrap();
            netlink.add_address(1, network, Dad::Off).unwrap();
            eventually("the kernel has made the route", || reaches_itself(address));
        }
        let (service, target) = udp_service("127.1.0.2");
        let _held = ["0.0.0.0", "::"].map(|all| {
            ports
                .hold(&binding(Udp, all, 53..=53, Some(target)))
                .unwrap()
        });
        // These clients are connected: an answer from elsewhere would not reach them.
        for address in [
            "127.0.0.1",
            "127.0.0.2",
            "127.9.9.9",
            "::1",
            "fd00::1",
            "fd00::2",
        ] {
            let client = udp_client(at(address, 53));
            client.send(b"?").unwrap();
            let (_, source) = receive(&service);
            service.send_to(b"!", source).unwrap();
            assert_eq!(receive(&client), (b"!".to_vec(), at(address, 53)));
        }
    });
}

#[test]
fn a_container_that_does_not_listen_yet_is_no_end() {
    with_local_ports(|ports| {
        let (service, target) = udp_service("127.1.0.2");
        drop(service);
        let _held = ports
            .hold(&binding(Udp, "127.0.0.1", 53..=53, Some(target)))
            .unwrap();
        let client = udp_client(at("127.0.0.1", 53));
        for _ in 0..10 {
            client.send(b"too early").unwrap();
        }
        eventually("all of it was refused", || {
            queued(at("127.0.0.1", 53)) == Some(0)
        });
        let service = UdpSocket::bind(target).unwrap();
        service.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send(b"now").unwrap();
        loop {
            let (text, source) = receive(&service);
            if text == b"now" {
                service.send_to(b"yes", source).unwrap();
                break;
            }
        }
        assert_eq!(receive(&client).0, b"yes");
    });
}

#[test]
fn a_silent_client_is_forgotten() {
    in_a_host(|| {
        let limits = Limits {
            udp_idle: Duration::from_millis(200),
            ..Limits::default()
        };
        let ports = LocalPorts::start(limits).unwrap();
        let (service, target) = udp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Udp, "127.0.0.1", 53..=53, Some(target)))
            .unwrap();
        let client = udp_client(at("127.0.0.1", 53));
        for round in 0..3 {
            client.send(&[round]).unwrap();
            let (_, source) = receive(&service);
            service.send_to(b"!", source).unwrap();
            assert_eq!(receive(&client).0, b"!");
            eventually("the socket to the container is closed", || {
                upstreams(target).is_empty()
            });
        }
        ports.stop();
    });
}

#[test]
fn too_many_clients_push_out_the_most_silent_one() {
    in_a_host(|| {
        let limits = Limits {
            udp_clients: 2,
            ..Limits::default()
        };
        let ports = LocalPorts::start(limits).unwrap();
        let (service, target) = udp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Udp, "127.0.0.1", 53..=53, Some(target)))
            .unwrap();
        let clients: Vec<_> = (0..3).map(|_| udp_client(at("127.0.0.1", 53))).collect();
        let ask = |nth: usize| {
            // So that "the longest ago" is not a matter of less than a millisecond.
            std::thread::sleep(Duration::from_millis(5));
            clients[nth].send(b"?").unwrap();
            let (_, source) = receive(&service);
            service.send_to(b"!", source).unwrap();
            assert_eq!(receive(&clients[nth]).0, b"!");
            source
        };
        let (first, second) = (ask(0), ask(1));
        assert_eq!(ask(0), first);
        let third = ask(2);
        eventually("the second one's socket is closed", || {
            let mut expected = vec![first.port(), third.port()];
            expected.sort_unstable();
            upstreams(target) == expected && !expected.contains(&second.port())
        });
        assert_eq!(ask(0), first);
        assert_eq!(ask(2), third);
        ports.stop();
    });
}

#[test]
fn when_there_is_no_room_datagrams_are_lost_and_nothing_else() {
    in_a_host(|| {
        let limits = Limits {
            descriptors: 1,
            ..Limits::default()
        };
        let ports = LocalPorts::start(limits).unwrap();
        let (service, target) = udp_service("127.1.0.2");
        let _held = ports
            .hold(&binding(Udp, "127.0.0.1", 53..=53, Some(target)))
            .unwrap();
        for _ in 0..5 {
            let client = udp_client(at("127.0.0.1", 53));
            service
                .set_read_timeout(Some(Duration::from_millis(20)))
                .unwrap();
            let mut buffer = [0; 8];
            let mut source = None;
            eventually("a repeated datagram comes through", || {
                client.send(b"?").unwrap();
                source = service
                    .recv_from(&mut buffer)
                    .ok()
                    .map(|(_, source)| source);
                source.is_some()
            });
            service.send_to(b"!", source.unwrap()).unwrap();
            assert_eq!(receive(&client).0, b"!");
        }
        ports.stop();
    });
}

#[test]
fn without_a_target_datagrams_are_discarded() {
    with_local_ports(|ports| {
        let mut held = ports
            .hold(&binding(Udp, "127.0.0.1", 53..=53, None))
            .unwrap();
        let client = udp_client(at("127.0.0.1", 53));
        for _ in 0..100 {
            client.send(b"early").unwrap();
        }
        eventually("they are read", || queued(at("127.0.0.1", 53)) == Some(0));
        let (service, target) = udp_service("127.1.0.2");
        held.set_target(Some(target));
        client.send(b"late").unwrap();
        assert_eq!(receive(&service).0, b"late");
    });
}

#[test]
fn a_new_target_takes_over() {
    with_local_ports(|ports| {
        let (first, target) = udp_service("127.1.0.2");
        let mut held = ports
            .hold(&binding(Udp, "127.0.0.1", 53..=53, Some(target)))
            .unwrap();
        let client = udp_client(at("127.0.0.1", 53));
        client.send(b"?").unwrap();
        receive(&first);
        let (second, target) = udp_service("127.1.0.3");
        held.set_target(Some(target));
        client.send(b"?").unwrap();
        let (_, source) = receive(&second);
        second.send_to(b"!", source).unwrap();
        assert_eq!(receive(&client).0, b"!");
    });
}

fn reaches_itself(address: &str) -> bool {
    let socket = UdpSocket::bind(at(address, 0)).unwrap();
    let timeout = Some(Duration::from_millis(10));
    socket.set_read_timeout(timeout).unwrap();
    let sent = socket.send_to(b"?", socket.local_addr().unwrap());
    sent.is_ok() && socket.recv(&mut [0]).is_ok()
}

/// Octets in the receive queue of the socket with that address; `None` if there is no such socket.
fn queued(local: SocketAddr) -> Option<u64> {
    let rows = udp_rows();
    let row = rows.iter().find(|row| row.local == local)?;
    Some(row.queued)
}

/// The ports of all sockets that are connected to that address, sorted.
fn upstreams(target: SocketAddr) -> Vec<u16> {
    let rows = udp_rows();
    let mut found: Vec<u16> = rows
        .iter()
        .filter(|row| row.remote == target)
        .map(|row| row.local.port())
        .collect();
    found.sort_unstable();
    found
}

struct Row {
    local: SocketAddr,
    remote: SocketAddr,
    queued: u64,
}

/// The IPv4 UDP sockets of the calling thread's namespace.
fn udp_rows() -> Vec<Row> {
    let address = |text: &str| {
        let (ip, port) = text.split_once(':').unwrap();
        let ip = u32::from_str_radix(ip, 16).unwrap().to_ne_bytes();
        SocketAddr::from((ip, u16::from_str_radix(port, 16).unwrap()))
    };
    let table = fs::read_to_string("/proc/thread-self/net/udp").unwrap();
    let rows = table.lines().skip(1).map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let queued = fields[4].split_once(':').unwrap().1;
        Row {
            local: address(fields[1]),
            remote: address(fields[2]),
            queued: u64::from_str_radix(queued, 16).unwrap(),
        }
    });
    rows.collect()
}
