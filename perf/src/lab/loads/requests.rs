//! Requests over connections that stay, by ourselves.

use anyhow::Result;

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;
use crate::traffic::{self, Exchange, Traffic};

/// Requests and answers, over several connections at a time.
#[derive(Debug)]
pub(crate) struct Requests;

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
        let ask = || site.path.measure(Traffic::Requests, seconds);
        let (done, cost) = site.metered(ask, |done: &traffic::Requests| mega(done.count))?;
        let latency = done.latency;
        Ok(Outcome {
            figures: vec![
                done.per_second,
                2.0 * latency.median,
                2.0 * latency.p99,
                2.0 * latency.p999,
            ],
            cost,
            payload: done.count * Exchange::REQUESTS.octets(),
        })
    }
}
