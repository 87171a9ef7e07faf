//! Errored frames (RFC 2889 §5.9), of which a virtual interface can have one kind: packets that are cut off.

use std::time::Duration;

use anyhow::Result;

use super::LENGTH;
use crate::lab::frames::{Damage, Phase, Rig, Stream};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// IPv4 packets that say they are longer than their frame.
#[derive(Debug)]
pub(in crate::lab) struct Errored;

/// Frames a second: nothing is lost for want of time.
const RATE: u64 = 10_000;

impl Load for Errored {
    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::lower(", forwarded", "%")] }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let phase = Phase::lasting(Some(RATE), Duration::from_secs(seconds.into()));
        let mut stream = Stream::new(0, 1, LENGTH, phase);
        stream.damage = Damage::Cut;
        let streams = [stream];
        let run = || rig.trial(&streams);
        let (trial, cost) = site.metered(run, |trial| trial.offered() as f64 / 1e6)?;
        Ok(Outcome {
            figures: vec![100.0 - 100.0 * trial.loss()],
            cost,
            payload: trial.received() * LENGTH as u64,
        })
    }
}
