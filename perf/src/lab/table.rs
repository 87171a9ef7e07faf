//! Figures as a table, which is Markdown too.

use comfy_table::{CellAlignment, Table, presets};

use super::load::Better;
use super::summary::Summary;

/// What the sign in a table means.
pub(crate) const LOWER: &str = "↓: lower is better";

/// A line for each figure of each switch.
pub(crate) fn table(summaries: &[Summary]) -> Table {
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
            titled(summary),
            summary.peer_title.clone(),
            figure(summary.median),
            format!("{} to {}", figure(lowest), figure(highest)),
            summary.ratio.map(figure).unwrap_or_default(),
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
    table
}

/// The figure's name, with its unit, and which way is better if that is down.
pub(crate) fn titled(summary: &Summary) -> String {
    let sign = match summary.better {
        Better::Lower => " ↓",
        Better::Higher | Better::Neither => "",
    };
    format!("{}, {}{sign}", summary.title, summary.unit)
}

/// Three digits that matter.
pub(crate) fn figure(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::record::tests::sample;

    #[test]
    fn figures_have_three_digits() {
        assert_eq!(figure(163.4), "163");
        assert_eq!(figure(16.34), "16.3");
        assert_eq!(figure(1.634), "1.63");
    }

    #[test]
    fn rows_tell_figure_switch_spread_and_ratio() {
        let table = table(&sample().results).to_string();
        let row = |number: usize| -> Vec<_> {
            let line = table.lines().nth(number + 2).unwrap();
            line.split('|').map(str::trim).collect()
        };
        assert_eq!(
            row(1)[1..6],
            [
                "TCP & <more>, Gbit/s",
                "ours switch",
                "5.00",
                "4.00 to 6.00",
                "0.50"
            ]
        );
        assert!(row(2)[1].ends_with('↓'), "{table}");
        assert_eq!(row(5)[5], "", "{table}");
    }
}
