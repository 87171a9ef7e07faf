//! TCP/IP stacks at both sides of the router: a container, and a host outside on the uplink's link.

use core::net::IpAddr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::{icmp, tcp};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr};
use vswitch_datapath::DropReason::{NotOurs, TtlExceeded};
use vswitch_nat::Protocol::Tcp;
use vswitch_packet::Capabilities;
use vswitch_packet::ip::Version::{self, V4, V6};

use crate::bench::Bench;
use crate::counters::on;
use crate::host::{Host, LOCAL_PORT, Lan};
use crate::outside::{NIC, UPLINK, bench};
use crate::station::{A, ALICE, GATEWAY, Station};

const IDENT: u16 = 0x2a;
const OCTETS: usize = 200_000;

/// On the uplink's link.
const SERVER: Station = Station {
    mac: vswitch_packet::MacAddr([0x02, 0x0a, 0, 0, 0, 0x50]),
    v4: core::net::Ipv4Addr::new(192, 0, 2, 80),
    v6: core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80),
};

fn lan(bench: Bench, offload: bool) -> Lan {
    let container = Host::new(A, ALICE, offload).routed_by(GATEWAY);
    Lan::new(bench, vec![container, Host::new(UPLINK, SERVER, offload)])
}

fn echo_request(version: Version, from: Station, to: Station) -> Vec<u8> {
    let (ident, seq_no, data) = (IDENT, 1, &b"are you there?"[..]);
    let checksums = ChecksumCapabilities::default();
    let mut message = vec![0; 8 + data.len()];
    match version {
        V4 => Icmpv4Repr::EchoRequest {
            ident,
            seq_no,
            data,
        }
        .emit(&mut Icmpv4Packet::new_unchecked(&mut message), &checksums),
        V6 => Icmpv6Repr::EchoRequest {
            ident,
            seq_no,
            data,
        }
        .emit(
            &from.v6,
            &to.v6,
            &mut Icmpv6Packet::new_unchecked(&mut message),
            &checksums,
        ),
    }
    message
}

/// The container pings the server, which so hears of the host's address. The first ping waits for
/// the server, whose answer to the router's question the host hears as well.
fn ping(lan: &mut Lan, version: Version) {
    let handle = lan.hosts[0].pinger(IDENT);
    let message = echo_request(version, ALICE, SERVER);
    let socket = lan.hosts[0].sockets.get_mut::<icmp::Socket<'_>>(handle);
    socket
        .send_slice(&message, SERVER.ip(version).into())
        .unwrap();
    for _ in 0..200 {
        lan.poll();
        let socket = lan.hosts[0].sockets.get_mut::<icmp::Socket<'_>>(handle);
        if let Ok((answer, from)) = socket.recv() {
            assert_eq!(IpAddr::from(from), SERVER.ip(version));
            assert!(answer.ends_with(b"are you there?"));
            return;
        }
    }
    panic!("no answer");
}

/// `OCTETS` from the client to the server, which sees the client as `seen`.
fn transfer(lan: &mut Lan, version: Version, [client, server]: [usize; 2], to: Station) {
    let listener = lan.hosts[server].listen(80);
    let caller = lan.hosts[client].connect(to.ip(version), 80);
    let (mut sent, mut received) = (0, 0);
    for _ in 0..200_000 {
        lan.poll();
        let socket = lan.hosts[client].sockets.get_mut::<tcp::Socket<'_>>(caller);
        while sent < OCTETS && socket.can_send() {
            let fill = |buffer: &mut [u8]| {
                let len = buffer.len().min(OCTETS - sent);
                for (place, value) in buffer[..len].iter_mut().enumerate() {
                    *value = ((sent + place) % 251) as u8;
                }
                (len, len)
            };
            sent += socket.send(fill).unwrap();
        }
        if sent == OCTETS {
            socket.close();
        }
        let done = matches!(socket.state(), tcp::State::Closed | tcp::State::TimeWait);
        let socket = lan.hosts[server]
            .sockets
            .get_mut::<tcp::Socket<'_>>(listener);
        while socket.can_recv() {
            let check = |buffer: &mut [u8]| {
                for (place, value) in buffer.iter().enumerate() {
                    assert_eq!(usize::from(*value), (received + place) % 251);
                }
                (buffer.len(), buffer.len())
            };
            received += socket.recv(check).unwrap();
        }
        if received == OCTETS && !socket.may_recv() {
            socket.close();
        }
        if done && socket.state() == tcp::State::Closed {
            assert_eq!((sent, received), (OCTETS, OCTETS));
            return;
        }
    }
    panic!("{received} of {sent} octets arrived");
}

#[test]
fn ping_and_tcp_out_and_in() {
    for version in [V4, V6] {
        for offload in [false, true] {
            let mut bench = bench();
            let any = if version == V4 { "0.0.0.0" } else { "::" };
            bench.publish(Tcp, (A, ALICE), any, 80..=80);
            let mut lan = lan(bench, offload);
            ping(&mut lan, version);
            transfer(&mut lan, version, [0, 1], SERVER);
            lan.hosts[0].close_all();
            transfer(&mut lan, version, [1, 0], NIC);
            if offload && version == V4 {
                assert!(lan.super_frames > 5, "{} super-frames", lan.super_frames);
            }
            lan.assert_counted([on(A).held(1), on(UPLINK).dropped(NotOurs, 1)]);
        }
    }
}

#[test]
fn by_an_uplink_that_takes_no_super_frames() {
    let mut bench = bench();
    bench.edit_port(UPLINK, |port| port.capabilities = Capabilities::NONE);
    let mut lan = lan(bench, true);
    ping(&mut lan, V4);
    transfer(&mut lan, V4, [0, 1], SERVER);
    let super_frames = lan.super_frames;
    assert!(super_frames > 5);
    lan.assert_counted([
        on(A).held(1),
        on(UPLINK).dropped(NotOurs, 1).segmented(super_frames),
    ]);
}

#[test]
fn who_traces_with_tcp_hears_the_gateway_and_then_gets_through() {
    for version in [V4, V6] {
        let mut lan = lan(bench(), false);
        ping(&mut lan, version);
        let errors = lan.hosts[0].listen_to_errors(LOCAL_PORT);
        lan.hosts[1].listen(80);
        let probe = lan.hosts[0].connect(SERVER.ip(version), 80);
        let socket = lan.hosts[0].sockets.get_mut::<tcp::Socket<'_>>(probe);
        socket.set_hop_limit(Some(1));
        lan.poll();
        lan.poll();
        let socket = lan.hosts[0].sockets.get_mut::<icmp::Socket<'_>>(errors);
        let (error, from) = socket.recv().unwrap();
        assert_eq!(IpAddr::from(from), GATEWAY.ip(version));
        assert_eq!(error[0], if version == V4 { 11 } else { 3 });

        let socket = lan.hosts[0].sockets.get_mut::<tcp::Socket<'_>>(probe);
        assert_eq!(socket.state(), tcp::State::SynSent);
        socket.set_hop_limit(Some(2));
        for _ in 0..20_000 {
            lan.poll();
        }
        let socket = lan.hosts[0].sockets.get_mut::<tcp::Socket<'_>>(probe);
        assert_eq!(socket.state(), tcp::State::Established);
        lan.assert_counted([
            on(A).dropped(TtlExceeded, 1).held(1),
            on(UPLINK).dropped(NotOurs, 1),
        ]);
    }
}
