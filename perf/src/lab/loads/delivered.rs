//! The most that arrives of frames of many flows or stations, whatever is lost beside it.

use std::time::Duration;

use anyhow::Result;

use crate::lab::frames::{Rig, Stations, Stream, Variety, most};
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// Small frames from a port to another, at the rate at which most arrive (RFC 2889 §5.6: the maximum forwarding rate).
#[derive(Debug)]
pub(crate) struct Delivered {
    /// How they differ.
    pub(crate) among: Among,
}

/// How frames differ, each in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Among {
    /// In their UDP ports.
    Flows(u32),
    /// In their MAC addresses: from one half of so many stations to the other half.
    Stations(u32),
}

const LENGTH: usize = 60;

impl Load for Delivered {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher("", "k frames/s"),
                Metric::lower(", lost beside it", "% of what was sent"),
                Metric::lower(", flooded", "frames"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M frames"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let rig = Rig::open(site)?;
        let variety = match self.among {
            Among::Flows(flows) => Variety::Flows(flows),
            Among::Stations(stations) => {
                let [near, far] = halves(stations);
                rig.teach(0, 1, near)?;
                rig.teach(1, 0, far)?;
                Variety::FromTo(near, far)
            }
        };
        let time = Duration::from_secs(seconds.into());
        let (trial, cost) = most(site, &rig, time, |phase| {
            let mut stream = Stream::new(0, 1, LENGTH, phase);
            stream.variety = variety;
            vec![stream]
        })?;
        Ok(Outcome {
            figures: vec![
                trial.received_rate() / 1e3,
                100.0 * trial.loss(),
                trial.flooded() as f64,
            ],
            cost,
            payload: trial.received() * LENGTH as u64,
        })
    }
}

fn halves(stations: u32) -> [Stations; 2] {
    let count = stations / 2;
    // Behind those of the tests of the table, which another switch of the lab may still have.
    [0, count].map(|place| Stations {
        first: (1 << 23) + place,
        count,
    })
}

#[cfg(test)]
mod tests {
    use super::halves;

    #[test]
    fn the_two_halves_share_no_station() {
        let [near, far] = halves(100_000);
        assert_eq!((near.count, far.count), (50_000, 50_000));
        assert_eq!(near.first + near.count, far.first);
    }
}
