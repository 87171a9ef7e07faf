//! What came of a lab, as it is stored, and read again for another table or plot.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::skipped::Skipped;
use super::summary::Summary;
use super::switch::Switch;

/// Everything that is known of a lab; in a file, it is JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Where.
    pub(crate) machine: Machine,
    /// Length of a run.
    pub(crate) seconds: u32,
    /// Runs of each case through each switch.
    pub(crate) repeats: u32,
    /// What was compared.
    pub(crate) switches: Vec<Switch>,
    /// What could not be.
    pub(crate) skipped: Vec<Skipped>,
    /// The figures: those of one case together, those of one figure beside each other, the first of which
    /// is the one that the others are measured by.
    pub(crate) results: Vec<Summary>,
}

impl Record {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or was not written by [`Self::write`].
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        let not_ours = || {
            let path = path.display();
            format!("{path} is not what this program's `perf lab --json` writes")
        };
        serde_json::from_str(&text).with_context(not_ours)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::lab::load::Better;
    use crate::lab::summary::compare;

    /// Two switches, a throughput, a latency and a condition of one case.
    pub(in crate::lab) fn sample() -> Record {
        let summary = |peer: &str, title: &str, better, runs: &[f64]| Summary {
            group: "switching".to_owned(),
            case: "tcp1".to_owned(),
            case_title: "TCP".to_owned(),
            title: format!("TCP & <more>{title}"),
            unit: "Gbit/s".to_owned(),
            better,
            peer: peer.to_owned(),
            peer_title: format!("{peer} switch"),
            runs: runs.to_owned(),
            median: runs[1],
            ratio: None,
            work: "GB".to_owned(),
            machine_seconds: 0.5,
            machine_runs: vec![0.25, 0.5, 0.75],
            switch_seconds: None,
            switch_runs: None,
        };
        let of_switch = |peer, factor: f64| {
            let times = |figures: [f64; 3]| figures.map(|figure| figure * factor);
            [
                summary(peer, "", Better::Higher, &times([8.0, 10.0, 12.0])),
                summary(peer, ", p99", Better::Lower, &times([9.0, 20.0, 21.0])),
                summary(peer, ", sent", Better::Neither, &[1.0; 3]),
            ]
        };
        let mut results = [of_switch("standard", 1.0), of_switch("ours", 0.5)].concat();
        compare(&mut results);
        Record {
            machine: Machine::sample(),
            seconds: 3,
            repeats: 3,
            switches: vec![Switch {
                title: "ours switch".to_owned(),
                version: Some("1.2".to_owned()),
                interface: None,
            }],
            skipped: vec![Skipped {
                peer: "absent".to_owned(),
                reason: "it is missing".to_owned(),
            }],
            results,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let record = sample();
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}
