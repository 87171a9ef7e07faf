//! Into a VXLAN tunnel and out of one.

use std::hint::black_box;

use vswitch_packet::{Frame, VNET_HEADER_LEN, VnetHeader};
use vswitch_vxlan::ecn::{self, Dscp};
use vswitch_vxlan::{HEADER_LEN, Vni, entropy, header};

use super::{Burst, FRAMES};
use crate::segment::{back, inward, out, outward, segment};
use crate::worker::Worker;

/// What a tunnel puts in front of a frame that is parsed already, as far as the frame decides it.
pub(super) fn outer_header() -> Burst {
    let mut read = outward(1).swap_remove(0);
    Box::new(move || {
        let bytes = &mut read[VNET_HEADER_LEN..];
        let frame = Frame::parse(bytes, VnetHeader::default()).unwrap();
        for _ in 0..FRAMES {
            let frame = black_box(&frame);
            black_box((
                header(black_box(Vni::FIRST)),
                entropy(frame),
                ecn::outer_tos(frame, black_box(Dscp::Fixed(0))),
            ));
        }
    })
}

pub(super) fn into_tunnel() -> Burst {
    burst(outward(FRAMES as u32), HEADER_LEN + 60, out)
}

pub(super) fn out_of_tunnel() -> Burst {
    burst(inward(FRAMES as u32), VNET_HEADER_LEN + 60, back)
}

/// What a worker does with `reads` until it has sent so many octets of each.
fn burst(reads: Vec<Vec<u8>>, sent: usize, receive: fn(&mut Worker<'_>, &[u8])) -> Burst {
    // Lives until the program ends, which is soon.
    let mut worker = Worker::new(Box::leak(Box::new(segment())));
    Box::new(move || {
        worker.sent.0 = 0;
        reads.iter().for_each(|read| receive(&mut worker, read));
        worker.flush();
        assert_eq!(worker.sent.0, FRAMES * sent);
    })
}
