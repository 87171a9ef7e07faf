//! How far a lab has come, and how long it will take.

use std::time::Duration;

/// Runs that are over, and runs that are to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    done: u32,
    total: u32,
    /// What a run is thought to take before one was seen.
    guess: Duration,
}

/// What a run takes beside the time that it was given: programs are started, and end.
const OVERHEAD: Duration = Duration::from_secs(1);

impl Progress {
    pub(crate) const fn new(total: u32, seconds: u32) -> Self {
        Self {
            done: 0,
            total,
            guess: Duration::from_secs(seconds as u64).saturating_add(OVERHEAD),
        }
    }

    /// A run begins.
    pub(crate) const fn begin(&mut self) {
        self.done += 1;
        if self.total < self.done {
            self.total = self.done;
        }
    }

    /// These runs will not be.
    pub(crate) const fn leave_out(&mut self, runs: u32) {
        self.total = self.total.saturating_sub(runs);
        if self.total < self.done {
            self.total = self.done;
        }
    }

    /// In words: the run that is going on, how long it has been until it began, and what is left if all
    /// runs are like those before, with what was set up for them.
    pub(crate) fn told(&self, elapsed: Duration) -> String {
        let left = self.left(elapsed);
        let Self { done, total, .. } = self;
        format!(
            "[{done}/{total}, {} gone, about {} left]",
            clock(elapsed),
            clock(left)
        )
    }

    fn left(&self, elapsed: Duration) -> Duration {
        let finished = self.done.saturating_sub(1);
        let each = elapsed.checked_div(finished).unwrap_or(self.guess);
        each * (self.total - finished)
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_like_what_was() {
        let mut progress = Progress::new(11, 3);
        progress.begin();
        let told = progress.told(Duration::from_secs(2));
        assert_eq!(told, "[1/11, 0:02 gone, about 0:44 left]");
        progress.begin();
        let told = progress.told(Duration::from_secs(65));
        assert_eq!(told, "[2/11, 1:05 gone, about 10:50 left]");
    }

    #[test]
    fn what_is_left_out_takes_no_time() {
        let mut progress = Progress::new(11, 3);
        progress.begin();
        progress.begin();
        progress.leave_out(9);
        let told = progress.told(Duration::from_secs(5));
        assert_eq!(told, "[2/2, 0:05 gone, about 0:05 left]");
        progress.leave_out(9);
        progress.begin();
        assert_eq!((progress.done, progress.total), (3, 3));
    }
}
