//! Tables: for people on a terminal, for programs in a pipe.

use comfy_table::{
    Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, TableStyle,
    Width,
};

/// Between two columns.
const GAP: &str = "   ";

/// Where a title may be broken on a narrow terminal.
const TITLE_BREAK: char = '-';

/// Where a list may be broken on a narrow terminal.
const LIST_BREAK: char = ',';

/// On a terminal, right of each column; the line between columns is a blank too.
const PADDING: u16 = 1;

/// A heading and rows of text.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

/// Numbers stand right, all else left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| printable(&cell)).collect();
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// For a pipe: a heading and aligned columns, never wrapped, never cut, the same on every machine.
    pub(crate) fn plain(&self) -> String {
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(i, (title, _))| {
                let cells = self.rows.iter().filter_map(|row| row.get(i));
                cells.map(|cell| width(cell)).fold(width(title), usize::max)
            })
            .collect();
        let mut text = String::new();
        let titles: Vec<&str> = self.columns.iter().map(|(title, _)| *title).collect();
        self.line(&mut text, &widths, &titles);
        for row in &self.rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            self.line(&mut text, &widths, &cells);
        }
        text
    }

    /// For a terminal: fitted to its width, wrapped where it is too narrow. Without a `width` that of
    /// standard output counts.
    pub(crate) fn terminal(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        let rule = LineStyle::none().fill('─').junction('─');
        table
            .load_style(TableStyle::new().header_separator(rule))
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(self.columns.iter().map(|(title, _)| {
                Cell::new(title)
                    .add_attribute(Attribute::Bold)
                    .set_delimiter(TITLE_BREAK)
            }))
            .add_rows(&self.rows);
        if let Some(width) = width {
            table.set_width(width).force_no_tty();
        }
        let words = self.longest_words();
        for ((column, (_, align)), word) in table.column_iter_mut().zip(&self.columns).zip(words) {
            let least = u16::try_from(word).unwrap_or(u16::MAX);
            column
                .set_padding((0, PADDING))
                .set_delimiter(LIST_BREAK)
                .set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(
                    least.saturating_add(PADDING),
                )))
                .set_cell_alignment(match align {
                    Align::Left => CellAlignment::Left,
                    Align::Right => CellAlignment::Right,
                });
        }
        let mut text = table.trim_fmt();
        text.push('\n');
        text
    }

    /// For each column, the width below which a number, a name or an address would be broken.
    fn longest_words(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().enumerate().map(|(i, (title, _))| {
            let titles = title.split(TITLE_BREAK);
            let cells = self.rows.iter().filter_map(move |row| row.get(i));
            let words = cells.flat_map(|cell| cell.split(LIST_BREAK));
            titles.chain(words).map(width).fold(0, usize::max)
        })
    }

    fn line(&self, text: &mut String, widths: &[usize], cells: &[&str]) {
        let start = text.len();
        for ((cell, &column_width), (_, align)) in cells.iter().zip(widths).zip(&self.columns) {
            if text.len() > start {
                text.push_str(GAP);
            }
            let blank = " ".repeat(column_width.saturating_sub(width(cell)));
            match align {
                Align::Left => text.extend([*cell, &blank]),
                Align::Right => text.extend([&blank, *cell]),
            }
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// A path may hold anything; nothing in it may end the row or speak to the terminal.
fn printable(cell: &str) -> String {
    cell.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[
            ("NAME", Align::Left),
            ("FRAMES", Align::Right),
            ("NOTE", Align::Left),
        ]);
        table.row(["a".to_owned(), "7".to_owned(), "-".to_owned()]);
        table.row(["longer".to_owned(), "12345678".to_owned(), "é".to_owned()]);
        table
    }

    #[test]
    fn plain_columns_are_aligned_and_end_without_blanks() {
        assert_eq!(
            table().plain(),
            "NAME       FRAMES   NOTE\n\
             a               7   -\n\
             longer   12345678   é\n"
        );
    }

    #[test]
    fn a_table_without_rows_is_its_heading() {
        let table = Table::new(&[("ID", Align::Left), ("PORTS", Align::Right)]);
        assert_eq!(table.plain(), "ID   PORTS\n");
    }

    #[test]
    fn plain_lines_are_never_wrapped() {
        let mut table = Table::new(&[("A", Align::Left)]);
        table.row(["word ".repeat(100)]);
        assert_eq!(table.plain().lines().count(), 2);
    }

    #[test]
    fn a_cell_cannot_break_the_table_or_speak_to_the_terminal() {
        let mut table = Table::new(&[("A", Align::Left)]);
        table.row(["x\ny\x1b[2Jz".to_owned()]);
        assert_eq!(table.plain(), "A\nx?y?[2Jz\n");
    }

    #[test]
    fn a_wide_terminal_gets_one_line_a_row() {
        assert_eq!(
            table().terminal(Some(80)),
            "NAME      FRAMES  NOTE\n\
             ───────────────────────\n\
             a              7  -\n\
             longer  12345678  é\n"
        );
    }

    #[test]
    fn a_narrow_terminal_breaks_lists_and_no_number() {
        let mut table = Table::new(&[
            ("NAME", Align::Left),
            ("RX-FRAMES", Align::Right),
            ("REASONS", Align::Left),
        ]);
        let reasons = "spoofed_mac=1,storm=12,no_route=3,fdb_full=4";
        table.row(["a".to_owned(), "12345".to_owned(), reasons.to_owned()]);
        let text = table.terminal(Some(34));
        assert!(text.lines().all(|line| width(line) <= 34), "{text}");
        assert!(text.contains("12345"), "{text}");
        for reason in reasons.split(',') {
            assert!(text.contains(reason), "{text}");
        }
    }

    #[test]
    fn a_terminal_that_is_too_narrow_for_words_gets_longer_lines() {
        let text = table().terminal(Some(10));
        for word in ["longer", "12345678", "FRAMES"] {
            assert!(text.contains(word), "{text}");
        }
    }
}
