//! What came of a trial.

use super::histogram::Histogram;
use super::sender::Sent;
use super::tally::Tally;

/// What all streams of a trial sent, and what arrived of it where.
#[derive(Debug)]
pub(in crate::lab) struct Trial {
    /// The phases of each stream.
    pub(super) sent: Vec<Vec<Sent>>,
    /// How many ports each frame of a stream is for.
    pub(super) copies: Vec<u64>,
    /// What arrived, by port and stream.
    pub(super) arrived: Vec<Vec<Tally>>,
    /// Frames that came to a port and that its receiver had no room for: they are not the switch's loss, and
    /// nothing else is known of them.
    pub(super) overrun: u64,
}

impl Trial {
    /// Frames that were sent.
    pub(in crate::lab) fn offered(&self) -> u64 {
        self.sent.iter().flatten().map(|sent| sent.frames).sum()
    }

    /// Frames a second that were sent, all streams together.
    pub(in crate::lab) fn offered_rate(&self) -> f64 {
        let rate = |phases: &Vec<Sent>| {
            let frames: u64 = phases.iter().map(|sent| sent.frames).sum();
            frames as f64 / seconds(phases)
        };
        self.sent.iter().map(rate).sum()
    }

    /// Frames that should arrive.
    pub(in crate::lab) fn expected(&self) -> u64 {
        expected(&self.sent, &self.copies)
    }

    /// Frames that arrived where they should.
    pub(in crate::lab) fn received(&self) -> u64 {
        self.tallies().map(|tally| tally.received).sum::<u64>() + self.overrun
    }

    /// Frames a second that arrived where they should, all ports together.
    pub(in crate::lab) fn received_rate(&self) -> f64 {
        let longest = self.sent.iter().map(|phases| seconds(phases));
        self.received() as f64 / longest.fold(0.0, f64::max)
    }

    /// Frames that did not.
    pub(in crate::lab) fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received())
    }

    /// Share of the frames that did not, 0 to 1.
    pub(in crate::lab) fn loss(&self) -> f64 {
        self.lost() as f64 / self.expected().max(1) as f64
    }

    /// Share of the frames for a port, of which there were so many, that did not arrive there.
    pub(in crate::lab) fn loss_at(&self, port: usize, expected: u64) -> f64 {
        let arrived = self.arrived[port].iter().map(|tally| tally.received);
        expected.saturating_sub(arrived.sum()) as f64 / expected.max(1) as f64
    }

    /// Frames that one stream sent.
    pub(in crate::lab) fn offered_by(&self, stream: usize) -> u64 {
        self.sent[stream].iter().map(|sent| sent.frames).sum()
    }

    /// Arrivals at ports that the frames were not for.
    pub(in crate::lab) fn flooded(&self) -> u64 {
        self.tallies().map(|tally| tally.flooded).sum()
    }

    /// Frames that arrived after one that was sent later.
    pub(in crate::lab) fn out_of_order(&self) -> u64 {
        self.tallies().map(|tally| tally.out_of_order).sum()
    }

    /// How long the frames took.
    pub(in crate::lab) fn latency(&self) -> Histogram {
        let mut all = Histogram::default();
        self.tallies().for_each(|tally| all.add(&tally.latency));
        all
    }

    /// Seconds from the begin of a phase of the first stream to the sending of the last frame before which one is
    /// missing; 0 if none is missing since.
    pub(in crate::lab) fn seconds_to_last_loss(&self, phase: usize) -> f64 {
        let begin = self.sent[0][phase].start;
        let last = self.tallies().filter_map(|tally| tally.last_gap).max();
        last.map_or(0.0, |last| last.saturating_sub(begin) as f64 / 1e9)
    }

    fn tallies(&self) -> impl Iterator<Item = &Tally> {
        self.arrived.iter().flatten()
    }
}

/// Frames that should arrive of what streams sent, each in so many copies.
pub(super) fn expected(sent: &[Vec<Sent>], copies: &[u64]) -> u64 {
    let of_stream = |(phases, copies): (&Vec<Sent>, &u64)| {
        copies * phases.iter().map(|sent| sent.frames).sum::<u64>()
    };
    sent.iter().zip(copies).map(of_stream).sum()
}

fn seconds(phases: &[Sent]) -> f64 {
    phases.iter().map(|sent| sent.seconds).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial() -> Trial {
        let sent = |frames| Sent {
            frames,
            start: 1_000_000_000,
            seconds: 2.0,
        };
        let tally = |received, flooded| {
            let mut tally = Tally::default();
            (tally.received, tally.flooded) = (received, flooded);
            tally.last_gap = Some(1_500_000_000);
            tally
        };
        Trial {
            sent: vec![vec![sent(100)], vec![sent(50)]],
            copies: vec![1, 2],
            arrived: vec![
                vec![tally(0, 0), tally(45, 0)],
                vec![tally(90, 0), tally(50, 3)],
            ],
            overrun: 5,
        }
    }

    #[test]
    fn what_is_lost_is_what_should_have_arrived_and_did_not() {
        let trial = trial();
        assert_eq!((trial.offered(), trial.expected()), (150, 200));
        assert_eq!((trial.received(), trial.lost()), (190, 10));
        assert_eq!(trial.loss(), 0.05);
        assert_eq!(trial.loss_at(1, 160), 0.125);
        assert_eq!(trial.flooded(), 3);
        assert_eq!(trial.offered_rate(), 75.0);
        assert_eq!(trial.received_rate(), 95.0);
    }

    #[test]
    fn recovery_is_counted_from_the_phase() {
        assert_eq!(trial().seconds_to_last_loss(0), 0.5);
    }
}
