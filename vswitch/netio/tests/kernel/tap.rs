//! Creating and opening TAPs, and single frames.

use std::io::{ErrorKind, IoSlice};

use vswitch_netio::netlink::Netlink;
use vswitch_netio::packet_socket::{PacketOptions, PacketSocket};
use vswitch_netio::tap::{self, Offloads, Tap, TapError, TapQueue, VNET_HEADER_LEN};
use vswitch_netio::thread::{self, Thread};

use crate::lab;

#[test]
fn a_new_tap_has_its_queues_and_offloads() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(3)).unwrap();
    let all = Offloads {
        checksum: true,
        tcp_segmentation: true,
        udp_segmentation: true,
    };
    assert_eq!((tap.queues.len(), tap.offloads), (3, all));

    let link = Netlink::open().unwrap().link(&tap.name).unwrap().unwrap();
    assert_eq!((link.index, link.kind.as_deref()), (tap.index, Some("tun")));
    let state = link.tun.unwrap();
    assert!(state.tap && state.multi_queue && state.vnet_header && !state.persistent);
    assert_eq!(state.queues, 3);
}

#[test]
fn the_kernel_has_room_for_256_queues() {
    lab::enter();
    let name = lab::name("t0");
    let error = Tap::create(&name, lab::queues(257)).unwrap_err();
    assert!(
        matches!(error, TapError::TooManyQueues { queues: 257, .. }),
        "{error}"
    );
    assert_eq!(
        Tap::create(&name, lab::queues(256)).unwrap().queues.len(),
        256
    );
}

#[test]
fn an_interface_of_that_name_is_not_taken_over() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    tap.set_persistent(true).unwrap();
    for name in [&tap.name, &lab::name("lo")] {
        let error = Tap::create(name, lab::queues(1)).unwrap_err();
        assert!(matches!(error, TapError::Exists { .. }), "{error}");
    }
    let name = tap.name.clone();
    drop(tap);
    let error = Tap::create(&name, lab::queues(1)).unwrap_err();
    assert!(
        matches!(error, TapError::Exists { .. }),
        "nobody holds it, but it is there: {error}"
    );
}

#[test]
fn only_a_free_multi_queue_tap_is_opened_again() {
    lab::enter();
    lab::command("ip tuntap add name single mode tap");
    lab::command("ip tuntap add name bare mode tap multi_queue");
    for name in ["lo", "single", "bare"] {
        let error = Tap::reopen(&lab::name(name), lab::queues(1)).unwrap_err();
        assert!(matches!(error, TapError::NotATap { .. }), "{name}: {error}");
    }
    let error = Tap::reopen(&lab::name("none"), lab::queues(1)).unwrap_err();
    assert!(matches!(error, TapError::NotFound { .. }), "{error}");
    assert!(
        Netlink::open()
            .unwrap()
            .link(&lab::name("none"))
            .unwrap()
            .is_none(),
        "made one"
    );

    let tap = Tap::create(&lab::name("t0"), lab::queues(2)).unwrap();
    tap.set_persistent(true).unwrap();
    let error = Tap::reopen(&tap.name, lab::queues(1)).unwrap_err();
    assert!(matches!(error, TapError::Busy { .. }), "{error}");
    let (name, index) = (tap.name.clone(), tap.index);
    drop(tap);
    let again = Tap::reopen(&name, lab::queues(4)).unwrap();
    assert_eq!((again.index, again.queues.len()), (index, 4));

    again.queues[3].set_persistent(false).unwrap();
    drop(again);
    assert!(Netlink::open().unwrap().link(&name).unwrap().is_none());
}

#[test]
fn frames_go_both_ways() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    let queue = &tap.queues[0];
    assert_eq!(
        queue.read(&mut [0; 2048]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );

    lab::provoke_frame("10.0.0.2:9");
    let request = lab::next_frame(queue);
    assert_eq!(request[12..14], [0x08, 0x06], "an ARP request");

    // The answer: sender and target change places.
    let mut reply = lab::ethernet(request[6..12].try_into().unwrap(), 0x0806, &request[14..20]);
    reply.extend([0, 2, 2, 0, 0, 0, 0, 9, 10, 0, 0, 2]);
    reply.extend(&request[22..32]);
    let header = [0; VNET_HEADER_LEN];
    let sent = queue
        .write_vectored(&[IoSlice::new(&header), IoSlice::new(&reply)])
        .unwrap();
    assert_eq!(sent, VNET_HEADER_LEN + reply.len());
    let datagram = lab::next_frame(queue);
    assert_eq!(
        (&datagram[..6], &datagram[42..]),
        (&[2, 0, 0, 0, 0, 9][..], &b"hello"[..])
    );
}

