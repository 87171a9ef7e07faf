//! Several runs of one case through one switch, as one line.

use serde::Serialize;

use super::case::Case;
use super::load::{Metric, Outcome};
use super::peer::PeerKind;

/// One figure, over all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// The case.
    pub(crate) case: &'static str,
    /// The figure, for people.
    pub(crate) title: String,
    /// The figure of the case.
    #[serde(flatten)]
    pub(crate) metric: Metric,
    /// The switch.
    pub(crate) peer: &'static str,
    /// Its name, for people.
    pub(crate) peer_title: &'static str,
    /// Every run's figure, in the order they were run.
    pub(crate) runs: Vec<f64>,
    /// The middle of them.
    pub(crate) median: f64,
    /// The median, divided by that of the switch that the others are measured by.
    pub(crate) ratio: Option<f64>,
    /// What the processor time is divided by.
    pub(crate) work: &'static str,
    /// Processor seconds of the whole machine for a unit of work; the median of the runs.
    pub(crate) machine_seconds: f64,
    /// Processor seconds of the switch's processes for a unit of work; the median of the runs.
    pub(crate) switch_seconds: Option<f64>,
}

impl Summary {
    /// A line for each figure of the case.
    pub(crate) fn of(case: &Case, peer: &PeerKind, runs: &[Outcome]) -> Vec<Self> {
        let costs = || runs.iter().map(|run| run.cost);
        let machine_seconds = median(costs().map(|cost| cost.machine_seconds / cost.work));
        let switch: Option<Vec<_>> = costs()
            .map(|cost| Some(cost.switch_seconds? / cost.work))
            .collect();
        let switch_seconds = switch.map(|all| median(all.into_iter()));
        let summary = |(index, metric): (usize, &Metric)| {
            let runs: Vec<_> = runs.iter().map(|run| run.figures[index]).collect();
            Self {
                case: case.name,
                title: format!("{}{}", case.title, metric.detail),
                metric: *metric,
                peer: peer.name,
                peer_title: (peer.title)(case.setting).unwrap_or(peer.name),
                median: median(runs.iter().copied()),
                runs,
                ratio: None,
                work: case.load.work(),
                machine_seconds,
                switch_seconds,
            }
        };
        let metrics = case.load.metrics().iter().enumerate();
        metrics.map(summary).collect()
    }

    /// The lowest and the highest of the runs.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let lowest = self.runs.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = self.runs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (lowest, highest)
    }
}

/// Fills in the ratios, to the first switch's figures, and puts the lines for one figure beside each other.
/// All are of one case, switch by switch.
pub(crate) fn compare(summaries: &mut [Summary]) {
    let Some(first) = summaries.first().map(|summary| summary.peer) else {
        return;
    };
    let standard: Vec<_> = summaries
        .iter()
        .filter(|s| s.peer == first)
        .cloned()
        .collect();
    for summary in summaries.iter_mut() {
        let same = standard.iter().find(|s| s.metric == summary.metric);
        // Nothing lost is no measure of what others lose.
        let same = same.filter(|standard| standard.median != 0.0);
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
    use crate::lab::load::Cost;

    fn outcome(figure: f64, work: f64, seconds: f64) -> Outcome {
        Outcome {
            figures: vec![figure, 2.0 * figure, 0.0],
            cost: Cost {
                work,
                machine_seconds: seconds,
                switch_seconds: Some(seconds / 2.0),
            },
            payload: 1,
        }
    }

    fn case() -> &'static Case {
        let mut all = Case::all().iter();
        all.find(|case| case.name == "ping-pong").unwrap()
    }

    #[test]
    fn a_summary_is_the_median_and_the_cost_of_a_unit() {
        let runs = [3.0, 1.0, 2.0].map(|figure| outcome(figure, 2.0, 8.0));
        let summary = &Summary::of(case(), PeerKind::ALL[0], &runs)[0];
        assert_eq!(summary.median, 2.0);
        assert_eq!(summary.spread(), (1.0, 3.0));
        assert_eq!(summary.machine_seconds, 4.0);
        assert_eq!(summary.switch_seconds, Some(2.0));
    }

    #[test]
    fn ratios_are_to_the_first_and_figures_stand_together() {
        let kinds = [PeerKind::ALL[0], PeerKind::ALL[1]];
        let mut all = Vec::new();
        for (kind, figure) in kinds.into_iter().zip([10.0, 5.0]) {
            all.extend(Summary::of(case(), kind, &[outcome(figure, 1.0, 1.0)]));
        }
        compare(&mut all);
        let shown: Vec<_> = all.iter().map(|s| (s.peer, s.median, s.ratio)).collect();
        let [first, second] = kinds.map(|kind| kind.name);
        assert_eq!(
            shown,
            [
                (first, 10.0, Some(1.0)),
                (second, 5.0, Some(0.5)),
                (first, 20.0, Some(1.0)),
                (second, 10.0, Some(0.5)),
                (first, 0.0, None),
                (second, 0.0, None),
            ]
        );
    }

    #[test]
    fn the_median_of_an_even_count_is_between_the_middle_two() {
        assert_eq!(median([4.0, 1.0, 3.0, 2.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }
}
