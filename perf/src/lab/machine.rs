//! Where the figures come from: without it they mean nothing (RFC 8204 §3).

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::processor::ProcessorTime;
use super::switch::says;

/// The machine that the lab runs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// When the lab began (RFC 3339).
    pub(crate) date: String,
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
    /// What else the kernel and the programs tell; where they tell nothing, it is not there.
    pub(crate) details: Vec<Detail>,
}

/// One thing that figures may depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Detail {
    /// What.
    pub(crate) what: String,
    /// As its source has it.
    pub(crate) value: String,
}

/// What lscpu(1) knows, by its labels.
const LSCPU: &[&str] = &[
    "CPU family",
    "Model",
    "Stepping",
    "Thread(s) per core",
    "Core(s) per socket",
    "Socket(s)",
    "NUMA node(s)",
    "L1d cache",
    "L2 cache",
    "L3 cache",
    "Hypervisor vendor",
    "Virtualization type",
];

/// Files of one line.
const FILES: &[(&str, &str)] = &[
    ("Kernel build", "/proc/sys/kernel/version"),
    (
        "Clock source",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    ),
    (
        "Frequency driver",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver",
    ),
    (
        "Frequency governor",
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    ),
    (
        "Idle driver",
        "/sys/devices/system/cpu/cpuidle/current_driver",
    ),
    (
        "Idle governor",
        "/sys/devices/system/cpu/cpuidle/current_governor_ro",
    ),
    (
        "Transparent huge pages",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ),
    (
        "Congestion control",
        "/proc/sys/net/ipv4/tcp_congestion_control",
    ),
    ("Default qdisc", "/proc/sys/net/core/default_qdisc"),
    ("net.core.rmem_max", "/proc/sys/net/core/rmem_max"),
    ("net.core.wmem_max", "/proc/sys/net/core/wmem_max"),
    ("net.ipv4.tcp_rmem", "/proc/sys/net/ipv4/tcp_rmem"),
    ("net.ipv4.tcp_wmem", "/proc/sys/net/ipv4/tcp_wmem"),
];

const MITIGATIONS: &str = "/sys/devices/system/cpu/vulnerabilities";

/// Programs that make the loads.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("iperf3", &["--version"]),
    ("sockperf", &["--version"]),
    ("ip", &["-Version"]),
];

impl Machine {
    /// Asks the kernel, and the programs that the lab uses.
    ///
    /// # Errors
    /// If `/proc` is not there.
    pub(crate) fn read() -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).with_context(|| format!("read {path}"));
        let memory = value(&read("/proc/meminfo")?, "MemTotal");
        let memory = memory.context("/proc/meminfo has no MemTotal")?;
        let kib: u64 = memory.trim_end_matches(" kB").parse()?;
        let cpuinfo = read("/proc/cpuinfo")?;
        Ok(Self {
            date: jiff::Timestamp::now()
                .round(jiff::Unit::Second)?
                .to_string(),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            // Not every architecture names its processors.
            processor: value(&cpuinfo, "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: thread::available_parallelism()?.get(),
            memory_gib: (kib + (1 << 19)) >> 20,
            busy_with_others: busy()?,
            details: details(&cpuinfo),
        })
    }

    /// In a line.
    pub(crate) fn in_short(&self) -> String {
        format!(
            "{}, {} cores, {} GiB, Linux {}; both ends, the switch and the load share the cores",
            self.processor, self.cores, self.memory_gib, self.kernel
        )
    }

    /// A warning, if the machine has too much else to do.
    pub(crate) fn warning(&self) -> Option<String> {
        let busy = self.busy_with_others;
        (busy > 0.1).then(|| {
            format!("{busy:.1} of these cores are busy with other things: the figures mean little")
        })
    }
}

fn value(text: &str, label: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(label))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn details(cpuinfo: &str) -> Vec<Detail> {
    let mut details = Vec::new();
    let mut tell = |what: &str, value: Option<String>| {
        let what = what.to_owned();
        details.extend(value.map(|value| Detail { what, value }));
    };
    tell("Microcode", value(cpuinfo, "microcode"));
    let lscpu = all_of("lscpu").unwrap_or_default();
    for label in LSCPU {
        let mut lines = lscpu.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(name, _)| name.trim() == *label);
        tell(label, found.map(|(_, value)| value.trim().to_owned()));
    }
    let vulnerable = Path::new(MITIGATIONS);
    tell("Mitigations", mitigations(vulnerable));
    tell("Kernel parameters", line("/proc/cmdline").map(parameters));
    for (what, path) in FILES {
        tell(what, line(path));
    }
    for (program, arguments) in PROGRAMS {
        tell(program, says(program, arguments));
    }
    details
}

fn all_of(program: &str) -> Option<String> {
    let output = std::process::Command::new(program)
        .env("LC_ALL", "C")
        .output();
    String::from_utf8(output.ok()?.stdout).ok()
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let words: Vec<_> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// What is the kernel's own: behind `--`, it is what it starts as the first process.
fn parameters(command_line: String) -> String {
    match command_line.split_once(" -- ") {
        Some((parameters, _)) => parameters.to_owned(),
        None => command_line,
    }
}

/// What the kernel does about its processors' faults, each file one of them; those that they do not have are
/// counted.
fn mitigations(folder: &Path) -> Option<String> {
    let mut told = Vec::new();
    let mut others = 0;
    for file in fs::read_dir(folder).ok()?.flatten() {
        let state = fs::read_to_string(file.path()).ok()?;
        match state.trim() {
            "Not affected" => others += 1,
            state => told.push(format!("{}: {state}", file.file_name().display())),
        }
    }
    told.sort();
    told.push(format!("not affected by {others} others"));
    Some(told.join("; "))
}

fn busy() -> Result<f64> {
    let (before, start) = (ProcessorTime::read(&[])?, Instant::now());
    thread::sleep(Duration::from_secs(1));
    let spent = ProcessorTime::read(&[])?.since(before).machine;
    Ok(spent / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Machine {
        /// One that is not there.
        pub(in crate::lab) fn sample() -> Self {
            Self {
                date: "2026-01-01T00:00:00Z".to_owned(),
                kernel: "6.18".to_owned(),
                processor: "Abacus".to_owned(),
                cores: 2,
                memory_gib: 4,
                busy_with_others: 0.5,
                details: vec![Detail {
                    what: "Beads".to_owned(),
                    value: "100 | wood".to_owned(),
                }],
            }
        }
    }

    #[test]
    fn only_the_kernels_parameters_are_told() {
        let told = |line: &str| parameters(line.to_owned());
        assert_eq!(told("quiet mitigations=off"), "quiet mitigations=off");
        assert_eq!(told("quiet -- --secret"), "quiet");
    }

    #[test]
    fn faults_that_a_processor_has_not_are_counted() {
        let folder = std::env::temp_dir().join(format!("mitigations-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, state) in [
            ("b", "Vulnerable\n"),
            ("a", "Mitigation: PTI\n"),
            ("c", "Not affected\n"),
        ] {
            fs::write(folder.join(name), state).unwrap();
        }
        let told = mitigations(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            told.as_deref(),
            Some("a: Mitigation: PTI; b: Vulnerable; not affected by 1 others")
        );
        assert_eq!(mitigations(Path::new("/no/such/folder")), None);
    }

    #[test]
    fn this_machine_tells_something() {
        let machine = Machine::read().unwrap();
        assert!(machine.cores > 0 && !machine.kernel.is_empty());
        assert!(!machine.details.is_empty());
    }
}
