//! Where the figures come from: without it they mean nothing (RFC 8204 §3).

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Serialize;

use super::processor::ProcessorTime;

/// The machine that the lab runs on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Machine {
    /// Release of the kernel.
    pub(crate) kernel: String,
    /// The processor's name.
    pub(crate) processor: String,
    /// Processors that this process may use.
    pub(crate) cores: usize,
    /// Memory in GiB, rounded.
    pub(crate) memory_gib: u64,
    /// Processors that others kept busy before the first run; 0 to `cores`.
    pub(crate) busy_with_others: f64,
}

impl Machine {
    /// Asks the kernel.
    ///
    /// # Errors
    /// If `/proc` is not there.
    pub(crate) fn read() -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("read {path}"));
        let value = |text: &str, label: &str| {
            let line = text.lines().find(|line| line.starts_with(label))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = value(&read("/proc/meminfo")?, "MemTotal");
        let memory = memory.context("/proc/meminfo has no MemTotal")?;
        let kib: u64 = memory.trim_end_matches(" kB").parse()?;
        Ok(Self {
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            // Not every architecture names its processors.
            processor: value(&read("/proc/cpuinfo")?, "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: thread::available_parallelism()?.get(),
            memory_gib: (kib + (1 << 19)) >> 20,
            busy_with_others: busy()?,
        })
    }
}

fn busy() -> Result<f64> {
    let (before, start) = (ProcessorTime::read(&[])?, Instant::now());
    thread::sleep(Duration::from_secs(1));
    let spent = ProcessorTime::read(&[])?.since(before).machine;
    Ok(spent / start.elapsed().as_secs_f64())
}
