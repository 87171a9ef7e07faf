//! Whether a worker that always has something to do gets to do it.
//!
//! Workers yield to the containers, which makes bursts long and is paid back as long as the containers have to wait for the
//! switch now and then. Those that only send never do: a few of them take all processors, and the switch carries a
//! tenth of what it could.

use std::time::Duration;

use vswitch_packet::Moment;

/// Watches one worker.
#[derive(Debug)]
pub(super) struct Starvation {
    /// Since when it has always had something to do, and how long it had run before.
    busy: Option<(Moment, Duration)>,
    /// Until when it competes; none while it yields.
    starving: Option<Moment>,
}

/// What a worker has to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// It takes part like everybody else.
    Compete,
    /// It yields again.
    Yield,
}

/// How long a worker is watched.
const WINDOW: Duration = Duration::from_millis(10);
/// It starves if it runs for less than this part of the time. A worker that shares a processor with one receiver
/// runs for nearly half of it, one beside two senders for a twentieth.
const PART: u32 = 5;
/// A worker that has messages and yields starves, too, if somebody computes for so long then: containers that hold
/// conversations wait for something sooner.
pub(super) const AWAY: Duration = Duration::from_millis(1);
/// How long it competes then: it may have been once only.
const RESPITE: Duration = Duration::from_millis(50);
/// How long it competes, until it tries how it fares by yielding.
const RELIEF: Duration = Duration::from_secs(1);

impl Starvation {
    pub(super) const fn new() -> Self {
        Self {
            busy: None,
            starving: None,
        }
    }

    /// Whether it competes just now.
    pub(super) const fn is_found(&self) -> bool {
        self.starving.is_some()
    }

    /// It yielded its processor, and had it back only after [`AWAY`].
    pub(super) fn was_away(&mut self, now: Moment) -> Option<Change> {
        let found = self.starving.is_none();
        found.then(|| {
            self.starving = Some(now + RESPITE);
            Change::Compete
        })
    }

    /// Between two waits: whether there was something to do at once when the worker looked, and how long it has run so far,
    /// which is asked for at most twice in a window.
    pub(super) fn look(
        &mut self,
        at_once: bool,
        now: Moment,
        ran: impl FnOnce() -> Duration,
    ) -> Option<Change> {
        if let Some(until) = self.starving {
            return (now >= until).then(|| {
                *self = Self::new();
                Change::Yield
            });
        }
        if !at_once {
            self.busy = None;
            return None;
        }
        let Some((since, before)) = self.busy else {
            self.busy = Some((now, ran()));
            return None;
        };
        let watched = now.since(since);
        if watched < WINDOW {
            return None;
        }
        let ran = ran();
        self.busy = Some((now, ran));
        (ran.saturating_sub(before) < watched / PART).then(|| {
            self.starving = Some(now + RELIEF);
            Change::Compete
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    /// Looks each millisecond from `from` to `to`, while it runs for `part` of a hundred.
    fn watch(watched: &mut Starvation, (from, to): (u64, u64), part: u64) -> Vec<(u64, Change)> {
        let look = |millis: u64| {
            let ran = || Duration::from_micros(millis * part * 10);
            Some((millis, watched.look(true, at(millis), ran)?))
        };
        (from..to).filter_map(look).collect()
    }

    #[test]
    fn who_hardly_runs_competes_for_a_second() {
        let mut watched = Starvation::new();
        let changes = watch(&mut watched, (0, 2000), 5);
        let expected = [
            (10, Change::Compete),
            (1010, Change::Yield),
            (1021, Change::Compete),
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn who_was_away_for_long_competes_for_a_while() {
        let mut watched = Starvation::new();
        assert_eq!(watched.was_away(at(5)), Some(Change::Compete));
        assert!(watched.is_found());
        assert_eq!(watched.was_away(at(20)), None);
        assert_eq!(watch(&mut watched, (20, 60), 50), [(55, Change::Yield)]);
        assert!(!watched.is_found());
    }

    #[test]
    fn who_runs_half_of_the_time_yields() {
        assert_eq!(watch(&mut Starvation::new(), (0, 5000), 45), []);
    }

    #[test]
    fn who_waits_now_and_then_does_not_starve() {
        let mut watched = Starvation::new();
        for millis in 0..1000 {
            let change = watched.look(millis % 8 != 0, at(millis), || Duration::ZERO);
            assert_eq!(change, None);
        }
    }
}
