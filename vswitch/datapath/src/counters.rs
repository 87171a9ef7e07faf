//! Counters of a port: one lane for each worker, so that counting costs a plain store.

use core::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use crate::verdict::DropReason;

/// A number that one worker increases and anybody may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the lane's own worker may call this: a load and a store instead of a locked
    /// addition.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).wrapping_add(n),
            Ordering::Relaxed,
        );
    }

    /// The present value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one worker has counted at one port. "Received" is what came from the endpoint.
#[derive(Debug)]
pub struct Lane {
    /// Frames received; a super-frame counts once.
    pub received_frames: Counter,
    /// Octets received, Ethernet headers included.
    pub received_bytes: Counter,
    /// Super-frames among the frames received.
    pub received_super: Counter,
    /// Frames sent, as they were written: a merged train counts once.
    pub sent_frames: Counter,
    /// Octets sent.
    pub sent_bytes: Counter,
    /// Super-frames among the frames sent: whole from another port, or merged here.
    pub sent_super: Counter,
    /// Datagrams that were merged into a super-frame before they were sent.
    pub coalesced: Counter,
    /// Super-frames that had to be segmented because this port cannot take them.
    pub segmented: Counter,
    /// Frames received that had to wait: for a neighbour, or for their first fragment. Each comes
    /// to another end later, or waits in vain.
    pub held: Counter,
    /// Source addresses not learned because the FDB was full.
    pub fdb_full: Counter,
    drops: [Counter; DropReason::COUNT],
}

impl Default for Lane {
    fn default() -> Self {
        Self {
            received_frames: Counter::default(),
            received_bytes: Counter::default(),
            received_super: Counter::default(),
            sent_frames: Counter::default(),
            sent_bytes: Counter::default(),
            sent_super: Counter::default(),
            coalesced: Counter::default(),
            segmented: Counter::default(),
            held: Counter::default(),
            fdb_full: Counter::default(),
            drops: core::array::from_fn(|_| Counter::default()),
        }
    }
}

impl Lane {
    /// Counts one frame dropped for `reason`.
    #[inline]
    pub fn dropped(&self, reason: DropReason) {
        if let Some(counter) = self.drops.get(reason.index()) {
            counter.add(1);
        }
    }
}

/// The counters of one port. They outlive a change of the topology, not the port.
#[derive(Debug)]
pub struct PortCounters {
    lanes: Box<[CachePadded<Lane>]>,
}

impl PortCounters {
    /// One lane for each of `workers`, at least one.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            lanes: (0..workers.max(1))
                .map(|_| CachePadded::default())
                .collect(),
        }
    }

    /// The lane of worker number `worker`.
    #[inline]
    #[must_use]
    pub fn lane(&self, worker: usize) -> &Lane {
        &self.lanes[worker % self.lanes.len()]
    }

    /// The sum over all lanes.
    #[must_use]
    pub fn total(&self) -> Totals {
        let sum = |field: fn(&Lane) -> &Counter| self.lanes.iter().map(|l| field(l).get()).sum();
        Totals {
            received_frames: sum(|l| &l.received_frames),
            received_bytes: sum(|l| &l.received_bytes),
            received_super: sum(|l| &l.received_super),
            sent_frames: sum(|l| &l.sent_frames),
            sent_bytes: sum(|l| &l.sent_bytes),
            sent_super: sum(|l| &l.sent_super),
            coalesced: sum(|l| &l.coalesced),
            segmented: sum(|l| &l.segmented),
            held: sum(|l| &l.held),
            fdb_full: sum(|l| &l.fdb_full),
            drops: core::array::from_fn(|reason| {
                self.lanes
                    .iter()
                    .map(|l| l.drops.get(reason).map_or(0, Counter::get))
                    .sum()
            }),
        }
    }
}

/// A reading of a port's counters; the fields are those of [`Lane`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of Lane")]
pub struct Totals {
    pub received_frames: u64,
    pub received_bytes: u64,
    pub received_super: u64,
    pub sent_frames: u64,
    pub sent_bytes: u64,
    pub sent_super: u64,
    pub coalesced: u64,
    pub segmented: u64,
    pub held: u64,
    pub fdb_full: u64,
    drops: [u64; DropReason::COUNT],
}

impl Totals {
    /// Frames dropped for `reason`.
    #[must_use]
    pub fn drops(&self, reason: DropReason) -> u64 {
        self.drops.get(reason.index()).copied().unwrap_or(0)
    }

    /// Reasons that dropped a frame, with how many.
    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL
            .iter()
            .map(|&r| (r, self.drops(r)))
            .filter(|&(_, count)| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_add_up() {
        let counters = PortCounters::new(2);
        counters.lane(0).received_frames.add(3);
        counters.lane(1).received_frames.add(4);
        counters.lane(1).dropped(DropReason::TooBig);
        let totals = counters.total();
        assert_eq!(totals.received_frames, 7);
        assert_eq!(
            totals.dropped().collect::<Vec<_>>(),
            [(DropReason::TooBig, 1)]
        );
    }
}
