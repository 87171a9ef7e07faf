//! Ranges of ports that one socket serves.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::time::Duration;

use vswitch_netio::TransportProtocol::{Sctp, Tcp, Udp};
use vswitch_netio::local_delivery::{LocalDelivery, LocalDeliveryError};

use crate::lab;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

fn enter() -> LocalDelivery {
    lab::enter();
    lab::command("ip link set lo up");
    lab::command("ip address add 192.0.2.1/32 dev lo");
    lab::command("ip address add 2001:db8::1/128 dev lo nodad");
    lab::await_address(ip("2001:db8::1"));
    LocalDelivery::new().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn refused(to: SocketAddr) -> bool {
    matches!(TcpStream::connect(to), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

#[test]
fn both_ends_of_a_long_range_lead_to_one_listener() {
    let delivery = enter();
    for (all, clients) in [
        ("0.0.0.0", ["127.0.0.1", "192.0.2.1"]),
        ("::", ["::1", "2001:db8::1"]),
    ] {
        let listener = TcpListener::bind((ip(all), 20000)).unwrap();
        let id = delivery
            .add(Tcp, ip(all), 20000..=59999, listener.as_fd())
            .unwrap();
        for client in clients {
            for port in [20000, 40000, 59999] {
                let to = SocketAddr::new(ip(client), port);
                let mut stream = TcpStream::connect(to).unwrap();
                let (mut accepted, _) = listener.accept().unwrap();
                assert_eq!(accepted.local_addr().unwrap(), to);
                stream.write_all(b"?").unwrap();
                accepted.read_exact(&mut [0]).unwrap();
            }
            assert!(refused(SocketAddr::new(ip(client), 19999)));
            assert!(refused(SocketAddr::new(ip(client), 60000)));
        }
        delivery.remove(id);
        assert!(refused(SocketAddr::new(ip(clients[0]), 59999)));
        assert!(!refused(SocketAddr::new(ip(clients[0]), 20000)), "bound");
    }
}

#[test]
fn datagrams_too_and_connected_sockets_go_before() {
    let delivery = enter();
    let server = UdpSocket::bind("0.0.0.0:20000").unwrap();
    server.set_read_timeout(PATIENCE).unwrap();
    delivery
        .add(Udp, ip("0.0.0.0"), 20000..=59999, server.as_fd())
        .unwrap();
    let client = UdpSocket::bind("127.0.0.1:1000").unwrap();
    client.set_read_timeout(PATIENCE).unwrap();
    client.send_to(b"one", "127.0.0.1:59999").unwrap();
    let (length, from) = server.recv_from(&mut [0; 9]).unwrap();
    assert_eq!((length, from), (3, client.local_addr().unwrap()));
    let connected = UdpSocket::bind("127.0.0.1:59999").unwrap();
    connected.connect(from).unwrap();
    connected.set_read_timeout(PATIENCE).unwrap();
    client.send_to(b"three", "127.0.0.1:59999").unwrap();
    assert_eq!(connected.recv(&mut [0; 9]).unwrap(), 5);
    connected.send(b"back").unwrap();
    assert_eq!(client.recv(&mut [0; 9]).unwrap(), 4);
}

#[test]
fn addresses_are_told_apart_and_others_sockets_stay() {
    let delivery = enter();
    let listener = TcpListener::bind("192.0.2.1:100").unwrap();
    delivery
        .add(Tcp, ip("192.0.2.1"), 100..=200, listener.as_fd())
        .unwrap();
    let others = TcpListener::bind("127.0.0.1:150").unwrap();
    let outside = TcpListener::bind("192.0.2.1:99").unwrap();
    let served = TcpStream::connect("192.0.2.1:150").unwrap();
    let (accepted, _) = listener.accept().unwrap();
    assert_eq!(accepted.peer_addr().unwrap(), served.local_addr().unwrap());
    drop(TcpStream::connect("127.0.0.1:150").unwrap());
    others.accept().unwrap();
    drop(TcpStream::connect("192.0.2.1:99").unwrap());
    outside.accept().unwrap();

    let v6 = TcpListener::bind("[2001:db8::1]:100").unwrap();
    delivery
        .add(Tcp, ip("2001:db8::1"), 100..=200, v6.as_fd())
        .unwrap();
    drop(TcpStream::connect("[2001:db8::1]:200").unwrap());
    v6.accept().unwrap();
    assert!(refused("[::1]:200".parse().unwrap()));
}

#[test]
fn a_range_may_be_served_at_several_addresses() {
    let delivery = enter();
    // Its words cancel each other out, as those of no address do.
    lab::command("ip address add 2001:db8:2001:db8::/128 dev lo nodad");
    lab::await_address(ip("2001:db8:2001:db8::"));
    for addresses in [
        ["127.0.0.1", "192.0.2.1"],
        ["2001:db8::1", "2001:db8:2001:db8::"],
    ] {
        let listeners = addresses.map(|address| {
            let listener = TcpListener::bind((ip(address), 0)).unwrap();
            delivery
                .add(Tcp, ip(address), 100..=200, listener.as_fd())
                .unwrap();
            listener
        });
        for (address, listener) in addresses.iter().zip(&listeners) {
            let stream = TcpStream::connect((ip(address), 150)).unwrap();
            let (_, client) = listener.accept().unwrap();
            assert_eq!(client, stream.local_addr().unwrap());
        }
    }
    assert!(refused("[::1]:150".parse().unwrap()));
}

#[test]
fn a_range_ends_with_its_socket() {
    let delivery = enter();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    delivery
        .add(Tcp, ip("127.0.0.1"), 100..=200, listener.as_fd())
        .unwrap();
    drop(listener);
    assert!(refused("127.0.0.1:150".parse().unwrap()));
    let own = TcpListener::bind("127.0.0.1:150").unwrap();
    drop(TcpStream::connect("127.0.0.1:150").unwrap());
    own.accept().unwrap();
}

#[test]
fn what_cannot_be_served_is_refused() {
    let delivery = enter();
    let listener = TcpListener::bind("127.0.0.1:100").unwrap();
    let add = |protocol, ports| delivery.add(protocol, ip("127.0.0.1"), ports, listener.as_fd());
    let first = add(Tcp, 100..=200).unwrap();
    let overlap = add(Tcp, 150..=250).unwrap_err();
    assert!(
        matches!(overlap, LocalDeliveryError::Overlap { port: 150 }),
        "{overlap}"
    );
    assert!(matches!(
        add(Sctp, 1..=2),
        Err(LocalDeliveryError::Protocol)
    ));
    let all = delivery
        .add(Tcp, ip("0.0.0.0"), 1..=100, listener.as_fd())
        .unwrap_err();
    assert!(
        matches!(all, LocalDeliveryError::Overlap { port: 100 }),
        "{all}"
    );
    delivery.remove(first);
    add(Tcp, 150..=250).unwrap();
    drop(delivery);
    assert!(refused("127.0.0.1:200".parse().unwrap()));
}
