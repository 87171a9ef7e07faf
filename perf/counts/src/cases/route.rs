//! Through the gateway and out by a NIC.

use vswitch_datapath::gateway::REPLY_LEN;
use vswitch_datapath::{Pipeline, PortId, Verdict};
use vswitch_packet::{Frame, Moment, VnetHeader};

use super::{Burst, FRAMES};
use crate::uplink::{outward, with_uplink};

/// Of established flows, each of one frame: parsed, routed by the last of some routes, translated.
pub(super) fn translated() -> Burst {
    let topology = with_uplink(100);
    let fresh: Vec<_> = (0..FRAMES as u32).map(outward).collect();
    let mut bytes = fresh[0].clone();
    Box::new(move || {
        let ingress = topology.port(PortId(0)).unwrap();
        let pipeline = Pipeline::new(&topology, 0, Moment::from_secs(1));
        let mut reply = [0; REPLY_LEN];
        for fresh in &fresh {
            bytes.copy_from_slice(fresh);
            let mut frame = Frame::parse(&mut bytes, VnetHeader::default()).unwrap();
            let decision = pipeline.receive(ingress, &mut frame, &mut reply);
            assert!(matches!(decision.verdict, Verdict::Routed(_)));
        }
    })
}