#[test]
fn a_frame_for_an_interface_that_is_down_is_an_error() {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(1)).unwrap();
    let mut packet = vec![0; VNET_HEADER_LEN];
    packet.extend(lab::ethernet([0xff; 6], 0x88b5, &[0; 46]));
    let error = tap.queues[0].write(&packet).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
    let error = tap.queues[0].read(&mut packet).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_frame_longer_than_the_buffer_is_cut_off() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    lab::provoke_frame("10.0.0.2:9");
    let mut buffer = [0; 20];
    assert_eq!(tap.queues[0].read(&mut buffer).unwrap(), 20);
    let error = tap.queues[0].read(&mut buffer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock, "the rest is lost");
}

/// An Ethernet frame with a datagram or segment, as far as steering looks at it.
fn packet(from: (&str, u16), to: (&str, u16), protocol: u8, fragment: u16) -> Vec<u8> {
    use std::net::IpAddr;
    let ports = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    let addresses: [IpAddr; 2] = [from.0, to.0].map(|text| text.parse().unwrap());
    let (ethertype, mut header) = match addresses[0] {
        IpAddr::V4(_) => {
            let mut header = vec![0x45, 0, 0, 28, 0, 0];
            header.extend(fragment.to_be_bytes());
            header.extend([64, protocol, 0, 0]);
            (0x0800, header)
        }
        IpAddr::V6(_) => (0x86dd, vec![0x60, 0, 0, 0, 0, 8, protocol, 64]),
    };
    for address in addresses {
        match address {
            IpAddr::V4(v4) => header.extend(v4.octets()),
            IpAddr::V6(v6) => header.extend(v6.octets()),
        }
    }
    header.extend(ports);
    header.extend([0; 4]);
    lab::ethernet([2, 0, 0, 0, 0, 1], ethertype, &header)
}

/// A TAP, and a socket that sends as the kernel does by its interface.
fn tap_and_sender(queues: usize) -> (Tap, PacketSocket) {
    lab::enter();
    let tap = Tap::create(&lab::name("t0"), lab::queues(queues)).unwrap();
    lab::settle(tap.index, &tap.name, "10.0.0.1/24");
    let socket = PacketSocket::open(tap.index, &PacketOptions::default()).unwrap();
    (tap, socket)
}

/// The queue at which a frame arrives that the kernel sends by the interface.
fn queue_of(tap: &Tap, socket: &PacketSocket, frame: &[u8]) -> usize {
    socket.write(frame).unwrap();
    let mut found = None;
    lab::eventually("the frame arrives", || {
        let arrived = |queue: &TapQueue| queue.read(&mut [0; 2048]).is_ok();
        found = tap.queues.iter().position(arrived);
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn directions_of_a_conversation_have_queues_beside_each_other() {
    let (tap, socket) = tap_and_sender(4);
    let queue = |frame: Vec<u8>| queue_of(&tap, &socket, &frame);
    let mut used = [0; 4];
    for (here, there) in [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::99")] {
        for protocol in [6, 17, 132] {
            for port in 40000..40016 {
                let (client, server) = ((here, port), (there, 80));
                let question = queue(packet(client, server, protocol, 0));
                let answer = queue(packet(server, client, protocol, 0));
                let apart = (4 + question - answer) % 4;
                assert!(apart == 1 || apart == 3, "{question} and {answer}");
                let again = queue(packet(client, server, protocol, 0));
                assert_eq!(again, question, "a flow stays in order");
                used[question] += 1;
            }
        }
    }
    let all = used.iter().sum::<i32>();
    assert!(used.iter().all(|&used| used > all / 8), "{used:?}");

    // A fragment's ports are payload, unless it is the first, and that goes with the others.
    let fragment =
        |port, fragment| queue(packet(("10.0.0.1", port), ("10.0.0.2", 9), 17, fragment));
    let first = fragment(1, 0x2000);
    for port in 2..18 {
        assert_eq!(fragment(port, 0x2000), first);
        assert_eq!(fragment(port, 0x00b9), first);
    }
}

#[test]
fn it_is_known_where_a_container_sent_from() {
    let (_tap, socket) = tap_and_sender(2);
    let macs = [[2, 0, 0, 7, 7, 1], [2, 0, 0, 7, 7, 2]];
    assert_eq!(macs.map(tap::sent_from), [None, None]);
    let all = thread::affinity().unwrap();
    for &processor in all.iter().chain(all.first()) {
        Thread::current().set_affinity(&[processor]).unwrap();
        // Whatever is in the frame, and if it is as short as can be.
        for payload in [&[0x45; 40][..], &[0xff; 46]] {
            let mut frame = lab::ethernet(macs[0], 0x0800, payload);
            frame[6..12].copy_from_slice(&macs[0]);
            socket.write(&frame).unwrap();
            assert_eq!(tap::sent_from(macs[0]), Some(processor));
        }
    }
    assert_eq!(tap::sent_from(macs[1]), None);
}
