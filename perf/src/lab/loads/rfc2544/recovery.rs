//! How long an overload is felt (RFC 2544 §26.5).

use std::time::Duration;

use anyhow::Result;

use super::one_way;
use crate::lab::frames::{Phase, Rig, seek};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// After more than it can carry, a switch is offered half of what it can.
#[derive(Debug)]
pub(in crate::lab) struct Recovery {
    /// Octets of a frame, with its check sequence.
    pub(in crate::lab) length: usize,
}

/// Of the throughput, or what the tester can do of it.
const OVERLOAD: f64 = 1.1;
const AFTERWARDS: f64 = 0.5;

impl Load for Recovery {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::lower(", from overload to the last loss", "ms"),
                Metric::lower(", lost of all", "%"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let time = Duration::from_secs(seconds.into());
        let found = seek(site, &rig, time, |phase| one_way(self.length, phase))?;
        let throughput = found.frames_a_second();
        let phase = |share: f64| Phase::lasting(Some((throughput * share).max(1.0) as u64), time);
        let mut streams = one_way(self.length, phase(OVERLOAD));
        streams[0].phases.push(phase(AFTERWARDS));
        let run = || rig.trial(&streams);
        let (trial, cost) = site.metered(run, |trial| trial.received() as f64 / 1e6)?;
        Ok(Outcome {
            figures: vec![1e3 * trial.seconds_to_last_loss(1), 100.0 * trial.loss()],
            cost,
            payload: trial.received() * self.length as u64,
        })
    }
}
