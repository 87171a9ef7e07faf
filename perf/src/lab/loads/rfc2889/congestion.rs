//! Whether a busy port hurts an idle one (RFC 2889 §5.5).

use std::time::Duration;

use anyhow::Result;

use super::LENGTH;
use crate::lab::frames::{Aim, Phase, Rig, Stream};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// Two ports send as much as they can: one to a port for both of them, the other to that and a port of its own, in
/// turn. No virtual port has a rate of its own, so what is congested is the way to the port, and the
/// processors.
#[derive(Debug)]
pub(in crate::lab) struct Congestion;

const SENDERS: [usize; 2] = [0, 1];
const UNCONGESTED: usize = 2;
const CONGESTED: usize = 3;

impl Load for Congestion {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::lower(", lost at the uncongested port", "%"),
                Metric::lower(", lost at the congested port", "%"),
                Metric::higher(", delivered", "k frames/s"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let flat_out = Phase::lasting(None, Duration::from_secs(seconds.into()));
        let [both, one] = SENDERS;
        let streams = [
            Stream {
                aim: Aim::Ports(vec![UNCONGESTED, CONGESTED]),
                ..Stream::new(both, CONGESTED, LENGTH, flat_out)
            },
            Stream::new(one, CONGESTED, LENGTH, flat_out),
        ];
        let run = || rig.trial(&streams);
        let (trial, cost) = site.metered(run, |trial| trial.received() as f64 / 1e6)?;
        // Of the first stream, every other frame, and the first of them, is for the uncongested port.
        let [uncongested, congested] = [
            trial.offered_by(0).div_ceil(2),
            trial.offered_by(0) / 2 + trial.offered_by(1),
        ];
        Ok(Outcome {
            figures: vec![
                100.0 * trial.loss_at(UNCONGESTED, uncongested),
                100.0 * trial.loss_at(CONGESTED, congested),
                trial.received_rate() / 1e3,
            ],
            cost,
            payload: trial.received() * LENGTH as u64,
        })
    }
}
