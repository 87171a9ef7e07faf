//! The highest rate at which nothing is lost (RFC 2544 §26.1), and that at which most arrives (RFC 2889 §5.6).

use std::time::Duration;

use anyhow::Result;

use super::rig::Rig;
use super::search::highest;
use super::stream::{Phase, Stream};
use super::trial::Trial;
use crate::lab::load::Cost;
use crate::lab::site::Site;

/// What a search found.
pub(in crate::lab) struct Throughput {
    /// Frames a second of one stream; none if every rate loses something.
    pub(in crate::lab) rate: Option<u64>,
    /// The most that the tester could send, all streams together.
    pub(in crate::lab) limit: f64,
    /// The trial that the rate stands on, of the full length; the last that failed if none passed.
    pub(in crate::lab) trial: Trial,
    /// What that trial took.
    pub(in crate::lab) cost: Cost,
}

/// The longest trial of the search itself. Only the final one has to be of full length (RFC 2544 §24).
const SEARCHING: Duration = Duration::from_millis(500);
/// How near the search comes, as a share of the rate.
const TOLERANCE: f64 = 0.02;
/// Where a rate passed briefly and fails for the full length, how far the next is below it, and how often.
const STEP_DOWN: f64 = 0.93;
const STEPS_DOWN: u32 = 20;

impl Throughput {
    /// Frames a second at which nothing was lost, all streams together; 0 if every rate loses something.
    pub(in crate::lab) fn frames_a_second(&self) -> f64 {
        self.rate.map_or(0.0, |_| self.trial.offered_rate())
    }
}

/// Searches it for streams that are made for a phase each.
///
/// # Errors
/// If a port fails.
pub(in crate::lab) fn seek(
    site: &Site<'_>,
    rig: &Rig,
    time: Duration,
    streams: impl Fn(Phase) -> Vec<Stream>,
) -> Result<Throughput> {
    let brief = time.min(SEARCHING);
    let flat_out = streams(Phase::lasting(None, brief));
    let count = flat_out.len() as f64;
    // What is there at the first frame, such as a sleeping processor, is not what is measured.
    rig.trial(&flat_out)?;
    let limit = rig.trial(&flat_out)?.offered_rate();
    let limit_of_one = (limit / count) as u64;
    // At its limit, the tester does not sleep.
    let phase = |rate: u64, time| Phase::lasting((rate < limit_of_one).then_some(rate), time);
    let mut rate = highest(limit_of_one, TOLERANCE, |rate| {
        Ok(rig.trial(&streams(phase(rate, brief)))?.lost() == 0)
    })?;
    let mut steps_left = STEPS_DOWN;
    loop {
        rate = rate.max(1);
        let run = || rig.trial(&streams(phase(rate, time)));
        let (trial, cost) = site.metered(run, |trial| trial.received() as f64 / 1e6)?;
        let passed = trial.lost() == 0;
        if passed || steps_left == 0 {
            return Ok(Throughput {
                rate: passed.then_some(rate),
                limit,
                trial,
                cost,
            });
        }
        rate = (rate as f64 * STEP_DOWN) as u64;
        steps_left -= 1;
    }
}

/// Searches the rate at which most arrives, whatever is lost, from the tester's highest down; returns a trial of
/// the full length at it, and what that took.
///
/// # Errors
/// If a port fails.
pub(in crate::lab) fn most(
    site: &Site<'_>,
    rig: &Rig,
    time: Duration,
    streams: impl Fn(Phase) -> Vec<Stream>,
) -> Result<(Trial, Cost)> {
    const STEP: f64 = 0.75;
    let brief = time.min(SEARCHING);
    let flat_out = streams(Phase::lasting(None, brief));
    rig.trial(&flat_out)?;
    let first = rig.trial(&flat_out)?;
    let mut best = (None, first.received_rate());
    let mut rate = first.offered_rate() * STEP;
    // Of what is less than the best, no more can arrive.
    while rate > best.1 {
        let of_one = Some((rate / flat_out.len() as f64) as u64);
        let arrived = rig.trial(&streams(Phase::lasting(of_one, brief)))?;
        if arrived.received_rate() > best.1 {
            best = (of_one, arrived.received_rate());
        }
        rate *= STEP;
    }
    let run = || rig.trial(&streams(Phase::lasting(best.0, time)));
    site.metered(run, |trial| trial.received() as f64 / 1e6)
}
