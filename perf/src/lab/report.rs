//! What people see while a lab runs: progress on standard error, results on standard output.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this module is the lab's output"
)]

use std::io::Write as _;
use std::path::Path;

use super::case::GROUPS;
use super::machine::Machine;
use super::peer::PeerKind;
use super::skipped::Skipped;
use super::summary::Summary;
use super::table::{LOWER, table};

pub(crate) fn machine(machine: &Machine) {
    println!("{}", machine.in_short());
    if let Some(warning) = machine.warning() {
        println!("{warning}");
    }
    println!("{LOWER}");
}

pub(crate) fn progress(so_far: &str, case: &str, peer: &str, repeat: u32, repeats: u32) {
    eprintln!("{so_far} run {repeat} of {repeats}: {case}, {peer}");
}

pub(crate) fn left_out(case: &str) {
    eprintln!("{case}: left out, as none of the chosen switches is made for it");
}

pub(crate) fn skipped(skipped: &Skipped) {
    eprintln!("{}: left out: {}", skipped.peer, skipped.reason);
}

pub(crate) fn results(summaries: &[Summary]) {
    println!("{}", table(summaries));
}

pub(crate) fn text(text: &str) {
    print!("{text}");
}

pub(crate) fn wrote(path: &Path) {
    eprintln!("wrote {}", path.display());
}

/// Cases and peers.
///
/// # Errors
/// If the shell cannot be asked for a peer's programs, or nobody reads on.
pub(crate) fn list() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let width = |names: &mut dyn Iterator<Item = &str>| names.map(str::len).max().unwrap_or(0);
    let cases = GROUPS.iter().flat_map(|group| group.cases);
    let wide = width(&mut cases.map(|case| case.name));
    for group in GROUPS {
        let default = if group.by_default {
            ""
        } else {
            " (if asked for)"
        };
        writeln!(out, "{}: {}{default}", group.name, group.help)?;
        for case in group.cases {
            writeln!(out, "  {:wide$}  {}", case.name, case.title)?;
        }
    }
    writeln!(out, "\npeers:")?;
    let wide = width(&mut PeerKind::ALL.iter().map(|kind| kind.name));
    for kind in PeerKind::ALL {
        let missing = match kind.missing()? {
            Some((program, package)) => {
                format!(" ({program} is missing: apt-get install {package})")
            }
            None => String::new(),
        };
        writeln!(out, "  {:wide$}  {}{missing}", kind.name, kind.help)?;
    }
    Ok(())
}
