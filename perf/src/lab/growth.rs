//! What each port of a switch costs in memory.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::ProcessFigures;

/// What a switch took for the ports that it had beyond two, when it was set up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Growth {
    /// How many these are.
    pub(crate) ports: u32,
    /// Resident memory of its processes, in KiB.
    pub(crate) resident_kib: f64,
    /// The kernel's memory, in KiB; of the whole machine, whoever used it meanwhile.
    pub(crate) kernel_kib: f64,
    /// Descriptors of its processes.
    pub(crate) descriptors: f64,
}

/// How long what was begun may take to come to an end, such as memory that is freed after a grace period of RCU.
const SETTLED: Duration = Duration::from_secs(1);

impl Growth {
    /// Connects all of `containers`, and looks at the machine when there are two and when there are all.
    /// None, and no time spent, if there are only two.
    ///
    /// # Errors
    /// Those of `connect`, or if a process has ended.
    pub(crate) fn watch<C>(
        containers: impl IntoIterator<Item = C>,
        processes: &[u32],
        mut connect: impl FnMut(C) -> Result<()>,
    ) -> Result<Option<Self>> {
        let mut containers = containers.into_iter();
        for container in containers.by_ref().take(2) {
            connect(container)?;
        }
        let mut containers = containers.peekable();
        if containers.peek().is_none() {
            return Ok(None);
        }
        let before = Reading::take(processes)?;
        let mut ports = 0;
        for container in containers {
            connect(container)?;
            ports += 1;
        }
        let after = Reading::take(processes)?;
        Ok(Some(Self {
            ports,
            resident_kib: after.resident_kib - before.resident_kib,
            kernel_kib: after.kernel_kib - before.kernel_kib,
            descriptors: after.descriptors - before.descriptors,
        }))
    }

    /// A share of one of these figures.
    pub(crate) fn each(&self, figure: f64) -> f64 {
        figure / f64::from(self.ports)
    }
}

struct Reading {
    resident_kib: f64,
    kernel_kib: f64,
    descriptors: f64,
}

impl Reading {
    fn take(processes: &[u32]) -> Result<Self> {
        sleep(SETTLED);
        let meminfo = fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
        let mut reading = Self {
            resident_kib: 0.0,
            kernel_kib: kernel_kib(&meminfo)?,
            descriptors: 0.0,
        };
        for pid in processes {
            let figures = ProcessFigures::of(*pid)?;
            reading.resident_kib += exact(figures.resident_kib);
            reading.descriptors += exact(figures.descriptors as u64);
        }
        Ok(reading)
    }
}

/// What the kernel has for its own use and nobody can take away, of proc(5)'s `meminfo`: slabs but those that are
/// caches, memory for each processor, what is mapped in its address space.
fn kernel_kib(meminfo: &str) -> Result<f64> {
    let mut sum = 0.0;
    for label in ["SUnreclaim:", "Percpu:", "VmallocUsed:"] {
        let mut lines = meminfo.lines();
        let line = lines.find_map(|line| line.strip_prefix(label));
        let line = line.with_context(|| format!("/proc/meminfo has no {label}"))?;
        sum += line.trim().trim_end_matches(" kB").parse::<f64>()?;
    }
    Ok(sum)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of KiB and descriptors are far below 2^52"
)]
fn exact(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_memory_is_what_cannot_be_reclaimed() {
        let meminfo = "SReclaimable:    100 kB\nSUnreclaim:   20 kB\nVmallocTotal: 999 kB\nVmallocUsed:  3 kB\nPercpu:  400 kB\n";
        assert_eq!(kernel_kib(meminfo).unwrap(), 423.0);
        assert!(kernel_kib("SUnreclaim: 1 kB\n").is_err());
    }

    #[test]
    fn two_ports_are_no_growth() {
        let mut connected = 0;
        let connect = |_| {
            connected += 1;
            Ok(())
        };
        assert_eq!(Growth::watch(0..2, &[], connect).unwrap(), None);
        assert_eq!(connected, 2);
    }

    #[test]
    fn what_is_beyond_two_ports_has_grown() {
        let growth = Growth::watch(0..5, &[], |_| Ok(())).unwrap().unwrap();
        assert_eq!((growth.ports, growth.resident_kib), (3, 0.0));
        assert_eq!(growth.each(6.0), 2.0);
    }
}
