//! From a container at one host to a container at another: whatever is sent, and however it travels,
//! the same packets arrive.

use core::net::{IpAddr, Ipv4Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use vswitch_datapath::PortId;
use vswitch_packet::Capabilities;
use vswitch_packet::ip::Version::{V4, V6};

use super::peers::{UNDERLAY, VNI};
use crate::bench::{BRIDGE, Bench};
use crate::crafted::{echo, is_at, tcp, udp, who_has};
use crate::datagrams::{Delivery, HandOver};
use crate::flow_order::{act, judge, perform_all};
use crate::station::{A, ALICE, B, C, CAROL, D, at};
use crate::tap_frame::TapFrame;
use crate::wire;

/// At each host, the tunnel to the other.
const TUNNEL: PortId = PortId(21);
/// Alice and bob are at this one, carol and dave at that one.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// The host with containers at `ports`, which are all that it knows.
fn host(ports: [PortId; 2], peer: IpAddr) -> Bench {
    let mut bench = Bench::new(0);
    bench.add_underlay(UNDERLAY);
    bench.add_segment(BRIDGE, VNI, &[UNDERLAY]);
    bench.add_tunnel(TUNNEL, BRIDGE, peer);
    for port in ports {
        bench.add_port(port, BRIDGE);
    }
    bench.learn(&ports);
    bench
}

fn hosts() -> [Bench; 2] {
    [host([A, B], THERE), host([C, D], HERE)]
}

/// Every host knows every address.
fn acquainted() -> [Bench; 2] {
    let hosts = hosts();
    for (host, remote) in hosts.iter().zip([[C, D], [A, B]]) {
        for port in remote {
            let now = host.now();
            host.bridge()
                .fdb
                .learn(Default::default(), at(port).mac, TUNNEL, now);
        }
    }
    hosts
}

/// As `sent` comes in at the other host: joined, or the kernel has taken it apart.
fn deliveries(sent: &[HandOver], from: IpAddr, apart: bool) -> Vec<Delivery> {
    let whole = sent.iter().map(|one| one.delivery(from));
    let parts = |delivery: Delivery| {
        let one = |datagram: &Vec<u8>| Delivery {
            datagrams: vec![datagram.clone()],
            ..delivery.clone()
        };
        delivery.datagrams.iter().map(one).collect::<Vec<_>>()
    };
    match apart {
        false => whole.collect(),
        true => whole.flat_map(parts).collect(),
    }
}

/// What `frames`, which come in at one of the hosts, become at the ports of both.
fn carry<'f>(
    hosts: &mut [Bench; 2],
    frames: impl Iterator<Item = (PortId, &'f TapFrame)> + Clone,
    apart: bool,
) -> Vec<(PortId, TapFrame)> {
    let mut out = vec![];
    for (one, from) in [(0, HERE), (1, THERE)] {
        let own = frames
            .clone()
            .filter(|(port, _)| (port.0 > 1) == (one == 1));
        hosts[one].burst(own);
        out.extend(hosts[one].sent());
        let sent = hosts[one].handed_over();
        let other = &mut hosts[1 - one];
        other.arrive(UNDERLAY, &deliveries(&sent, from, apart));
        assert_eq!(other.handed_over(), [], "split horizon");
        out.extend(other.sent());
    }
    for host in hosts {
        host.counted();
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_one_container_sends_another_gets_whole_in_order_and_once(
        acts in vec((0..4u32, act()), 1..150),
        plain in proptest::option::weighted(0.3, 0..4usize),
        takes_joined: bool,
        apart: bool,
    ) {
        let mut hosts = acquainted();
        if let Some(port) = plain {
            let nothing = |port: &mut vswitch_datapath::Port| port.capabilities = Capabilities::NONE;
            hosts[port / 2].edit_port(PortId(port as u32), nothing);
        }
        for host in &hosts {
            host.tunnel(TUNNEL).path.set_takes_joined(takes_joined);
        }
        let frames = perform_all(&acts);
        let sent = carry(&mut hosts, frames.iter().map(|(port, frame, _)| (*port, frame)), apart);
        judge(&frames, &sent)?;
    }
}

#[test]
fn two_containers_find_each_other_and_talk() {
    let mut hosts = hosts();
    // The question is heard by all, the answer by alice alone.
    let question = who_has(ALICE, CAROL);
    let sent = carry(&mut hosts, [(A, &question)].into_iter(), false);
    let ports: Vec<_> = sent.iter().map(|(port, _)| *port).collect();
    assert_eq!(ports, [B, C, D]);
    for (from, frame, to) in [
        (C, is_at(CAROL, ALICE), A),
        (A, echo(V4, true, ALICE, CAROL, 56), C),
        (C, echo(V4, false, CAROL, ALICE, 56), A),
        (A, udp(V6, ALICE, CAROL, 1000).offloaded(), C),
        (C, tcp(V6, CAROL, ALICE, 30_000).super_frame(1300), A),
    ] {
        let sent = carry(&mut hosts, [(from, &frame)].into_iter(), false);
        assert!(sent.iter().all(|(port, _)| *port == to));
        wire::assert_same_stream(sent.iter().map(|(_, frame)| frame), [&frame]);
    }
}

#[test]
fn a_super_frame_arrives_as_one() {
    let mut hosts = acquainted();
    for version in [V4, V6] {
        for frame in [
            tcp(version, ALICE, CAROL, 50_000).super_frame(1348),
            udp(version, ALICE, CAROL, 30_000).super_frame(1000),
        ] {
            for apart in [false, true] {
                let sent = carry(&mut hosts, [(A, &frame)].into_iter(), apart);
                assert_eq!(sent.len(), 1);
                let (port, arrived) = &sent[0];
                assert_eq!((*port, arrived.header), (C, frame.header));
                wire::assert_same_stream([arrived], [&frame]);
            }
        }
    }
}
