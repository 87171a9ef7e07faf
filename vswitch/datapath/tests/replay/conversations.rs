//! Two hosts that talk through the switch: address resolution, ping, and a megabyte over TCP.

use core::net::IpAddr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::{icmp, tcp};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr};
use vswitch_datapath::DropReason::QueueFull;
use vswitch_packet::ip::Version::{self, V4, V6};
use vswitch_packet::{Capabilities, VlanId};

use crate::bench::{Bench, Fault};
use crate::counters::on;
use crate::host::{Host, Lan};
use crate::station::{A, ALICE, B, BOB};

const MEGABYTE: usize = 1 << 20;
const PORT: u16 = 80;
const IDENT: u16 = 0x2a;
/// 200 µs each.
const MAX_POLLS: usize = 600_000;

fn lan(bench: Bench, offload: bool) -> Lan {
    Lan::new(
        bench,
        vec![Host::new(A, ALICE, offload), Host::new(B, BOB, offload)],
    )
}

/// The octet at `place` of what is transferred.
const fn octet(place: usize) -> u8 {
    (place * 31 + place / 1000) as u8
}

/// alice sends a megabyte to bob, who gets exactly that; then both close.
fn transfer(lan: &mut Lan, version: Version) {
    let server = lan.hosts[1].listen(PORT);
    let client = lan.hosts[0].connect(BOB.ip(version), PORT);
    let (mut sent, mut received) = (0, 0);
    for _ in 0..MAX_POLLS {
        lan.poll();
        let socket = lan.hosts[0].sockets.get_mut::<tcp::Socket<'_>>(client);
        while sent < MEGABYTE && socket.can_send() {
            let fill = |buffer: &mut [u8]| {
                let len = buffer.len().min(MEGABYTE - sent);
                for (place, value) in buffer[..len].iter_mut().enumerate() {
                    *value = octet(sent + place);
                }
                (len, len)
            };
            sent += socket.send(fill).unwrap();
        }
        if sent == MEGABYTE {
            socket.close();
        }
        let client_done = matches!(socket.state(), tcp::State::Closed | tcp::State::TimeWait);
        let socket = lan.hosts[1].sockets.get_mut::<tcp::Socket<'_>>(server);
        while socket.can_recv() {
            let check = |buffer: &mut [u8]| {
                for (place, value) in buffer.iter().enumerate() {
                    assert_eq!(
                        *value,
                        octet(received + place),
                        "octet {}",
                        received + place
                    );
                }
                (buffer.len(), buffer.len())
            };
            received += socket.recv(check).unwrap();
        }
        if received == MEGABYTE && !socket.may_recv() {
            socket.close();
        }
        if client_done && socket.state() == tcp::State::Closed {
            assert_eq!((sent, received), (MEGABYTE, MEGABYTE));
            return;
        }
    }
    panic!("{received} of {sent} octets arrived");
}

fn ping(lan: &mut Lan, version: Version) {
    let handle = lan.hosts[0].pinger(IDENT);
    let data = b"are you there?";
    let checksums = ChecksumCapabilities::default();
    let (ident, seq_no) = (IDENT, 1);
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
            &ALICE.v6,
            &BOB.v6,
            &mut Icmpv6Packet::new_unchecked(&mut message),
            &checksums,
        ),
    }
    let socket = lan.hosts[0].sockets.get_mut::<icmp::Socket<'_>>(handle);
    socket.send_slice(&message, BOB.ip(version).into()).unwrap();
    for _ in 0..100 {
        lan.poll();
        let socket = lan.hosts[0].sockets.get_mut::<icmp::Socket<'_>>(handle);
        if let Ok((answer, from)) = socket.recv() {
            assert_eq!(
                (IpAddr::from(from), &answer[8..]),
                (BOB.ip(version), &data[..])
            );
            return;
        }
    }
    panic!("no answer");
}

#[test]
fn without_offloads() {
    for version in [V4, V6] {
        let mut lan = lan(Bench::guarded(2), false);
        ping(&mut lan, version);
        transfer(&mut lan, version);
        assert_eq!((lan.super_frames, lan.trains), (0, 0));
        lan.assert_counted([]);
    }
}

#[test]
fn with_offloads() {
    for version in [V4, V6] {
        let mut lan = lan(Bench::guarded(2), true);
        ping(&mut lan, version);
        transfer(&mut lan, version);
        // Segments of IPv6 are joined by the switch instead.
        let count = if version == V4 {
            lan.super_frames
        } else {
            lan.trains
        };
        assert!(count > 10, "{count} super-frames");
        lan.assert_counted([]);
    }
}

#[test]
fn towards_a_port_that_takes_no_super_frames() {
    for version in [V4, V6] {
        let mut bench = Bench::guarded(2);
        bench.edit_port(B, |port| port.capabilities = Capabilities::NONE);
        let mut lan = lan(bench, true);
        ping(&mut lan, version);
        transfer(&mut lan, version);
        assert_eq!(lan.trains, 0);
        let super_frames = lan.super_frames;
        assert_eq!(super_frames > 10, version == V4);
        lan.assert_counted([on(B).segmented(super_frames)]);
    }
}

#[test]
fn between_access_ports_of_a_vlan() {
    let mut bench = Bench::guarded(2);
    for port in [A, B] {
        bench.edit_port(port, |port| port.vlan = VlanId::new(100));
    }
    let mut lan = lan(bench, true);
    ping(&mut lan, V6);
    transfer(&mut lan, V4);
    lan.assert_counted([]);
}

#[test]
fn with_losses_in_both_directions() {
    for version in [V4, V6] {
        let mut bench = Bench::guarded(2);
        bench.learn(&[A, B]);
        bench.fail(
            B,
            Fault::Periodic {
                period: 97,
                left: 41,
                lost: 0,
            },
        );
        bench.fail(
            A,
            Fault::Periodic {
                period: 89,
                left: 60,
                lost: 0,
            },
        );
        let mut lan = lan(bench, false);
        transfer(&mut lan, version);
        let [at_a, at_b] = [A, B].map(|port| lan.bench.lost(port));
        assert!(at_a > 0 && at_b > 5, "lost {at_a} and {at_b}");
        lan.assert_counted([
            on(A).dropped(QueueFull, at_a),
            on(B).dropped(QueueFull, at_b),
        ]);
    }
}
