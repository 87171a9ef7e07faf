//! What a worker is occupied with: messages for one processor, a stream, or something of everything.

use std::time::Duration;

use vswitch_packet::Moment;

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occupation {
    /// Nothing that tells where it should run.
    Mixed,
    /// Messages, one quickly after the other, and nearly all for containers that run on this processor.
    Messages(usize),
    /// More at a time than the messages of a conversation or two.
    Stream,
}

/// What a worker did between two waits.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turn {
    /// What it sent.
    pub(super) frames: usize,
    pub(super) octets: usize,
    /// The processor of the last container that it sent anything to, if that is known.
    pub(super) home: Option<usize>,
}

/// Watches one worker.
#[derive(Debug)]
pub(super) struct Watch {
    /// Where its messages seem to go, and how sure that is.
    home: usize,
    certainty: u32,
    streamed: Option<Moment>,
    last: Occupation,
    told: Moment,
}

/// A turn of so much is part of a stream. A worker has a handful of frames when it carries several conversations.
const STREAM_FRAMES: usize = 16;
const STREAM_OCTETS: usize = 32 * 1024;
/// How long one such turn counts.
const STREAM: Duration = Duration::from_millis(2);

/// Each message for the processor that the others were for makes it surer by one, up to this.
const CERTAIN: u32 = 64;
/// So sure it has to be to say so, and so unsure to take it back: a message for another processor, or a slow one, costs
/// two.
const SURE: u32 = 48;
const UNSURE: u32 = 16;
const DOUBT: u32 = 2;

/// How often the others are told the same again.
const AGAIN: Duration = Duration::from_millis(2);

impl Watch {
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            home: 0,
            certainty: 0,
            streamed: None,
            last: Occupation::Mixed,
            told: now,
        }
    }

    /// After a turn; a slow one if there was a pause before it, or if the worker starves. `Some` if the others are to be
    /// told.
    pub(super) fn look(&mut self, turn: Turn, slow: bool, now: Moment) -> Option<Occupation> {
        if turn.frames >= STREAM_FRAMES || turn.octets >= STREAM_OCTETS {
            self.streamed = Some(now);
            self.certainty = 0;
        } else if let Some(home) = turn.home {
            self.message(home, slow);
        }
        let occupation = self.occupation(now);
        let told = occupation == self.last
            && (occupation == Occupation::Mixed || now.since(self.told) < AGAIN);
        (!told).then(|| {
            (self.last, self.told) = (occupation, now);
            occupation
        })
    }

    fn message(&mut self, home: usize, slow: bool) {
        if home == self.home && !slow {
            self.certainty = CERTAIN.min(self.certainty + 1);
            return;
        }
        self.certainty = self.certainty.saturating_sub(DOUBT);
        if self.certainty == 0 {
            (self.home, self.certainty) = (home, u32::from(!slow));
        }
    }

    fn occupation(&self, now: Moment) -> Occupation {
        if self.streamed.is_some_and(|at| now.since(at) < STREAM) {
            return Occupation::Stream;
        }
        match self.certainty {
            SURE.. => Occupation::Messages(self.home),
            UNSURE.. if self.last == Occupation::Messages(self.home) => self.last,
            _ => Occupation::Mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: u64) -> Moment {
        Moment::from_nanos(micros * 1000)
    }

    const fn message(home: usize) -> Turn {
        Turn {
            frames: 1,
            octets: 80,
            home: Some(home),
        }
    }

    const STREAMS: [Turn; 2] = [
        Turn {
            frames: 1,
            octets: 60_000,
            home: Some(1),
        },
        Turn {
            frames: 64,
            octets: 6400,
            home: Some(1),
        },
    ];

    /// What is told, without what is told again, of turns that are 10 µs apart.
    fn told(turns: impl Iterator<Item = Turn>) -> Vec<(usize, Occupation)> {
        let mut watch = Watch::new(at(0));
        let mut told = Vec::new();
        for (number, turn) in turns.enumerate() {
            let told_now = watch.look(turn, false, at(number as u64 * 10));
            if let Some(now) = told_now
                && told.last().is_none_or(|(_, before)| *before != now)
            {
                told.push((number, now));
            }
        }
        told
    }

    #[test]
    fn messages_for_one_processor() {
        let turns = std::iter::repeat_n(message(1), 1000);
        assert_eq!(told(turns), [(47, Occupation::Messages(1))]);
        // A few for another one change nothing.
        let turns = (0..1000).map(|n| message(usize::from(n % 4 != 0)));
        assert_eq!(told(turns).len(), 1);
    }

    #[test]
    fn the_receiver_moves() {
        let before = std::iter::repeat_n(message(1), 1000);
        let turns = before.chain(std::iter::repeat_n(message(0), 1000));
        let expected = [
            (47, Occupation::Messages(1)),
            (1024, Occupation::Mixed),
            (1078, Occupation::Messages(0)),
        ];
        assert_eq!(told(turns), expected);
    }

    #[test]
    fn messages_for_all_processors() {
        let turns = (0..1000).map(|n| message(n % 2));
        assert_eq!(told(turns), []);
    }

    #[test]
    fn messages_with_pauses_tell_nothing() {
        let mut watch = Watch::new(at(0));
        for second in 1..1000 {
            assert_eq!(watch.look(message(0), true, at(second * 1_000_000)), None);
        }
    }

    #[test]
    fn one_turn_of_a_stream_counts_for_a_while_and_is_told_again() {
        for turn in STREAMS {
            let mut watch = Watch::new(at(0));
            for n in 0..100 {
                watch.look(message(1), false, at(n * 10));
            }
            assert_eq!(watch.look(turn, false, at(2000)), Some(Occupation::Stream));
            assert_eq!(watch.look(turn, false, at(2100)), None);
            assert_eq!(watch.look(turn, false, at(4000)), Some(Occupation::Stream));
            assert_eq!(watch.look(message(1), false, at(5000)), None);
            assert_eq!(
                watch.look(message(1), false, at(6000)),
                Some(Occupation::Mixed)
            );
        }
    }

    #[test]
    fn what_goes_elsewhere_is_neither_here_nor_there() {
        let turns = (0..200).map(|n| Turn {
            home: (n % 2 == 0).then_some(0),
            ..message(0)
        });
        assert_eq!(told(turns), [(94, Occupation::Messages(0))]);
    }
}
