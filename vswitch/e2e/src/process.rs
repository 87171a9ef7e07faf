//! What a process uses.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A reading of `/proc/PID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Open file descriptors.
    pub descriptors: usize,
    /// Resident memory in KiB.
    pub resident_kib: u64,
    /// Time on a processor, of all threads, those that ended too; in steps of 10 ms.
    pub processor: Duration,
    /// How often its threads fell asleep of their own will, of those that live.
    pub sleeps: u64,
    /// Threads.
    pub threads: usize,
}

impl ProcessFigures {
    /// Reads the figures of a process.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn of(pid: u32) -> Result<Self> {
        let folder = format!("/proc/{pid}");
        let read = |name: &str| {
            fs::read_to_string(format!("{folder}/{name}"))
                .with_context(|| format!("read {folder}/{name}"))
        };
        let stat = read("stat")?;
        // proc(5): the second field is the name in parentheses, and may contain anything.
        let after_name = stat.rsplit_once(')').context("/proc/PID/stat")?.1;
        let field = |number: usize| -> Result<u64> {
            let text = after_name.split_whitespace().nth(number - 3);
            Ok(text.context("/proc/PID/stat is short")?.parse()?)
        };
        let mut sleeps = 0;
        let mut threads = 0;
        for task in fs::read_dir(format!("{folder}/task"))? {
            let status = task?.path().join("status");
            // A thread may end in between.
            let Ok(text) = fs::read_to_string(status) else {
                continue;
            };
            sleeps += labelled(&text, "voluntary_ctxt_switches:")?;
            threads += 1;
        }
        Ok(Self {
            descriptors: fs::read_dir(format!("{folder}/fd"))?.count(),
            resident_kib: labelled(&read("status")?, "VmRSS:")?,
            // utime and stime, in ticks of 1/100 s on every Linux.
            processor: Duration::from_millis(10 * (field(14)? + field(15)?)),
            sleeps,
            threads,
        })
    }
}

impl fmt::Display for ProcessFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} descriptors, {} threads, {:.1} MiB",
            self.descriptors,
            self.threads,
            self.resident_kib as f64 / 1024.0
        )
    }
}

fn labelled(text: &str, label: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    Ok(number.with_context(|| format!("no {label}"))?.parse()?)
}
