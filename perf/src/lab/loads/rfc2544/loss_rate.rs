//! How much is lost above the throughput (RFC 2544 §26.3).

use std::time::Duration;

use anyhow::Result;

use super::one_way;
use crate::lab::frames::{Phase, Rig};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// From the tester's highest rate down by tenths of it, until two in a row lose nothing.
#[derive(Debug)]
pub(in crate::lab) struct LossRate {
    /// Octets of a frame, with its check sequence.
    pub(in crate::lab) length: usize,
}

impl Load for LossRate {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher(", offered at 100 %", "k frames/s"),
                Metric::higher(", delivered at 100 %", "k frames/s"),
                Metric::lower(", lost at 100 %", "%"),
                Metric::higher(", first of two steps without loss", "k frames/s"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let time = Duration::from_secs(seconds.into());
        let trial = |rate| rig.trial(&one_way(self.length, Phase::lasting(rate, time)));
        let (flat_out, cost) =
            site.metered(|| trial(None), |trial| trial.received() as f64 / 1e6)?;
        let mut steps = vec![(flat_out.offered_rate(), flat_out.lost())];
        for tenths in (1..10).rev() {
            if first_clean(&steps).is_some() {
                break;
            }
            let rate = flat_out.offered_rate() * f64::from(tenths) / 10.0;
            let step = trial(Some(rate as u64))?;
            steps.push((step.offered_rate(), step.lost()));
        }
        Ok(Outcome {
            figures: vec![
                flat_out.offered_rate() / 1e3,
                flat_out.received_rate() / 1e3,
                100.0 * flat_out.loss(),
                first_clean(&steps).unwrap_or_default() / 1e3,
            ],
            cost,
            payload: flat_out.received() * self.length as u64,
        })
    }
}

/// The rate of the first of two steps in a row, each a rate and what was lost, that lost nothing.
fn first_clean(steps: &[(f64, u64)]) -> Option<f64> {
    let clean = |pair: &&[(f64, u64)]| pair.iter().all(|(_, lost)| *lost == 0);
    Some(steps.windows(2).find(clean)?[0].0)
}

#[cfg(test)]
mod tests {
    use super::first_clean;

    #[test]
    fn a_single_step_without_loss_is_not_enough() {
        let steps = [(10.0, 3), (9.0, 0), (8.0, 1), (7.0, 0), (6.0, 0)];
        assert_eq!(first_clean(&steps[..4]), None);
        assert_eq!(first_clean(&steps), Some(7.0));
        assert_eq!(first_clean(&[(10.0, 0)]), None);
    }
}
