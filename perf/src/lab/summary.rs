//! Several runs of one case through one switch, as one line.

use serde::Serialize;

use super::case::Case;
use super::load::Metric;
use super::measurement::Measurement;
use super::peer::PeerKind;

/// One figure, over all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// The case.
    pub(crate) case: Case,
    /// The figure of the case.
    pub(crate) metric: Metric,
    /// The switch.
    pub(crate) peer: PeerKind,
    /// Every run's figure, in the order they were run.
    pub(crate) runs: Vec<f64>,
    /// The middle of them.
    pub(crate) median: f64,
    /// The median, divided by that of the switch that the others are measured by.
    pub(crate) ratio: Option<f64>,
    /// Processor seconds of the whole machine for a unit of work; the median of the runs.
    pub(crate) machine_seconds: f64,
    /// Processor seconds of the switch's processes for a unit of work; the median of the runs.
    pub(crate) switch_seconds: Option<f64>,
}

impl Summary {
    /// A line for each figure of the case.
    pub(crate) fn of(case: Case, peer: PeerKind, runs: &[Measurement]) -> Vec<Self> {
        let machine_seconds = median(runs.iter().map(|run| run.machine_seconds / run.work));
        let switch = |run: &Measurement| Some(run.switch_seconds? / run.work);
        let switch: Option<Vec<_>> = runs.iter().map(switch).collect();
        let switch_seconds = switch.map(|all| median(all.into_iter()));
        let summary = |(index, metric): (usize, Metric)| {
            let runs: Vec<_> = runs.iter().map(|run| run.figures[index]).collect();
            Self {
                case,
                metric,
                peer,
                median: median(runs.iter().copied()),
                runs,
                ratio: None,
                machine_seconds,
                switch_seconds,
            }
        };
        case.load()
            .metrics(case.title())
            .into_iter()
            .enumerate()
            .map(summary)
            .collect()
    }

    /// The lowest and the highest of the runs.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let lowest = self.runs.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = self.runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (lowest, highest)
    }
}

/// Fills in the ratios, and puts the lines for one figure beside each other.
pub(crate) fn compare(summaries: &mut [Summary], by: PeerKind) {
    let standard: Vec<_> = summaries.iter().filter(|s| s.peer == by).cloned().collect();
    for summary in summaries.iter_mut() {
        let same = standard.iter().find(|s| s.metric == summary.metric);
        summary.ratio = same.map(|standard| summary.median / standard.median);
    }
    let place = |summary: &Summary| standard.iter().position(|s| s.metric == summary.metric);
    summaries.sort_by_key(place);
}

/// The middle one; between the middle two, if their number is even.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[count / 2],
        count => f64::midpoint(figures[count / 2 - 1], figures[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(figure: f64, work: f64, seconds: f64) -> Measurement {
        Measurement {
            figures: vec![figure],
            work,
            machine_seconds: seconds,
            switch_seconds: Some(seconds / 2.0),
        }
    }

    #[test]
    fn a_summary_is_the_median_and_the_cost_of_a_unit() {
        let runs = [run(3.0, 2.0, 8.0), run(1.0, 2.0, 8.0), run(2.0, 2.0, 8.0)];
        let summary = &Summary::of(Case::Tcp1, PeerKind::Vswitchd, &runs)[0];
        assert_eq!(summary.median, 2.0);
        assert_eq!(summary.spread(), (1.0, 3.0));
        assert_eq!(summary.machine_seconds, 4.0);
        assert_eq!(summary.switch_seconds, Some(2.0));
    }

    #[test]
    fn ratios_are_to_the_standard_and_figures_stand_together() {
        let mut all = Vec::new();
        for (peer, figure) in [(PeerKind::Kernel, 10.0), (PeerKind::Naive, 5.0)] {
            for case in [Case::Tcp1, Case::Tcp4] {
                all.extend(Summary::of(case, peer, &[run(figure, 1.0, 1.0)]));
            }
        }
        compare(&mut all, PeerKind::Kernel);
        let shown: Vec<_> = all.iter().map(|s| (s.case, s.peer, s.ratio)).collect();
        assert_eq!(
            shown,
            [
                (Case::Tcp1, PeerKind::Kernel, Some(1.0)),
                (Case::Tcp1, PeerKind::Naive, Some(0.5)),
                (Case::Tcp4, PeerKind::Kernel, Some(1.0)),
                (Case::Tcp4, PeerKind::Naive, Some(0.5)),
            ]
        );
    }

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }
}
