//! How many addresses a switch remembers (RFC 2889 §5.7).

use anyhow::Result;

use super::{LEARNING, LENGTH, TEST, ask};
use crate::lab::frames::{Rig, Stations, highest};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// The most addresses of which none is flooded for.
///
/// Every trial takes the first so many of the same addresses, so what is left from a trial with more, if anything,
/// helps none to pass: each teaches its addresses again. That saves the wait for their ageing.
#[derive(Debug)]
pub(in crate::lab) struct Caching {
    /// The most that are tried.
    pub(in crate::lab) limit: u32,
}

impl Load for Caching {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher("", "addresses"),
                Metric::lower(", flooded at the most that was tried", "%"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, _: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let (mut received, mut flooded) = (0, None);
        let mut trial = |count: u64| {
            let stations = Stations {
                first: 0,
                count: count as u32,
            };
            received += rig.teach(LEARNING, TEST, stations)?;
            let asked = ask(&rig, stations)?;
            received += asked.received();
            flooded.get_or_insert(100.0 * asked.flooded() as f64 / count as f64);
            Ok(asked.flooded() == 0)
        };
        let search = || highest(self.limit.into(), 0.0, &mut trial);
        let (most, mut cost) = site.metered(search, |_| 0.0)?;
        cost.work = received as f64 / 1e6;
        Ok(Outcome {
            figures: vec![most as f64, flooded.unwrap_or_default()],
            cost,
            payload: received * LENGTH as u64,
        })
    }
}
