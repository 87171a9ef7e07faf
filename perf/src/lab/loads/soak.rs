//! A steady load for a long time (RFC 8204 §4: reliability).

use std::time::Duration;

use anyhow::Result;
use vswitch_e2e::ProcessFigures;

use crate::lab::frames::{Phase, Rig, Stream, seek};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// Half of what the switch can carry without loss.
#[derive(Debug)]
pub(crate) struct Soak {
    /// For how many times the length of a run.
    pub(crate) runs: u32,
}

const LENGTH: usize = 60;
const SHARE: f64 = 0.5;
/// What the rate is taken from.
const SEARCH: Duration = Duration::from_secs(1);

impl Load for Soak {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher(", half of the throughput", "k frames/s"),
                Metric::lower(", lost", "ppm"),
                Metric::lower(", out of order", "ppm"),
                Metric::lower(", latency, p99", "µs"),
                Metric::lower(", delay variation, p99.9", "µs"),
                Metric::lower(", memory that its processes gained", "KiB"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let stream = |phase| vec![Stream::new(0, 1, LENGTH, phase)];
        let throughput = seek(site, &rig, SEARCH, stream)?.frames_a_second();
        let rate = (throughput * SHARE).max(1.0) as u64;
        let time = Duration::from_secs(u64::from(seconds) * u64::from(self.runs));
        let before = resident(site)?;
        let run = || rig.trial(&stream(Phase::lasting(Some(rate), time)));
        let (trial, cost) = site.metered(run, |trial| trial.received() as f64 / 1e6)?;
        let latency = trial.latency();
        let ppm = |frames: u64| 1e6 * frames as f64 / trial.expected().max(1) as f64;
        Ok(Outcome {
            figures: vec![
                trial.offered_rate() / 1e3,
                ppm(trial.lost()),
                ppm(trial.out_of_order()),
                latency.microseconds(0.99),
                latency.variation(0.999),
                resident(site)? - before,
            ],
            cost,
            payload: trial.received() * LENGTH as u64,
        })
    }
}

/// KiB of all processes that switch.
fn resident(site: &Site<'_>) -> Result<f64> {
    let mut sum = 0.0;
    for process in site.processes() {
        sum += ProcessFigures::of(*process)?.resident_kib as f64;
    }
    Ok(sum)
}
