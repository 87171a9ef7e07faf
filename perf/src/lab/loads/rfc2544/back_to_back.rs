//! How long a burst may be (RFC 2544 §26.4, RFC 9004).

use anyhow::Result;

use super::one_way;
use crate::lab::frames::{Phase, Rig, highest};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// The longest burst at the tester's highest rate of which nothing is lost.
#[derive(Debug)]
pub(in crate::lab) struct BackToBack {
    /// Octets of a frame, with its check sequence.
    pub(in crate::lab) length: usize,
}

/// A burst of which nothing is lost is no burst but a load that can be carried for ever.
const LONGEST: u64 = 1 << 19;
/// How near the search comes, as a share of the length.
const TOLERANCE: f64 = 0.02;

impl Load for BackToBack {
    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::higher(", at most 524288", "frames")] }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, _: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let burst = |frames| rig.trial(&one_way(self.length, Phase::counting(None, frames)));
        let search = || {
            let mut received = 0;
            let longest = highest(LONGEST, TOLERANCE, |frames| {
                let trial = burst(frames)?;
                received += trial.received();
                Ok(trial.lost() == 0)
            })?;
            Ok((longest, received))
        };
        let ((longest, received), cost) =
            site.metered(search, |(_, received)| *received as f64 / 1e6)?;
        Ok(Outcome {
            figures: vec![longest as f64],
            cost,
            payload: received * self.length as u64,
        })
    }
}
