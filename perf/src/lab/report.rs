//! What people see: progress on standard error, results on standard output.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this module is the lab's output"
)]

use comfy_table::{CellAlignment, Table, presets};

use super::machine::Machine;
use super::skipped::Skipped;
use super::summary::Summary;

pub(crate) fn machine(machine: &Machine) {
    println!(
        "{}, {} cores, {} GiB, Linux {}; both ends, the switch and the load share the cores",
        machine.processor, machine.cores, machine.memory_gib, machine.kernel
    );
    if machine.busy_with_others > 0.1 {
        println!(
            "{:.1} of these cores are busy with other things: the figures mean little",
            machine.busy_with_others
        );
    }
}

pub(crate) fn progress(case: &str, peer: &str, repeat: u32, repeats: u32) {
    eprintln!("run {repeat} of {repeats}: {case}, {peer}");
}

pub(crate) fn left_out(case: &str) {
    eprintln!("{case}: left out, as none of the chosen switches is made for it");
}

pub(crate) fn skipped(skipped: &Skipped) {
    eprintln!("{}: left out: {}", skipped.peer, skipped.reason);
}

pub(crate) fn table(summaries: &[Summary]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "",
        "switch",
        "median",
        "lowest to highest",
        "ratio",
        "CPU s, machine",
        "CPU s, switch",
        "",
    ]);
    for summary in summaries {
        let (lowest, highest) = summary.spread();
        let per = |seconds: f64| format!("{seconds:.3}");
        table.add_row([
            format!("{}, {}", summary.title, summary.metric.unit),
            summary.peer_title.to_owned(),
            figure(summary.median),
            format!("{} to {}", figure(lowest), figure(highest)),
            summary.ratio.map(|r| format!("{r:.2}")).unwrap_or_default(),
            per(summary.machine_seconds),
            summary.switch_seconds.map(per).unwrap_or_default(),
            format!("per {}", summary.work),
        ]);
    }
    for column in 2..=6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    println!("{table}");
}

/// Three digits that matter.
fn figure(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_have_three_digits() {
        assert_eq!(figure(163.4), "163");
        assert_eq!(figure(16.34), "16.3");
        assert_eq!(figure(1.634), "1.63");
    }
}
