//! RFC 2544: one stream of frames from a port to another.
//!
//! A trial is as long as the lab's runs, 60 s only if that is asked for (§24).

mod back_to_back;
mod loss_rate;
mod recovery;
mod throughput;

pub(in crate::lab) use back_to_back::BackToBack;
pub(in crate::lab) use loss_rate::LossRate;
pub(in crate::lab) use recovery::Recovery;
pub(in crate::lab) use throughput::FrameThroughput;

use crate::lab::frames::{Phase, Stream, without_check_sequence};

/// From the first port to the second, frames of a length as the RFC has it.
fn one_way(length: usize, phase: Phase) -> Vec<Stream> {
    vec![Stream::new(0, 1, without_check_sequence(length), phase)]
}
