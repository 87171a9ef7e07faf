//! A lab as a document.

use std::fmt::Write;

use comfy_table::{Table, presets};

use super::case::GROUPS;
use super::record::Record;
use super::summary::Summary;
use super::table::{LOWER, table};

/// The machine, what was compared, what was not, and a table for each group of cases.
pub(crate) fn document(record: &Record) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, record);
    text
}

fn write(text: &mut String, record: &Record) -> std::fmt::Result {
    let Record {
        machine,
        seconds,
        repeats,
        ..
    } = record;
    writeln!(text, "# Lab of {}\n", machine.date)?;
    writeln!(text, "{}.", machine.in_short())?;
    writeln!(
        text,
        "Each figure is the median of {repeats} runs of {seconds} s, between the lowest and the highest of them; \
         the switches took turns. Ratios are to the first switch named for a figure. CPU seconds, of the whole \
         machine and of the switch's processes, are for the unit of work beside them. {LOWER}."
    )?;
    if let Some(warning) = machine.warning() {
        writeln!(text, "\n**{warning}.**")?;
    }
    for group in record.results.chunk_by(|one, next| one.group == next.group) {
        writeln!(text, "\n## {}\n", heading(group))?;
        writeln!(text, "{}", table(group))?;
    }
    if !record.skipped.is_empty() {
        writeln!(text, "\n## Left out\n")?;
        for skipped in &record.skipped {
            let reason = skipped.reason.replace('\n', " ");
            writeln!(text, "- {}: {reason}", skipped.peer)?;
        }
    }
    if !record.switches.is_empty() {
        let switches = record.switches.iter().map(|switch| {
            let interface = switch.interface.as_ref().map(ToString::to_string);
            [
                switch.title.clone(),
                switch.version.clone().unwrap_or_default(),
                interface.unwrap_or_default(),
            ]
        });
        let switches = of_cells(["switch", "version", "a container's interface"], switches);
        writeln!(text, "\n## Switches\n\n{switches}")?;
    }
    let details = machine.details.iter().map(|detail| {
        let value = detail.value.replace('|', "\\|");
        [detail.what.clone(), value]
    });
    writeln!(
        text,
        "\n## Machine\n\n{}",
        of_cells(["", "as the machine tells it"], details)
    )
}

fn heading(group: &[Summary]) -> &str {
    let name = group.first().map_or("", |summary| &summary.group);
    let known = GROUPS.iter().find(|group| group.name == name);
    known.map_or(name, |group| group.help)
}

fn of_cells<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header);
    table.add_rows(rows);
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::record::tests::sample;

    #[test]
    fn a_document_has_figures_machine_and_what_was_left_out() {
        let text = document(&sample());
        for part in [
            "# Lab of 2026-01-01T00:00:00Z\n",
            "Abacus, 2 cores",
            "median of 3 runs of 3 s",
            "0.5 of these cores are busy",
            "## Between two containers of one network\n",
            "## Left out\n\n- absent: it is missing\n",
            "1.2",
            "100 \\| wood",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}
