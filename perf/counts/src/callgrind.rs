//! This program below valgrind: one profile for each case, of which the total is read.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, bail, ensure};

use crate::cases::{CASES, FRAMES};
use crate::record::Counts;

/// The argument with which this program runs the cases.
pub(crate) const BURSTS: &str = "bursts";

/// [`measured`], as callgrind knows it.
const MEASURED: &str = "counts::callgrind::measured";

/// Has glibc copy, compare and fill with what each x86-64 has: else the CPU would decide about counts, and
/// callgrind would count `rep movsb` octet by octet.
const TUNABLES: &str =
    "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-SSSE3,-SSE4_1";

/// The only function in which instructions are counted.
#[inline(never)]
pub(crate) fn measured(burst: &mut dyn FnMut()) {
    burst();
    // Keeps the call above from becoming a jump, which would end this function for callgrind.
    std::hint::black_box(());
}

/// Where the profiles are, each named after its case.
pub(crate) fn profiles() -> anyhow::Result<PathBuf> {
    let program = env::current_exe().context("this program's path")?;
    Ok(program.with_file_name("instructions"))
}

/// Instructions a frame, of each case.
pub(crate) fn count() -> anyhow::Result<Counts> {
    let directory = profiles()?;
    if directory.exists() {
        fs::remove_dir_all(&directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    run(&directory.join("part"))?;

    let mut counts = Counts::new();
    for (case, part) in CASES.iter().zip(1..) {
        let profile = directory.join(format!("{}.{}", case.group, case.name));
        fs::rename(directory.join(format!("part.{part}")), &profile).with_context(|| {
            format!(
                "callgrind left no profile of {}: is there a function {MEASURED}?",
                profile.display()
            )
        })?;
        let text = fs::read_to_string(&profile)
            .with_context(|| format!("cannot read {}", profile.display()))?;
        let instructions =
            total(&text).with_context(|| format!("no total in {}", profile.display()))?;
        ensure!(instructions > 0, "nothing was counted in {MEASURED}");
        counts
            .entry(case.group.to_owned())
            .or_default()
            .insert(case.name.to_owned(), instructions.div_ceil(FRAMES as u64));
    }
    Ok(counts)
}

/// Runs the cases. After each, callgrind writes a profile with the next number behind `part`.
fn run(part: &Path) -> anyhow::Result<()> {
    let option = |name: &str, value: &str| format!("--{name}={value}");
    let valgrind = Command::new("valgrind")
        // Variables are on the stack, whose addresses are what the seeds of hash tables are made of.
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("GLIBC_TUNABLES", TUNABLES)
        .args(["--tool=callgrind", "--quiet", "--collect-atstart=no"])
        // So that each profile can be read without those before it.
        .arg("--compress-strings=no")
        .arg(option("toggle-collect", MEASURED))
        .arg(option("dump-after", MEASURED))
        .arg(option("callgrind-out-file", &part.display().to_string()))
        .arg(env::current_exe().context("this program's path")?)
        .arg(BURSTS)
        .output()
        .context("cannot start valgrind: is it installed?")?;
    if !valgrind.status.success() {
        bail!(
            "valgrind failed, {}: {}",
            valgrind.status,
            String::from_utf8_lossy(&valgrind.stderr)
        );
    }
    Ok(())
}

/// Of a profile that is about instructions only.
fn total(profile: &str) -> Option<u64> {
    let line = |key: &str| profile.lines().find_map(|line| line.strip_prefix(key));
    if line("events: ")? != "Ir" {
        return None;
    }
    line("totals: ")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_from_a_profile_of_instructions() {
        let profile = "version: 1\nevents: Ir\nsummary: 96\n\nfn=(1) a\n7 96\n\ntotals: 96\n";
        assert_eq!(total(profile), Some(96));
        assert_eq!(total("events: Ir\nfn=(1) a\n"), None);
        assert_eq!(total("events: Ir Dr\ntotals: 96 12\n"), None);
    }
}
