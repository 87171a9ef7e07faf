//! Creating and opening TAPs, and single frames.

use std::io::{ErrorKind, IoSlice};

use vswitch_netio::netlink::Netlink;
use vswitch_netio::tap::{Offloads, Tap, TapError, VNET_HEADER_LEN};

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
