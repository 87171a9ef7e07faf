//! Virtio headers that contradict the frame, or claim what was never negotiated.

use vswitch_datapath::DropReason::{self, BadOffload, Runt};
use vswitch_packet::ip::Version::{V4, V6};
use vswitch_packet::{MAX_FRAME_LEN, VnetHeader};

use crate::bench::Bench;
use crate::counters::on;
use crate::crafted::{TCP, UDP, echo, ethernet, ip, is_at, tcp, udp};
use crate::station::{A, ALICE, B, BOB};
use crate::tap_frame::{
    DATA_VALID, GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, TapFrame,
};

fn header(frame: TapFrame, change: impl FnOnce(&mut VnetHeader)) -> TapFrame {
    let mut frame = frame;
    change(&mut frame.header);
    frame
}

/// Frames whose virtio header is refused, with a name for each.
fn refused() -> Vec<(&'static str, TapFrame)> {
    let plain = || udp(V4, ALICE, BOB, 1000).complete();
    let left = || udp(V4, ALICE, BOB, 1000).offloaded();
    let tso = || tcp(V4, ALICE, BOB, 5000).super_frame(1000);
    let tso6 = || tcp(V6, ALICE, BOB, 5000).super_frame(1000);
    let uso = || udp(V4, ALICE, BOB, 5000).super_frame(1000);
    let len = plain().bytes.len() as u16;
    vec![
        ("unknown flag", header(plain(), |h| h.flags = 4)),
        ("all flags", header(plain(), |h| h.flags = 0xff)),
        (
            "unknown flag beside a known one",
            header(left(), |h| h.flags |= 0x80),
        ),
        ("UFO, which is no more", header(uso(), |h| h.gso_type = 3)),
        ("unknown type", header(tso(), |h| h.gso_type = 2)),
        ("UDP tunnel", header(tso(), |h| h.gso_type |= 0x20)),
        ("all types", header(tso(), |h| h.gso_type = 0xff)),
        ("ECN alone", header(plain(), |h| h.gso_type = GSO_ECN)),
        ("ECN of UDP", header(uso(), |h| h.gso_type |= GSO_ECN)),
        // The checksum's place.
        (
            "checksum in the Ethernet header",
            header(left(), |h| h.csum_start = 13),
        ),
        (
            "checksum at the very start",
            header(left(), |h| (h.csum_start, h.csum_offset) = (0, 0)),
        ),
        (
            "checksum behind the end",
            header(left(), |h| h.csum_start = len),
        ),
        (
            "checksum field half behind the end",
            header(left(), |h| h.csum_offset = len - 34 - 1),
        ),
        (
            "checksum field behind the end",
            header(left(), |h| h.csum_offset = len - 34),
        ),
        (
            "checksum far away",
            header(left(), |h| (h.csum_start, h.csum_offset) = (0xffff, 0xffff)),
        ),
        (
            "checksum in the padding",
            header(left(), |h| h.csum_start = len).padded(8),
        ),
        // Super-frames.
        (
            "super-frame without a checksum to complete",
            header(tso(), |h| h.flags = 0),
        ),
        (
            "super-frame that is vouched for",
            header(tso(), |h| h.flags = DATA_VALID),
        ),
        (
            "super-frame with another checksum",
            header(tso(), |h| h.csum_offset = 6),
        ),
        (
            "super-frame with a checksum elsewhere",
            header(tso(), |h| h.csum_start += 4),
        ),
        ("size zero", header(tso(), |h| h.gso_size = 0)),
        ("UDP of size zero", header(uso(), |h| h.gso_size = 0)),
        ("size one", header(tso(), |h| h.gso_size = 1)),
        ("size below every MSS", header(tso(), |h| h.gso_size = 7)),
        ("too many datagrams", header(uso(), |h| h.gso_size = 39)),
        (
            "TCP over IPv4 that is IPv6",
            header(tso6(), |h| h.gso_type = GSO_TCPV4),
        ),
        (
            "TCP over IPv6 that is IPv4",
            header(tso(), |h| h.gso_type = GSO_TCPV6),
        ),
        ("TCP that is UDP", header(uso(), |h| h.gso_type = GSO_TCPV4)),
        (
            "UDP that is TCP",
            header(tso(), |h| h.gso_type = GSO_UDP_L4),
        ),
        (
            "super-frame of ICMP",
            header(echo(V4, true, ALICE, BOB, 4000), |h| {
                *h = VnetHeader {
                    flags: NEEDS_CSUM,
                    gso_type: GSO_UDP_L4,
                    gso_size: 1000,
                    csum_start: 34,
                    csum_offset: 2,
                    hdr_len: 42,
                };
            }),
        ),
        (
            "super-frame of ARP",
            header(is_at(ALICE, BOB), |h| {
                *h = VnetHeader {
                    flags: NEEDS_CSUM,
                    gso_type: GSO_TCPV4,
                    gso_size: 8,
                    csum_start: 14,
                    csum_offset: 16,
                    hdr_len: 34,
                };
            }),
        ),
        (
            "super-frame of nothing known",
            header(ethernet(ALICE.mac, BOB.mac, 0x88b5, &[0; 3000]), |h| {
                *h = VnetHeader {
                    flags: NEEDS_CSUM,
                    gso_type: GSO_TCPV4,
                    gso_size: 1000,
                    csum_start: 34,
                    csum_offset: 16,
                    hdr_len: 54,
                };
            }),
        ),
        ("super-frame of a fragment", tso().patched(20, &[0x20, 0])),
        (
            "super-frame of a later fragment",
            tso().patched(20, &[0, 100]),
        ),
        ("super-frame with padding", tso().padded(1)),
        (
            "super-frame with a broken IPv4 header",
            tso().patched(24, &[0, 0]),
        ),
        (
            "super-frame with a broken TCP header",
            tso().patched(46, &[0x40]),
        ),
        ("super-frame with a TCP header behind the end", {
            let segment = [
                0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x10, 0, 0, 0, 0, 0, 0,
            ];
            header(ip(V4, ALICE, BOB, TCP, &segment, |_| ()), |h| {
                *h = VnetHeader {
                    flags: NEEDS_CSUM,
                    gso_type: GSO_TCPV4,
                    gso_size: 8,
                    csum_start: 34,
                    csum_offset: 16,
                    hdr_len: 94,
                };
            })
        }),
        (
            "super-frame whose UDP length lies",
            uso().patched(38, &[0, 100]),
        ),
        ("super-frame of half a UDP header", {
            header(ip(V4, ALICE, BOB, UDP, &[0, 1, 0, 2], |_| ()), |h| {
                *h = VnetHeader {
                    flags: NEEDS_CSUM,
                    gso_type: GSO_UDP_L4,
                    gso_size: 8,
                    csum_start: 34,
                    csum_offset: 6,
                    hdr_len: 42,
                };
            })
        }),
        ("malformed super-frame", tso().patched(14, &[0x4f])),
        ("super-frame of a cut off packet", tso().cut(3000)),
    ]
}

