//! Raw frames out of and into a kernel's interface.

use std::io::ErrorKind;

use vswitch_netio::packet_socket::{
    PacketOptions, PacketSocket, PacketSocketError, Received, VlanTag,
};
use vswitch_netio::tap::{Tap, VNET_HEADER_LEN};

use crate::lab;

/// An Ethertype for local experiments (IEEE 802).
const EXPERIMENT: u16 = 0x88b5;

fn write(tap: &Tap, frame: &[u8]) {
    let mut packet = vec![0; VNET_HEADER_LEN];
    packet.extend(frame);
    tap.queues[0].write(&packet).unwrap();
}

#[test]
fn a_frame_is_sent_as_it_is() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    let socket = PacketSocket::open(tap.index, &PacketOptions::default()).unwrap();
    let tagged = [0, 7, 0x88, 0xb5, 1, 2, 3, 4];
    let frames = [
        lab::ethernet([2, 0, 0, 0, 0, 1], EXPERIMENT, b"untagged"),
        lab::ethernet([0xff; 6], 0x8100, &tagged),
        lab::ethernet([0xff; 6], 0x88a8, &[&[0, 3, 0x81, 0], &tagged[..]].concat()),
        // An IPv4 header that is cut off.
        lab::ethernet([0xff; 6], 0x0800, &[0x45]),
        lab::ethernet([0xff; 6], 0x0800, &[]),
    ];
    for frame in &frames {
        assert_eq!(socket.write(frame).unwrap(), frame.len());
        assert_eq!(&lab::next_frame(&tap.queues[0]), frame);
    }
    assert_eq!(
        socket.write(&frames[0][..13]).unwrap_err().raw_os_error(),
        Some(libc::EINVAL)
    );
}

#[test]
fn what_the_receive_buffer_has_no_room_for_is_counted_once() {
    const FRAMES: usize = 100;
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    let options = PacketOptions {
        promiscuous: true,
        receive_buffer: Some(8192),
        ..PacketOptions::default()
    };
    let socket = PacketSocket::open(tap.index, &options).unwrap();
    assert_eq!(socket.take_dropped().unwrap(), 0);
    let frame = lab::ethernet([2, 0, 0, 0, 0, 1], EXPERIMENT, &[7; 1000]);
    for _ in 0..FRAMES {
        write(&tap, &frame);
    }
    let mut buffer = [0; 2048];
    let received = std::iter::from_fn(|| socket.read(&mut buffer).ok()).count();
    assert!((1..FRAMES).contains(&received), "{received}");
    assert_eq!(socket.take_dropped().unwrap() as usize, FRAMES - received);
    assert_eq!(socket.take_dropped().unwrap(), 0);
}

#[test]
fn a_frame_is_received_with_the_tag_beside_it() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    let options = PacketOptions {
        vlan_tags: true,
        promiscuous: true,
        ..PacketOptions::default()
    };
    let socket = PacketSocket::open(tap.index, &options).unwrap();
    let mut buffer = [0; 2048];
    assert_eq!(
        socket.receive(&mut buffer).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );

    let plain = lab::ethernet([2, 0, 0, 0, 0, 1], EXPERIMENT, &[1; 46]);
    write(&tap, &plain);
    let received = socket.receive(&mut buffer).unwrap();
    assert_eq!(
        received,
        Received {
            length: plain.len(),
            vlan: None
        }
    );
    assert_eq!(buffer[..plain.len()], plain);

    let mut tagged = plain.clone();
    tagged.splice(12..12, [0x81, 0x00, 0xa0, 7]);
    write(&tap, &tagged);
    let received = socket.receive(&mut buffer).unwrap();
    let vlan = Some(VlanTag {
        protocol: 0x8100,
        control: 0xa007,
    });
    assert_eq!(
        received,
        Received {
            length: plain.len(),
            vlan
        }
    );
    assert_eq!(buffer[..plain.len()], plain);
}

#[test]
fn a_virtio_header_goes_before_each_frame() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    let options = PacketOptions {
        vnet_header: true,
        ignore_outgoing: true,
        receive_buffer: Some(4 << 20),
        send_buffer: Some(4 << 20),
        ..PacketOptions::default()
    };
    let socket = PacketSocket::open(tap.index, &options).unwrap();
    let mut packet = vec![0; VNET_HEADER_LEN];
    packet.extend(lab::ethernet([0xff; 6], EXPERIMENT, &[1; 46]));
    assert_eq!(socket.write(&packet).unwrap(), packet.len());
    assert_eq!(lab::next_frame(&tap.queues[0]), packet[VNET_HEADER_LEN..]);
    let mut buffer = [0; 2048];
    let error = socket.read(&mut buffer).unwrap_err();
    assert_eq!(
        error.kind(),
        ErrorKind::WouldBlock,
        "what was sent is not received"
    );

    tap.queues[0].write(&packet).unwrap();
    assert_eq!(socket.read(&mut buffer).unwrap(), packet.len());
    assert_eq!(
        buffer[VNET_HEADER_LEN..packet.len()],
        packet[VNET_HEADER_LEN..]
    );
}

#[test]
fn an_interface_that_is_not_there_is_told() {
    lab::enter();
    let error = PacketSocket::open(999, &PacketOptions::default()).unwrap_err();
    assert!(
        matches!(error, PacketSocketError::NotFound { interface: 999 }),
        "{error}"
    );
}

#[test]
fn an_interface_that_goes_down_is_an_error_once() {
    lab::enter();
    let tap = lab::quiet_tap("t0", "10.0.0.1/24");
    let socket = PacketSocket::open(tap.index, &PacketOptions::default()).unwrap();
    let mut netlink = vswitch_netio::netlink::Netlink::open().unwrap();
    netlink.set_down(tap.index).unwrap();
    let mut buffer = [0; 2048];
    let error = socket.read(&mut buffer).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENETDOWN));
    assert_eq!(
        socket.read(&mut buffer).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );

    netlink.set_up(tap.index).unwrap();
    write(&tap, &lab::ethernet([0xff; 6], EXPERIMENT, &[1; 46]));
    assert_eq!(
        socket.read(&mut buffer).unwrap(),
        60,
        "it goes on when the interface does"
    );
}
