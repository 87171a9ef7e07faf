//! Throughput, and the latency at it (RFC 2544 §26.1, §26.2).

use std::time::Duration;

use anyhow::Result;

use super::one_way;
use crate::lab::frames::{Rig, seek};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// The highest rate at which nothing is lost.
#[derive(Debug)]
pub(in crate::lab) struct FrameThroughput {
    /// Octets of a frame, with its check sequence.
    pub(in crate::lab) length: usize,
}

impl Load for FrameThroughput {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher("", "k frames/s"),
                Metric::higher(", the tester's highest rate", "k frames/s"),
                Metric::lower(", latency at it, median", "µs"),
                Metric::lower(", latency at it, p99", "µs"),
                Metric::lower(", latency at it, p99.9", "µs"),
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
        let latency = found.trial.latency();
        Ok(Outcome {
            figures: vec![
                found.frames_a_second() / 1e3,
                found.limit / 1e3,
                latency.microseconds(0.5),
                latency.microseconds(0.99),
                latency.microseconds(0.999),
            ],
            cost: found.cost,
            payload: found.trial.received() * self.length as u64,
        })
    }
}
