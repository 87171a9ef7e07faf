//! From a station of a VLAN to the wire and back.

use vswitch_datapath::Face;
use vswitch_packet::VNET_HEADER_LEN;

use super::{Burst, FRAMES};
use crate::vlan::{back, inward, lan, out, outward};
use crate::worker::Worker;

/// The tables of a LAN have a seed each, by which keys share places or do not: several are alike.
const LANS: usize = 16;

pub(super) fn to_wire() -> Burst {
    there(Face::Own)
}

pub(super) fn to_wire_translated() -> Burst {
    there(Face::Translated)
}

pub(super) fn from_wire() -> Burst {
    here(Face::Own)
}

pub(super) fn from_wire_translated() -> Burst {
    here(Face::Translated)
}

/// With the tag put in.
fn there(face: Face) -> Burst {
    burst(face, outward(FRAMES as u32), VNET_HEADER_LEN + 64, out)
}

fn here(face: Face) -> Burst {
    burst(
        face,
        inward(FRAMES as u32, face),
        VNET_HEADER_LEN + 60,
        back,
    )
}

/// What a worker of each LAN does with its part of `reads` until it has sent so many octets of each.
fn burst(
    face: Face,
    reads: Vec<Vec<u8>>,
    sent: usize,
    receive: fn(&mut Worker<'_>, &[u8]),
) -> Burst {
    // They live until the program ends, which is soon.
    let worker = |_| Worker::new(Box::leak(Box::new(lan(face))));
    let mut workers: Vec<_> = (0..LANS).map(worker).collect();
    Box::new(move || {
        for (worker, reads) in workers.iter_mut().zip(reads.chunks(FRAMES / LANS)) {
            worker.sent.0 = 0;
            reads.iter().for_each(|read| receive(worker, read));
            worker.flush();
            assert_eq!(worker.sent.0, reads.len() * sent);
        }
    })
}
