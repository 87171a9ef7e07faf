//! Broadcast: throughput and latency (RFC 2889 §5.10).

use std::time::Duration;

use anyhow::Result;

use super::LENGTH;
use crate::lab::frames::{Aim, Rig, Stream, seek};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// One port sends to all others by one address.
#[derive(Debug)]
pub(in crate::lab) struct Broadcast;

impl Load for Broadcast {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher(", sent", "k frames/s"),
                Metric::lower(", latency at it, median", "µs"),
                Metric::lower(", latency at it, p99", "µs"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let time = Duration::from_secs(seconds.into());
        let found = seek(site, &rig, time, |phase| {
            vec![Stream {
                aim: Aim::Everybody,
                ..Stream::new(0, 0, LENGTH, phase)
            }]
        })?;
        let latency = found.trial.latency();
        Ok(Outcome {
            figures: vec![
                found.frames_a_second() / 1e3,
                latency.microseconds(0.5),
                latency.microseconds(0.99),
            ],
            cost: found.cost,
            payload: found.trial.received() * LENGTH as u64,
        })
    }
}
