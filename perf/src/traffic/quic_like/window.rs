//! How many datagrams may be on their way: RFC 9002 §6 and §7, in datagrams instead of octets.

use super::Acknowledgement;

/// NewReno, and what is known of the datagrams on their way. Numbers begin with 0, and all are used.
#[derive(Debug)]
pub(super) struct Window {
    /// The number of the next datagram.
    pub(super) next: u64,
    acknowledged: Acknowledgement,
    /// How many may be on their way.
    size: u64,
    slow_start_threshold: u64,
    /// Acknowledged since the window last grew, beyond slow start.
    credit: u64,
    /// Losses among datagrams before this one have been answered (RFC 9002 §7.3.2).
    recovery: u64,
    /// Datagrams before this one are not waited for any more.
    abandoned: u64,
    /// Datagrams that are known to be lost.
    lost: u64,
    /// What was acknowledged when more than those were missing for the first time.
    suspected: Option<u64>,
}

/// RFC 9002 §7.2.
const INITIAL: u64 = 10;
/// RFC 9002 §7.2.
const MINIMUM: u64 = 2;
/// What a receiver promises to take: 2.5 MB, as flow control has it (RFC 9000 §4).
const MAXIMUM: u64 = 2000;
/// What is missing when so many later ones are there is lost (RFC 9002 §6.1.1).
const REORDERED: u64 = 3;

impl Window {
    pub(super) const fn new() -> Self {
        Self {
            next: 0,
            acknowledged: Acknowledgement {
                arrived: 0,
                next: 0,
            },
            size: INITIAL,
            slow_start_threshold: u64::MAX,
            credit: 0,
            recovery: 0,
            abandoned: 0,
            lost: 0,
            suspected: None,
        }
    }

    /// Datagrams that have arrived, as far as is known.
    pub(super) const fn arrived(&self) -> u64 {
        self.acknowledged.arrived
    }

    /// How many are to be sent now by one call that takes no more than `most`. None, if waiting for
    /// room makes the call worth more.
    pub(super) fn batch(&self, most: u64) -> u64 {
        let room = self.room();
        if room < most.min(self.size / 2) {
            return 0;
        }
        room.min(most)
    }

    /// Hears of what has arrived. An acknowledgement that is older than another says nothing.
    pub(super) fn acknowledge(&mut self, acknowledgement: Acknowledgement) {
        let Acknowledgement { arrived, next } = acknowledgement;
        let before = self.acknowledged;
        if arrived <= before.arrived || next < before.next || next > self.next || arrived > next {
            return;
        }
        self.acknowledged = acknowledgement;
        let missing = next - arrived;
        // What was given up is missing, and was answered.
        let given_up = before.next < self.abandoned && next > self.abandoned;
        if given_up || missing <= self.lost {
            self.lost = missing;
            self.suspected = None;
        } else if next >= self.suspected.get_or_insert(next).saturating_add(REORDERED) {
            self.lost = missing;
            self.suspected = None;
            self.shrink();
            return;
        }
        if next > self.recovery {
            self.grow(arrived - before.arrived);
        }
    }

    /// Gives up what is on its way, as nothing was heard for long (RFC 9002 §7.6).
    pub(super) fn abandon(&mut self) {
        self.shrink();
        self.size = MINIMUM;
        self.abandoned = self.next;
        self.recovery = self.next;
    }

    fn room(&self) -> u64 {
        let oldest = self.acknowledged.next.max(self.abandoned);
        self.size.saturating_sub(self.next - oldest)
    }

    fn shrink(&mut self) {
        // Once for each round trip.
        if self.acknowledged.next <= self.recovery && self.recovery > 0 {
            return;
        }
        self.recovery = self.next;
        self.slow_start_threshold = (self.size / 2).max(MINIMUM);
        self.size = self.slow_start_threshold;
        self.credit = 0;
    }

