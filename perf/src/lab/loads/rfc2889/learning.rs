//! How fast a switch learns addresses (RFC 2889 §5.8).

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use super::{LEARNING, LENGTH, TEST, ask};
use crate::lab::frames::{Phase, Rig, Stations, Stream, Trial, Variety, highest};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// The highest rate of new addresses of which none is flooded for afterwards.
#[derive(Debug)]
pub(in crate::lab) struct Learning {
    /// How many addresses are learned at that rate.
    pub(in crate::lab) addresses: u32,
}

/// Nobody sends faster from here.
const FASTEST: u64 = 2_000_000;
/// How near the search comes, as a share of the rate.
const TOLERANCE: f64 = 0.05;

/// Addresses that no trial has taken yet; a switch learns each only once. Far from those of other loads.
static FRESH: AtomicU32 = AtomicU32::new(1 << 24);

impl Load for Learning {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[Metric::higher(
                ", at most what the tester can send",
                "k addresses/s",
            )]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, _: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let (mut received, mut best) = (0, 0.0_f64);
        let mut trial = |rate| {
            let stations = Stations {
                first: FRESH.fetch_add(self.addresses, Ordering::Relaxed),
                count: self.addresses,
            };
            let learned = learn(&rig, stations, rate)?;
            let asked = ask(&rig, stations)?;
            received += learned.received() + asked.received();
            let passed = asked.flooded() == 0;
            if passed {
                best = best.max(learned.offered_rate());
            }
            Ok(passed)
        };
        let search = || highest(FASTEST, TOLERANCE, &mut trial);
        let (_, mut cost) = site.metered(search, |_| 0.0)?;
        cost.work = received as f64 / 1e6;
        Ok(Outcome {
            figures: vec![best / 1e3],
            cost,
            payload: received * LENGTH as u64,
        })
    }
}

/// Frames to the test port from each of the addresses.
fn learn(rig: &Rig, stations: Stations, rate: u64) -> Result<Trial> {
    let phase = Phase::counting(Some(rate), stations.count.into());
    let mut stream = Stream::new(LEARNING, TEST, LENGTH, phase);
    stream.variety = Variety::From(stations);
    rig.trial(&[stream])
}
