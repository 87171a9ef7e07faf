//! One connection after the other, by ourselves.

use anyhow::Result;

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;
use crate::traffic::{self, Traffic};

/// New connections over TCP, several at a time.
#[derive(Debug)]
pub(crate) struct Connections;

impl Load for Connections {
    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::higher("", "a second")] }
    }

    fn work(&self) -> &'static str {
        "1000 connections"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let connect = || site.path.measure(Traffic::Connections, seconds);
        let thousands = |made: &traffic::Connections| mega(made.count) * 1e3;
        let (made, cost) = site.metered(connect, thousands)?;
        Ok(Outcome {
            figures: vec![cost.work * 1e3 / made.seconds],
            cost,
            // One there, one back.
            payload: 2 * made.count,
        })
    }
}