    fn grow(&mut self, arrived: u64) {
        if self.size < self.slow_start_threshold {
            self.size += arrived;
        } else {
            self.credit += arrived;
            let windows = self.credit / self.size;
            self.credit %= self.size;
            self.size += windows;
        }
        self.size = self.size.min(MAXIMUM);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledge(window: &mut Window, arrived: u64, next: u64) {
        window.acknowledge(Acknowledgement { arrived, next });
    }

    /// Sends all that may be sent; returns how much has been sent by then.
    fn send(window: &mut Window) -> u64 {
        window.next += window.room();
        window.next
    }

    #[test]
    fn it_doubles_until_something_is_lost() {
        let mut window = Window::new();
        assert_eq!(send(&mut window), INITIAL);
        assert_eq!(window.room(), 0);
        acknowledge(&mut window, INITIAL, INITIAL);
        assert_eq!(window.room(), 2 * INITIAL);
        let sent = send(&mut window);
        // One of them is not there.
        acknowledge(&mut window, sent - 4, sent - 3);
        assert_eq!(window.size, 3 * INITIAL + 6);
        acknowledge(&mut window, sent - 1, sent);
        assert_eq!(window.room(), (3 * INITIAL + 6) / 2);
        assert_eq!(window.arrived(), sent - 1);
    }

    #[test]
    fn what_comes_late_is_not_lost() {
        let mut window = Window::new();
        let sent = send(&mut window);
        acknowledge(&mut window, 4, 5);
        acknowledge(&mut window, 6, 6);
        acknowledge(&mut window, sent, sent);
        assert_eq!(window.room(), 2 * INITIAL);
    }

    #[test]
    fn losses_of_one_round_trip_count_once() {
        let mut window = Window::new();
        let sent = send(&mut window);
        for missing in 1..=2 {
            acknowledge(&mut window, 1 + missing, 2 + 2 * missing);
            acknowledge(&mut window, 1 + missing + 3, 2 + 2 * missing + 3);
        }
        assert!(window.recovery == sent && window.size <= INITIAL);
        let size = window.size;
        acknowledge(&mut window, sent - 3, sent);
        assert_eq!(window.size, size);
    }

    #[test]
    fn it_grows_by_one_a_window_after_a_loss() {
        let mut window = Window::new();
        let sent = send(&mut window);
        acknowledge(&mut window, 1, 2);
        acknowledge(&mut window, sent - 1, sent);
        let size = window.size;
        let sent = send(&mut window);
        acknowledge(&mut window, sent - 1, sent);
        assert_eq!(window.room(), size + 1);
    }

    #[test]
    fn it_never_grows_beyond_what_the_receiver_takes() {
        let mut window = Window::new();
        for _ in 0..20 {
            let sent = send(&mut window);
            acknowledge(&mut window, sent, sent);
        }
        assert_eq!(window.room(), MAXIMUM);
    }

    #[test]
    fn after_a_silence_it_begins_with_two() {
        let mut window = Window::new();
        send(&mut window);
        window.abandon();
        assert_eq!(window.room(), MINIMUM);
        let sent = send(&mut window);
        // What was given up is no news.
        acknowledge(&mut window, 2, sent);
        assert!(window.room() > MINIMUM, "{window:?}");
    }

    #[test]
    fn calls_are_worth_it_and_there_is_always_a_next_one() {
        let mut window = Window::new();
        assert_eq!(window.batch(20), INITIAL);
        assert_eq!(window.batch(4), 4);
        send(&mut window);
        acknowledge(&mut window, 1, 1);
        assert_eq!(window.batch(20), 0);
        acknowledge(&mut window, INITIAL, INITIAL);
        assert_eq!(window.batch(20), 20);
        window.abandon();
        assert_eq!(window.batch(20), MINIMUM);
    }

    #[test]
    fn old_and_impossible_acknowledgements_say_nothing() {
        let mut window = Window::new();
        let sent = send(&mut window);
        acknowledge(&mut window, 4, 4);
        let room = window.room();
        acknowledge(&mut window, 3, 3);
        acknowledge(&mut window, sent + 1, sent + 1);
        acknowledge(&mut window, sent, sent - 1);
        assert_eq!(window.room(), room);
    }
}