impl TapFrame {
    fn padded(mut self, by: usize) -> Self {
        self.bytes.extend(vec![0; by]);
        self
    }

    fn cut(mut self, len: usize) -> Self {
        self.bytes.truncate(len);
        self
    }
}

#[track_caller]
fn assert_refused(bench: &mut Bench, frame: &TapFrame, reason: DropReason) {
    bench.enter(A, frame);
    bench.assert_sent([]);
    bench.assert_counted([on(A).received_refused(frame).dropped(reason, 1)]);
}

#[test]
fn what_the_header_claims_is_held_against_the_frame() {
    let mut bench = Bench::guarded(2);
    bench.learn(&[A, B]);
    for (name, frame) in refused() {
        println!("{name}");
        assert_refused(&mut bench, &frame, BadOffload);
        // Nor behind a tag.
        let tagged = frame.tagged(5);
        if name != "checksum at the very start" && name != "checksum in the Ethernet header" {
            assert_refused(&mut bench, &tagged, BadOffload);
        }
    }
    // The port works as before.
    bench.carries(A, &tcp(V4, ALICE, BOB, 5000).super_frame(1000), &[B]);
}

#[test]
fn what_is_unusual_but_true_passes() {
    let mut bench = Bench::new(2);
    bench.learn(&[A, B]);
    let tso = tcp(V4, ALICE, BOB, 5000).super_frame(1000);
    let frames = [
        header(tso.clone(), |h| h.gso_type |= GSO_ECN),
        tcp(V4, ALICE, BOB, 1000).super_frame(65535),
        header(tso.clone(), |h| h.gso_size = 8),
        udp(V4, ALICE, BOB, 64 * 79).super_frame(79),
        udp(V4, ALICE, BOB, 128 * 40).super_frame(40),
        // A checksum inside of the payload, as tunnels have it.
        header(udp(V4, ALICE, BOB, 1000).offloaded(), |h| {
            h.csum_start = 100;
        }),
        header(ethernet(ALICE.mac, BOB.mac, 0x88b5, &[7; 60]), |h| {
            (h.flags, h.csum_start, h.csum_offset) = (NEEDS_CSUM, 14, 58);
        }),
        udp(V4, ALICE, BOB, 1000).complete().verified(),
    ];
    for frame in &frames {
        bench.carries(A, frame, &[B]);
    }
    // The length of the headers is never believed, but written anew.
    for hdr_len in [0, 1, 54, 0xffff] {
        let lies = header(tso.clone(), |h| h.hdr_len = hdr_len);
        bench.turns(A, &lies, &[(B, &tso)]);
    }
    // What stands in fields that no flag or type speaks of is not passed on.
    let plain = udp(V4, ALICE, BOB, 1000).complete();
    let noise = header(plain.clone(), |h| {
        (h.hdr_len, h.gso_size, h.csum_start, h.csum_offset) = (1, 2, 3, 4);
    });
    bench.turns(A, &noise, &[(B, &plain)]);
    // Both flags at once: what is left to do counts.
    let left = udp(V4, ALICE, BOB, 1000).offloaded();
    let both = header(left.clone(), |h| h.flags |= DATA_VALID);
    bench.turns(A, &both, &[(B, &left)]);
}

