//! Processor time, of the whole machine and of some processes.

use std::fs;

use anyhow::{Context, Result};
use vswitch_e2e::ProcessFigures;

/// A reading, in seconds since some moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessorTime {
    /// All processors, everything but idling.
    pub(crate) machine: f64,
    /// The processes that switch, together; none if the kernel does.
    pub(crate) switch: Option<f64>,
}

impl ProcessorTime {
    pub(crate) fn read(processes: &[u32]) -> Result<Self> {
        let stat = fs::read_to_string("/proc/stat").context("read /proc/stat")?;
        let mut switch = 0.0;
        for pid in processes {
            switch += ProcessFigures::of(*pid)?.processor.as_secs_f64();
        }
        Ok(Self {
            machine: busy(&stat)?,
            switch: (!processes.is_empty()).then_some(switch),
        })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            machine: self.machine - before.machine,
            switch: self.switch.zip(before.switch).map(|(now, then)| now - then),
        }
    }
}

/// proc(5): user, nice, system, idle, iowait, irq, softirq, in ticks of 1/100 s.
fn busy(stat: &str) -> Result<f64> {
    let line = stat
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu"));
    let fields = line.context("/proc/stat does not begin with cpu")?;
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [user, nice, system, _, _, irq, softirq, ..] = ticks[..] else {
        anyhow::bail!("/proc/stat is short");
    };
    Ok((user + nice + system + irq + softirq) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_not_busy() {
        let stat = "cpu  100 20 300 9999 50 4 6 7 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy(stat).unwrap(), 4.3);
        assert!(busy("intr 1 2 3").is_err());
    }
}
