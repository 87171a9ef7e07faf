//! Containers that come to a network, and go.

use anyhow::Result;

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::site::Site;

/// All namespaces that wait, one after the other; once, however long a run is to last.
#[derive(Debug)]
pub(crate) struct Attach;

impl Load for Attach {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::lower(", all attached", "ms"),
                Metric::lower(", the last one's ping answered", "ms"),
                Metric::lower(", all detached", "ms"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "container"
    }

    fn run(&self, site: &Site<'_>, _seconds: u32) -> Result<Outcome> {
        let attacher = site.attacher()?;
        let containers = mega(attacher.count as u64) * 1e6;
        let (times, cost) = site.metered(|| attacher.run(), |_| containers)?;
        Ok(Outcome {
            figures: vec![times.attached, times.answered, times.detached],
            cost,
            payload: 0,
        })
    }
}
