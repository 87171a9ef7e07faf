//! Parse and forward in process, one core: what one frame costs before any system call.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "criterion's macros; a benchmark may panic"
)]

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use vswitch_datapath::gateway::Gateway;
use vswitch_datapath::vlan::Vlan;
use vswitch_datapath::{
    Bridge, BridgeId, Fdb, Identity, Neighbours, Pipeline, Port, PortCounters, PortId, Role,
    Topology,
};
use vswitch_packet::{Capabilities, Frame, MacAddr, Moment, VnetHeader};

const BRIDGE: BridgeId = BridgeId(0);

fn mac(n: u32) -> MacAddr {
    MacAddr::from_u64(0x0242_0a00_0000 | u64::from(n))
}

fn address(n: u32) -> [u8; 4] {
    (0x0a00_0000 | n).to_be_bytes()
}

/// A bridge with a gateway and two ports whose senders are checked, and `macs` addresses behind
/// the second.
fn topology(macs: u32) -> Topology {
    let fdb = Arc::new(Fdb::new(200_000, 300, 0x5eed));
    let mut topology = Topology::default();
    topology.set_bridge(Bridge {
        id: BRIDGE,
        ports: Vec::new(),
        fdb: Arc::clone(&fdb),
        neighbours: Arc::new(Neighbours::default()),
        groups: None,
        gateway: Some(Gateway {
            mac: mac(0xff_fffe),
            addresses: vec!["10.255.255.254/8".parse().unwrap()],
            host_port: None,
        }),
    });
    for n in 0..2 {
        topology.add_port(Port {
            id: PortId(n),
            bridge: BRIDGE,
            role: Role::Endpoint,
            mac: mac(n),
            mtu: 1500,
            capabilities: Capabilities::ALL,
            vlan: None,
            isolated: false,
            identity: Some(Identity::new(mac(n), &[IpAddr::from(address(n))])),
            storm: None,
            counters: Arc::new(PortCounters::new(2)),
        });
        fdb.set_static(Vlan::NONE, mac(n), PortId(n));
    }
    for n in 2..macs {
        fdb.learn(Vlan::NONE, mac(n), PortId(1), Moment::ORIGIN);
    }
    topology
}

/// 60 octets on a TAP are 64 on a wire: UDP, 18 octets of payload.
fn datagram(destination: u32) -> Vec<u8> {
    let mut bytes = [&mac(destination).0[..], &mac(0).0, &[8, 0, 0x45, 0]].concat();
    bytes.extend([0, 46, 0, 0, 0x40, 0, 64, 17, 0, 0]);
    bytes.extend(address(0).iter().chain(&address(destination)));
    bytes.extend([0x10, 0, 0x20, 0, 0, 26, 0, 0]);
    bytes.resize(60, 0);
    bytes
}

fn forward(c: &mut Criterion) {
    let mut group = c.benchmark_group("forward 64 B");
    for macs in [2, 100, 100_000] {
        let topology = topology(macs);
        let ingress = topology.port(PortId(0)).unwrap();
        let mut frames: Vec<_> = (0..1024)
            .map(|n| datagram(1 + n * 97 % (macs - 1)))
            .collect();
        group.throughput(Throughput::Elements(frames.len() as u64));
        group.bench_function(BenchmarkId::new("known unicast", macs), |b| {
            b.iter(|| {
                let pipeline = Pipeline::new(&topology, 0, Moment::from_secs(1));
                let mut reply = [0; 96];
                for bytes in &mut frames {
                    let mut frame = Frame::parse(bytes, VnetHeader::default()).unwrap();
                    let decision = pipeline.receive(ingress, &mut frame, &mut reply);
                    black_box(decision);
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, forward);
criterion_main!(benches);