#[test]
fn what_is_no_frame_is_counted_as_runt_or_giant() {
    let mut bench = Bench::new(2);
    let frame = udp(V4, ALICE, BOB, 18).complete();
    for len in 0..14 {
        assert_refused(&mut bench, &TapFrame::plain(&frame.bytes[..len]), Runt);
    }
    for len in 14..18 {
        assert_refused(
            &mut bench,
            &TapFrame::plain(&frame.clone().tagged(1).bytes[..len]),
            Runt,
        );
        assert_refused(
            &mut bench,
            &TapFrame::plain(&frame.clone().tagged(1).tagged(1).bytes[..len + 4]),
            Runt,
        );
    }
    // Less than a virtio header.
    for len in 0..10 {
        bench.raw(A, &[0; 10][..len]);
        bench.assert_counted([on(A).received([&TapFrame::plain([])]).dropped(Runt, 1)]);
    }
    bench.edit_port(B, |port| port.mtu = 65535);
    let longest = ethernet(ALICE.mac, BOB.mac, 0x88b5, &vec![0; MAX_FRAME_LEN - 14]);
    bench.carries(
        A,
        &longest.clone().tagged(7).tagged(8).cut(MAX_FRAME_LEN),
        &[B],
    );
    bench.refuses_at(A, &longest, B, DropReason::TooBig);
}

#[test]
fn a_tag_moves_a_checksum_at_the_end_of_what_a_header_can_say() {
    let mut bench = Bench::new(2);
    for port in [A, B] {
        bench.edit_port(port, |port| port.mtu = 65535);
    }
    bench.edit_port(A, |port| port.vlan = vswitch_packet::VlanId::new(100));
    for (start, passes) in [(65531, true), (65532, false), (65535, false)] {
        let frame = header(ethernet(ALICE.mac, BOB.mac, 0x88b5, &[7; 65535]), |h| {
            (h.flags, h.csum_start) = (NEEDS_CSUM, start);
        });
        if passes {
            bench.turns(A, &frame, &[(B, &frame.clone().tagged(100))]);
        } else {
            bench.refuses_at(A, &frame, B, DropReason::Refused);
        }
    }
}
