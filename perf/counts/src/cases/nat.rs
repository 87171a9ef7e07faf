//! Translation of established flows, each of one frame: parsed, looked up, rewritten.

use vswitch_packet::Frame;

use super::{Burst, FRAMES};
use crate::flows::{Flows, small};
use crate::host::{Family, V4, V6};

pub(super) fn out_v4() -> Burst {
    out(V4)
}

pub(super) fn out_v6() -> Burst {
    out(V6)
}

pub(super) fn in_v4() -> Burst {
    back(V4)
}

pub(super) fn in_v6() -> Burst {
    back(V6)
}

fn out(family: Family) -> Burst {
    burst(family, 0, move |flows, frame| flows.outbound(family, frame))
}

fn back(family: Family) -> Burst {
    burst(family, 1, Flows::inbound)
}

/// The packets of one direction.
fn burst(
    family: Family,
    direction: usize,
    translate: impl Fn(&Flows, &mut Frame<'_>) -> bool + 'static,
) -> Burst {
    let flows = Flows::new(family, FRAMES as u32);
    let wires = flows
        .packets
        .iter()
        .map(|both| small(both[direction].wire()));
    let wires: Vec<_> = wires.collect();
    let mut bytes = wires[0].bytes.clone();
    Box::new(move || {
        for wire in &wires {
            bytes.copy_from_slice(&wire.bytes);
            let mut frame = Frame::parse(&mut bytes, wire.header).unwrap();
            assert!(translate(&flows, &mut frame));
        }
    })
}
