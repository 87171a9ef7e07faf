//! Several runs of one case through one switch, as one line.

use serde::{Deserialize, Serialize};

use super::case::{Case, Group};
use super::load::{Better, Metric, Outcome};
use super::peer::PeerKind;

/// One figure, over all runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The group of the case.
    pub(crate) group: String,
    /// The case.
    pub(crate) case: String,
    /// The case, for people.
    pub(crate) case_title: String,
    /// The figure, for people.
    pub(crate) title: String,
    /// The figure's unit.
    pub(crate) unit: String,
    /// Which of two figures is the better one.
    pub(crate) better: Better,
    /// The switch.
    pub(crate) peer: String,
    /// Its name, for people.
    pub(crate) peer_title: String,
    /// Every run's figure, in the order they were run.
    pub(crate) runs: Vec<f64>,
    /// The middle of them.
    pub(crate) median: f64,
    /// The median, divided by that of the switch that the others are measured by.
    pub(crate) ratio: Option<f64>,
    /// What the processor time is divided by.
    pub(crate) work: String,
    /// Processor seconds of the whole machine for a unit of work; the median of the runs.
    pub(crate) machine_seconds: f64,
    /// The same, of every run.
    pub(crate) machine_runs: Vec<f64>,
    /// Processor seconds of the switch's processes for a unit of work; the median of the runs.
    pub(crate) switch_seconds: Option<f64>,
    /// The same, of every run.
    pub(crate) switch_runs: Option<Vec<f64>>,
}

impl Summary {
    /// A line for each figure of the case.
    pub(crate) fn of(case: &Case, peer: &PeerKind, runs: &[Outcome]) -> Vec<Self> {
        let costs = || runs.iter().map(|run| run.cost);
        let machine_runs: Vec<_> = costs()
            .map(|cost| cost.machine_seconds / cost.work)
            .collect();
        let switch_runs: Option<Vec<_>> = costs()
            .map(|cost| Some(cost.switch_seconds? / cost.work))
            .collect();
        let figures = case.load.metrics().iter().enumerate();
        let summary = |(index, metric): (usize, &Metric)| {
            let runs: Vec<_> = runs.iter().map(|run| run.figures[index]).collect();
            Self {
                group: Group::of(case).map_or("", |group| group.name).to_owned(),
                case: case.name.to_owned(),
                case_title: case.title.to_owned(),
                title: format!("{}{}", case.title, metric.detail),
                unit: metric.unit.to_owned(),
                better: metric.better,
                peer: peer.name.to_owned(),
                peer_title: (peer.title)(case.setting).unwrap_or(peer.name).to_owned(),
                median: median(runs.iter().copied()),
                runs,
                ratio: None,
                work: case.load.work().to_owned(),
                machine_seconds: median(machine_runs.iter().copied()),
                machine_runs: machine_runs.clone(),
                switch_seconds: switch_runs.as_ref().map(|all| median(all.iter().copied())),
                switch_runs: switch_runs.clone(),
            }
        };
        figures.map(summary).collect()
    }

    /// Whether two are the same figure, of one switch or of two.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.case == other.case && self.title == other.title
    }

    /// The lowest and the highest of the runs.
    pub(crate) fn spread(&self) -> (f64, f64) {
        spread(&self.runs)
    }
}

/// Fills in the ratios, to the first switch's figures, and puts the lines for one figure beside each other.
/// All are of one case, switch by switch.
pub(crate) fn compare(summaries: &mut [Summary]) {
    let Some(first) = summaries.first().map(|summary| summary.peer.clone()) else {
        return;
    };
    let of_first = summaries.iter().filter(|s| s.peer == first);
    let standard: Vec<_> = of_first.cloned().collect();
    for summary in summaries.iter_mut() {
        let same = standard.iter().find(|s| s.is_beside(summary));
        // Nothing lost is no measure of what others lose.
        let same = same.filter(|same| same.median != 0.0 && same.better != Better::Neither);
        summary.ratio = same.map(|same| summary.median / same.median);
    }
    let place = |summary: &Summary| standard.iter().position(|s| s.is_beside(summary));
    summaries.sort_by_key(place);
}

/// The lowest and the highest.
pub(crate) fn spread(figures: &[f64]) -> (f64, f64) {
    let lowest = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lowest, highest)
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
        let shown: Vec<_> = all.iter().map(|s| (&*s.peer, s.median, s.ratio)).collect();
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
