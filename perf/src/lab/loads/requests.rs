//! Requests over connections that stay, by [`crate::requests`].

use anyhow::Result;

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;
use crate::requests::{self, ANSWER, REQUEST};

/// Requests and answers, over several connections at a time.
#[derive(Debug)]
pub(crate) struct Requests;

/// Where the server listens.
pub(super) const PORT: u16 = 11113;

impl Load for Requests {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher("", "a second"),
                Metric::lower(", latency, median", "µs"),
                Metric::lower(", latency, p99", "µs"),
                Metric::lower(", latency, p99.9", "µs"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "M requests"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let ask = || -> Result<requests::Requests> {
            let printed = site.path.run_ourselves("requests", PORT, seconds)?;
            Ok(serde_json::from_str(&printed)?)
        };
        let (done, cost) = site.metered(ask, |done| mega(done.count))?;
        let latency = done.latency;
        Ok(Outcome {
            figures: vec![
                done.per_second,
                2.0 * latency.median,
                2.0 * latency.p99,
                2.0 * latency.p999,
            ],
            cost,
            payload: done.count * (REQUEST + ANSWER) as u64,
        })
    }
}
