//! Fully meshed throughput and forwarding rate (RFC 2889 §5.1, §5.6).

use std::time::Duration;

use anyhow::Result;

use super::{LENGTH, full_mesh};
use crate::lab::frames::{Phase, Rig, most, seek};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// Every port sends to every other one.
#[derive(Debug)]
pub(in crate::lab) struct Mesh;

impl Load for Mesh {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher(", all ports", "k frames/s"),
                Metric::higher(", maximum forwarding rate", "k frames/s"),
                Metric::lower(", lost at full load", "%"),
                Metric::lower(", flooded", "frames"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let time = Duration::from_secs(seconds.into());
        let mesh = |phase| full_mesh(rig.ports(), phase);
        let found = seek(site, &rig, time, mesh)?;
        let full_load = rig.trial(&mesh(Phase::lasting(None, time)))?;
        let (most, _) = most(site, &rig, time, mesh)?;
        Ok(Outcome {
            figures: vec![
                found.frames_a_second() / 1e3,
                most.received_rate() / 1e3,
                100.0 * full_load.loss(),
                (found.trial.flooded() + full_load.flooded() + most.flooded()) as f64,
            ],
            cost: found.cost,
            payload: found.trial.received() * LENGTH as u64,
        })
    }
}
