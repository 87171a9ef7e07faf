//! What a case does to a switch, and what it counts. Each kind of load is a file in `loads/`.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::peer::Peer;
use super::site::Site;

/// Something that runs between the ends of a switch for a while.
pub(crate) trait Load: Sync {
    /// What it measures.
    fn metrics(&self) -> &'static [Metric];

    /// What the processor time is divided by, such as `GB`.
    fn work(&self) -> &'static str;

    /// What it misses in a switch, and cannot run without.
    fn misses(&self, _peer: &Peer) -> Option<&'static str> {
        None
    }

    /// Runs it once.
    ///
    /// # Errors
    /// If a generator fails, or nothing arrives.
    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome>;
}

/// One figure of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Metric {
    /// What it is, behind the title of the case; empty where that says all.
    pub(crate) detail: &'static str,
    /// Its unit.
    pub(crate) unit: &'static str,
    /// Which of two figures is the better one.
    pub(crate) better: Better,
}

/// Which of two figures is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// The higher, as with a throughput.
    Higher,
    /// The lower, as with a latency.
    Lower,
    /// Neither: it tells under what conditions the other figures came about.
    Neither,
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// One for each of [`Load::metrics`], in its unit.
    pub(crate) figures: Vec<f64>,
    /// What it took.
    pub(crate) cost: Cost,
    /// Octets of payload that arrived, all directions together.
    pub(crate) payload: u64,
}

/// Processor time, and what was carried for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// How much was carried, in the unit of [`Load::work`].
    pub(crate) work: f64,
    /// Processor seconds of the whole machine.
    pub(crate) machine_seconds: f64,
    /// Processor seconds of the switch's processes; none if the kernel switches.
    pub(crate) switch_seconds: Option<f64>,
}

impl Metric {
    /// A figure of which more is better.
    pub(crate) const fn higher(detail: &'static str, unit: &'static str) -> Self {
        Self {
            detail,
            unit,
            better: Better::Higher,
        }
    }

    /// A figure of which less is better.
    pub(crate) const fn lower(detail: &'static str, unit: &'static str) -> Self {
        Self {
            detail,
            unit,
            better: Better::Lower,
        }
    }

    /// A figure that nobody is measured by.
    pub(crate) const fn told(detail: &'static str, unit: &'static str) -> Self {
        Self {
            detail,
            unit,
            better: Better::Neither,
        }
    }
}
