//! Datagrams as QUIC sends them, by ourselves.

use anyhow::Result;

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;
use crate::traffic::{DATAGRAM, Goodput, Traffic};

/// One flow of datagrams that are handed over many at a time, and acknowledged.
#[derive(Debug)]
pub(crate) struct QuicLike;

impl Load for QuicLike {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::higher("", "Gbit/s"),
                Metric::lower(", lost", "% of what was sent"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "GB"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let octets = |goodput: &Goodput| goodput.arrived * DATAGRAM as u64;
        let send = || site.path.measure(Traffic::QuicLike, seconds);
        let (goodput, cost) = site.metered(send, |goodput| mega(octets(goodput)) / 1e3)?;
        let lost = goodput.sent - goodput.arrived;
        Ok(Outcome {
            figures: vec![
                goodput.bits_per_second / 1e9,
                100.0 * mega(lost) / mega(goodput.sent),
            ],
            cost,
            payload: octets(&goodput),
        })
    }
}
