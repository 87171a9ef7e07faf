//! One container after the other, by Docker.

use anyhow::Result;

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;
use crate::lab::summary::median;

/// Containers that are started, heard of, and removed.
#[derive(Debug)]
pub(crate) struct Containers;

impl Load for Containers {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::lower(" run to the first ping answered, median", "ms"),
                Metric::lower(" rm --force, median", "ms"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "container"
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let engine = site.engine()?;
        let (lives, cost) = site.metered(
            || engine.run_containers(seconds),
            |lives| mega(lives.until_removed.len() as u64) * 1e6,
        )?;
        Ok(Outcome {
            figures: vec![
                median(lives.until_answered.into_iter()),
                median(lives.until_removed.into_iter()),
            ],
            cost,
            payload: 0,
        })
    }
}
