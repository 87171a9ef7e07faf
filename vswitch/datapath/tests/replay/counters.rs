//! What every counter of every port should have done.

use std::collections::BTreeMap;

use vswitch_datapath::{DropReason, PortId, Totals};

use crate::datagrams::{Delivery, HandOver};
use crate::tap_frame::TapFrame;

/// By port and name; what is not in it is zero.
pub(crate) type Changes = BTreeMap<(PortId, &'static str), u64>;

/// The change of one port's counters.
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct Change {
    port: PortId,
    counters: Vec<(&'static str, u64)>,
}

/// At `port`, nothing yet.
pub(crate) fn on(port: PortId) -> Change {
    Change {
        port,
        counters: vec![],
    }
}

impl Change {
    fn and(mut self, name: &'static str, count: u64) -> Self {
        self.counters.push((name, count));
        self
    }

    pub(crate) fn received<'f>(self, frames: impl IntoIterator<Item = &'f TapFrame>) -> Self {
        frames.into_iter().fold(self, |change, frame| {
            change
                .and("received_frames", 1)
                .and("received_bytes", frame.bytes.len() as u64)
                .and("received_super", frame.is_super().into())
        })
    }

    /// Datagrams, at an underlay.
    pub(crate) fn arrived<'d>(self, deliveries: impl IntoIterator<Item = &'d Delivery>) -> Self {
        deliveries.into_iter().fold(self, |change, delivery| {
            let is_super = delivery.datagrams.len() > 1;
            let change = change.and("received_super", is_super.into());
            delivery.datagrams.iter().fold(change, |change, datagram| {
                change
                    .and("received_frames", 1)
                    .and("received_bytes", datagram.len() as u64)
            })
        })
    }

    /// Received, but not believed to be a super-frame.
    pub(crate) fn received_refused(self, frame: &TapFrame) -> Self {
        self.and("received_frames", 1)
            .and("received_bytes", frame.bytes.len() as u64)
    }

    pub(crate) fn sent<'f>(self, frames: impl IntoIterator<Item = &'f TapFrame>) -> Self {
        frames.into_iter().fold(self, |change, frame| {
            change
                .and("sent_frames", 1)
                .and("sent_bytes", frame.bytes.len() as u64)
                .and("sent_super", frame.is_super().into())
        })
    }

    /// Datagrams, at a tunnel.
    pub(crate) fn handed_over<'h>(self, all: impl IntoIterator<Item = &'h HandOver>) -> Self {
        all.into_iter().fold(self, |change, one| {
            let frames = one.datagrams.iter().map(|datagram| datagram.len() - 8);
            change
                .and("sent_frames", 1)
                .and("sent_bytes", frames.sum::<usize>() as u64)
                .and("sent_super", (one.datagrams.len() > 1).into())
        })
    }

    pub(crate) fn dropped(self, reason: DropReason, count: u64) -> Self {
        self.and(reason.name(), count)
    }

    pub(crate) fn coalesced(self, datagrams: u64) -> Self {
        self.and("coalesced", datagrams)
    }

    pub(crate) fn segmented(self, super_frames: u64) -> Self {
        self.and("segmented", super_frames)
    }

    pub(crate) fn held(self, frames: u64) -> Self {
        self.and("held", frames)
    }

    pub(crate) fn fdb_full(self, addresses: u64) -> Self {
        self.and("fdb_full", addresses)
    }
}

/// All changes together.
pub(crate) fn sum(changes: impl IntoIterator<Item = Change>) -> Changes {
    let mut sum = Changes::new();
    for Change { port, counters } in changes {
        for (name, count) in counters {
            *sum.entry((port, name)).or_default() += count;
        }
    }
    sum.retain(|_, count| *count > 0);
    sum
}

/// Every counter of a port, by name.
pub(crate) fn list(totals: &Totals) -> impl Iterator<Item = (&'static str, u64)> {
    // Whoever adds a counter has to name it here.
    let Totals {
        received_frames,
        received_bytes,
        received_super,
        sent_frames,
        sent_bytes,
        sent_super,
        coalesced,
        segmented,
        held,
        fdb_full,
        ..
    } = *totals;
    [
        ("received_frames", received_frames),
        ("received_bytes", received_bytes),
        ("received_super", received_super),
        ("sent_frames", sent_frames),
        ("sent_bytes", sent_bytes),
        ("sent_super", sent_super),
        ("coalesced", coalesced),
        ("segmented", segmented),
        ("held", held),
        ("fdb_full", fdb_full),
    ]
    .into_iter()
    .chain(
        totals
            .dropped()
            .map(|(reason, count)| (reason.name(), count)),
    )
}

/// What is counted otherwise than expected, a line for each; `None` if nothing is.
pub(crate) fn difference(counted: &Changes, expected: &Changes) -> Option<String> {
    let keys: std::collections::BTreeSet<_> = counted.keys().chain(expected.keys()).collect();
    let lines: Vec<_> = keys
        .into_iter()
        .filter_map(|key @ (port, name)| {
            let [is, should] = [counted, expected].map(|map| map.get(key).copied().unwrap_or(0));
            (is != should)
                .then(|| format!("  port {} {name:<18} +{is}, expected +{should}", port.0))
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[test]
fn a_difference_names_what_is_missing_and_what_is_too_much() {
    let counted = sum([on(PortId(0)).dropped(DropReason::Hairpin, 1)]);
    let expected = sum([on(PortId(1)).fdb_full(2), on(PortId(1)).fdb_full(1)]);
    assert_eq!(difference(&counted, &counted), None);
    assert_eq!(
        difference(&counted, &expected).unwrap(),
        "  port 0 hairpin            +1, expected +0\n  port 1 fdb_full           +0, expected +3"
    );
}
