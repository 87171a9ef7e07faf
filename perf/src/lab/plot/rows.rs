//! What is drawn: for each figure, bars of those that are measured by another.

use crate::lab::load::Better;
use crate::lab::summary::{Summary, median, spread};
use crate::lab::table::figure;

/// Figures of which the same direction is better.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Panel {
    pub(super) heading: &'static str,
    pub(super) rows: Vec<Row>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) title: String,
    /// Whom the others are measured by, and what it made.
    pub(super) standard: String,
    /// Its runs, divided by their median: the lowest and the highest.
    pub(super) band: (f64, f64),
    pub(super) bars: Vec<Bar>,
}

/// One switch's figure, divided by the standard's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bar {
    /// The switch's word.
    pub(super) peer: String,
    pub(super) ratio: f64,
    /// The lowest and the highest run, divided by the standard's median.
    pub(super) whiskers: (f64, f64),
    /// All of it in words.
    pub(super) told: String,
}

/// Everything that can be compared; a panel of which nothing can is left out.
pub(super) fn panels(results: &[Summary]) -> Vec<Panel> {
    let of = |better| {
        let figures = results.chunk_by(Summary::is_beside);
        let figures = figures.filter(move |figure| figure.iter().all(|one| one.better == better));
        figures
            .filter_map(|beside| {
                row(
                    beside,
                    |one| &one.title,
                    |one| &one.runs,
                    |one| one.unit.clone(),
                )
            })
            .collect()
    };
    // What a case costs is the same for all of its figures.
    let cases = results.chunk_by(|one, next| one.case == next.case);
    let first_figures = cases.filter_map(|case| case.chunk_by(Summary::is_beside).next());
    let costs = first_figures.filter_map(|beside| {
        let per_unit = |one: &Summary| format!("s per {}", one.work);
        row(
            beside,
            |one| &one.case_title,
            |one| &one.machine_runs,
            per_unit,
        )
    });
    let panels = [
        ("Higher is better", of(Better::Higher)),
        ("Lower is better", of(Better::Lower)),
        (
            "Processor time of the whole machine for a unit of work; lower is better",
            costs.collect(),
        ),
    ];
    let panels = panels.into_iter();
    let panels = panels.map(|(heading, rows)| Panel { heading, rows });
    panels.filter(|panel| !panel.rows.is_empty()).collect()
}

fn row(
    beside: &[Summary],
    title: impl Fn(&Summary) -> &str,
    runs: impl Fn(&Summary) -> &[f64],
    unit: impl Fn(&Summary) -> String,
) -> Option<Row> {
    let (standard, others) = beside.split_first()?;
    let by = median(runs(standard).iter().copied());
    // Neither nothing nor what could not be divided is a measure.
    if !by.is_normal() || others.is_empty() {
        return None;
    }
    let divided = |summary: &Summary| {
        let (lowest, highest) = spread(runs(summary));
        (lowest / by, highest / by)
    };
    let unit = unit(standard);
    let bar = |summary: &Summary| {
        let ratio = median(runs(summary).iter().copied()) / by;
        let (lowest, highest) = spread(runs(summary));
        Bar {
            peer: summary.peer.clone(),
            ratio,
            whiskers: divided(summary),
            told: format!(
                "{}: {} ({} to {}) {unit}, {} of {}",
                summary.peer_title,
                figure(ratio * by),
                figure(lowest),
                figure(highest),
                figure(ratio),
                standard.peer_title,
            ),
        }
    };
    Some(Row {
        title: title(standard).to_owned(),
        standard: format!("{}: {} {unit}", standard.peer_title, figure(by)),
        band: divided(standard),
        bars: others.iter().map(bar).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::record::tests::sample;

    #[test]
    fn figures_are_sorted_by_what_is_better() {
        let panels = panels(&sample().results);
        let shown: Vec<_> = panels
            .iter()
            .map(|panel| {
                let titles = panel.rows.iter().map(|row| &*row.title).collect();
                (&panel.heading[..6], titles)
            })
            .collect();
        let expected: [(_, Vec<_>); 3] = [
            ("Higher", vec!["TCP & <more>"]),
            ("Lower ", vec!["TCP & <more>, p99"]),
            ("Proces", vec!["TCP"]),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn bars_are_divided_by_the_standard() {
        let panels = panels(&sample().results);
        let row = &panels[0].rows[0];
        assert_eq!(row.standard, "standard switch: 10.0 Gbit/s");
        assert_eq!(row.band, (0.8, 1.2));
        let [bar] = &row.bars[..] else {
            panic!("{row:?}")
        };
        assert_eq!((&*bar.peer, bar.ratio), ("ours", 0.5));
        assert_eq!(bar.whiskers, (0.4, 0.6));
        assert_eq!(
            bar.told,
            "ours switch: 5.00 (4.00 to 6.00) Gbit/s, 0.50 of standard switch"
        );
    }

    #[test]
    fn nothing_is_no_measure() {
        let mut results = sample().results;
        results.truncate(2);
        results[0].runs = vec![0.0; 3];
        results[0].machine_runs = vec![f64::INFINITY; 3];
        assert_eq!(panels(&results), []);
        assert_eq!(panels(&results[..1]), []);
    }
}
