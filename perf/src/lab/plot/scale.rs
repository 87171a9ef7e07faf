//! Ratios as places on a line: twice as much is as far to the right as half as much is to the left.

use super::rows::Row;

/// A logarithmic scale with 1.0 in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    lowest: f64,
    highest: f64,
}

/// Ratios beyond these are drawn at the edge.
const LIMITS: (f64, f64) = (0.01, 100.0);

impl Scale {
    /// Wide enough for everything in the rows.
    pub(super) fn of(rows: &[Row]) -> Self {
        let bars = rows.iter().flat_map(|row| &row.bars);
        let bars = bars.flat_map(|bar| [bar.ratio, bar.whiskers.0, bar.whiskers.1]);
        let bands = rows.iter().flat_map(|row| [row.band.0, row.band.1]);
        let places = bars.chain(bands).filter(|ratio| ratio.is_normal());
        let (mut least, mut most) = (0.8, 1.25);
        for place in places {
            least = place.min(least);
            most = place.max(most);
        }
        let below = marks().rev().find(|mark| *mark <= least);
        let above = marks().find(|mark| *mark >= most);
        Self {
            lowest: below.unwrap_or(LIMITS.0),
            highest: above.unwrap_or(LIMITS.1),
        }
    }

    /// 0 at the left edge, 1 at the right one.
    pub(super) fn place(&self, ratio: f64) -> f64 {
        let ratio = ratio.clamp(self.lowest, self.highest);
        (ratio / self.lowest).ln() / (self.highest / self.lowest).ln()
    }

    /// Ratios to be marked.
    pub(super) fn marks(&self) -> impl Iterator<Item = f64> + use<> {
        let Self { lowest, highest } = *self;
        marks().filter(move |mark| (lowest..=highest).contains(mark))
    }
}

fn marks() -> impl DoubleEndedIterator<Item = f64> {
    const MARKS: [f64; 13] = [
        LIMITS.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, LIMITS.1,
    ];
    MARKS.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::plot::rows::Bar;

    fn row(ratio: f64, lowest: f64, highest: f64) -> Row {
        Row {
            title: String::new(),
            standard: String::new(),
            band: (0.9, 1.1),
            bars: vec![Bar {
                peer: String::new(),
                ratio,
                whiskers: (lowest, highest),
                told: String::new(),
            }],
        }
    }

    #[test]
    fn twice_and_half_are_as_far_from_one() {
        let scale = Scale::of(&[row(0.6, 0.55, 1.9)]);
        assert_eq!((scale.lowest, scale.highest), (0.5, 2.0));
        assert!((scale.place(1.0) - 0.5).abs() < 1e-9);
        assert!((scale.place(0.5)).abs() < 1e-9);
        assert!((scale.place(2.0) - 1.0).abs() < 1e-9);
        assert_eq!(scale.marks().collect::<Vec<_>>(), [0.5, 1.0, 2.0]);
    }

    #[test]
    fn what_is_too_far_is_at_the_edge() {
        let scale = Scale::of(&[row(1e-5, 0.0, 1e5)]);
        assert_eq!((scale.lowest, scale.highest), LIMITS);
        assert_eq!(scale.place(0.0), 0.0);
        assert_eq!(scale.place(1e5), 1.0);
    }
}
