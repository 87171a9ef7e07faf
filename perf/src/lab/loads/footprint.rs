//! What a switch takes when it has nothing to do.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::ProcessFigures;

use super::mega;
use crate::lab::load::{Load, Metric, Outcome};
use crate::lab::peer::Peer;
use crate::lab::site::Site;

/// Nothing: all ports idle.
///
/// Memory is what all ports but two took when they came; the kernel's is that of the whole machine, so it
/// wants a machine where nothing else begins or ends meanwhile.
#[derive(Debug)]
pub(crate) struct Footprint;

impl Load for Footprint {
    fn metrics(&self) -> &'static [Metric] {
        const {
            &[
                Metric::lower(", the processes", "KiB resident a port"),
                // Slabs that cannot be reclaimed, memory for each processor, vmalloc.
                Metric::lower(", the kernel", "KiB a port"),
                Metric::lower(", the processes", "descriptors a port"),
                Metric::lower(", the processes", "threads"),
                Metric::lower(", the idle processes", "% of a core"),
            ]
        }
    }

    fn work(&self) -> &'static str {
        "s"
    }

    fn misses(&self, peer: &Peer) -> Option<&'static str> {
        let looked = peer.growth.is_some();
        (!looked).then_some("nobody looked at its memory while its ports came")
    }

    fn run(&self, site: &Site<'_>, seconds: u32) -> Result<Outcome> {
        let growth = site.growth()?;
        let processes = site.processes();
        let idle = || -> Result<f64> {
            let before = spent(processes)?;
            sleep(Duration::from_secs(u64::from(seconds)));
            Ok(spent(processes)? - before)
        };
        let (spent, cost) = site.metered(idle, |_| f64::from(seconds))?;
        let mut threads = 0;
        for pid in processes {
            threads += ProcessFigures::of(*pid)?.threads;
        }
        Ok(Outcome {
            figures: vec![
                growth.each(growth.resident_kib),
                growth.each(growth.kernel_kib),
                growth.each(growth.descriptors),
                mega(threads as u64) * 1e6,
                100.0 * spent / f64::from(seconds),
            ],
            cost,
            payload: 0,
        })
    }
}

/// Processor seconds of all threads that live: the kernel counts these in nanoseconds, and those of whole
/// processes in steps of 10 ms, which is too coarse for idle ones.
fn spent(processes: &[u32]) -> Result<f64> {
    let mut nanoseconds = 0;
    for pid in processes {
        let folder = format!("/proc/{pid}/task");
        let tasks = fs::read_dir(&folder).with_context(|| format!("read {folder}"))?;
        for task in tasks {
            // A thread may end in between.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            let on_processor = text.split(' ').next().unwrap_or_default();
            nanoseconds += on_processor.parse::<u64>().unwrap_or_default();
        }
    }
    Ok(mega(nanoseconds) / 1e3)
}
