//! One connection after the other, by [`crate::connections`].

use anyhow::Result;

use super::mega;
use crate::connections;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// New connections over TCP, several at a time.
#[derive(Debug)]
pub(crate) struct Connections;

/// Where the server listens.
pub(super) const PORT: u16 = 11112;

impl Load for Connections {
    fn metrics(&self) -> &'static [Metric] {
        const { &[Metric::higher("", "a second")] }
    }

    fn work(&self) -> &'static str {
        "1000 connections"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let connect = || -> Result<connections::Connections> {
            let printed = site.path.run_ourselves("connections", PORT, seconds)?;
            Ok(serde_json::from_str(&printed)?)
        };
        let (made, cost) = site.metered(connect, |made| mega(made.count) * 1e3)?;
        Ok(Outcome {
            figures: vec![cost.work * 1e3 / made.seconds],
            cost,
            // One there, one back.
            payload: 2 * made.count,
        })
    }
}
