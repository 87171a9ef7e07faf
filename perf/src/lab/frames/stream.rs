//! What a port sends in a trial.

use std::time::Duration;

use vswitch_packet::MacAddr;

use super::frame::{DESTINATION, PORTS, SOURCE, SOURCE_PORT};

/// Frames from one port.
#[derive(Debug, Clone)]
pub(in crate::lab) struct Stream {
    /// The port that sends.
    pub(in crate::lab) from: usize,
    /// Whom to.
    pub(in crate::lab) aim: Aim,
    /// Octets of each, without the check sequence.
    pub(in crate::lab) length: usize,
    /// How they differ.
    pub(in crate::lab) variety: Variety,
    /// What is wrong with them.
    pub(in crate::lab) damage: Damage,
    /// How fast and how long, one after the other.
    pub(in crate::lab) phases: Vec<Phase>,
}

/// Whom frames are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::lab) enum Aim {
    /// These ports, each in turn.
    Ports(Vec<usize>),
    /// All other ports, by the broadcast address.
    Everybody,
}

/// How the frames of a stream differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum Variety {
    /// Not at all.
    One,
    /// This many flows, each in turn, by their ports.
    Flows(u32),
    /// From many stations, each in turn.
    From(Stations),
    /// To many stations, each in turn.
    To(Stations),
    /// From many stations to many.
    FromTo(Stations, Stations),
}

/// MAC addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) struct Stations {
    /// The number of the first.
    pub(in crate::lab) first: u32,
    /// How many.
    pub(in crate::lab) count: u32,
}

/// What is wrong with frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum Damage {
    /// Nothing.
    None,
    /// The IPv4 packet says that it is longer than the frame.
    Cut,
}

/// A part of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) struct Phase {
    /// Frames a second; as many as can be made if none.
    pub(in crate::lab) rate: Option<u64>,
    /// When it ends.
    pub(in crate::lab) end: End,
}

/// When a phase ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lab) enum End {
    /// After a time.
    After(Duration),
    /// After this many frames.
    Frames(u64),
}

impl Stream {
    /// Frames that are all the same, from a port to another.
    pub(in crate::lab) fn new(from: usize, to: usize, length: usize, phase: Phase) -> Self {
        Self {
            from,
            aim: Aim::Ports(vec![to]),
            length,
            variety: Variety::One,
            damage: Damage::None,
            phases: vec![phase],
        }
    }
}

impl Phase {
    /// At a rate, or as fast as it goes, for a time.
    pub(in crate::lab) const fn lasting(rate: Option<u64>, time: Duration) -> Self {
        Self {
            rate,
            end: End::After(time),
        }
    }

    /// At a rate, or as fast as it goes, this many frames.
    pub(in crate::lab) const fn counting(rate: Option<u64>, frames: u64) -> Self {
        Self {
            rate,
            end: End::Frames(frames),
        }
    }
}

impl Variety {
    /// Makes a frame that of its number in the stream.
    pub(super) fn apply(self, sequence: u32, frame: &mut [u8]) {
        match self {
            Self::One => {}
            Self::Flows(count) => {
                let [from, to] = ports(sequence % count);
                frame[SOURCE_PORT..][..2].copy_from_slice(&from.to_be_bytes());
                frame[SOURCE_PORT + 2..][..2].copy_from_slice(&to.to_be_bytes());
            }
            Self::From(stations) => put(stations.turn(sequence), &mut frame[SOURCE..]),
            Self::To(stations) => put(stations.turn(sequence), &mut frame[DESTINATION..]),
            Self::FromTo(sources, destinations) => {
                Self::From(sources).apply(sequence, frame);
                Self::To(destinations).apply(sequence, frame);
            }
        }
    }
}

impl Stations {
    fn turn(self, sequence: u32) -> MacAddr {
        let [a, b, c, d] = (self.first + sequence % self.count).to_be_bytes();
        // Locally administered, and unlike those of containers.
        MacAddr([0x06, 0x25, a, b, c, d])
    }
}

fn put(mac: MacAddr, place: &mut [u8]) {
    place[..6].copy_from_slice(&mac.0);
}

/// The ports of a flow.
fn ports(flow: u32) -> [u16; 2] {
    const SOURCES: u32 = 1000;
    let [from, to] = PORTS;
    [from + (flow % SOURCES) as u16, to + (flow / SOURCES) as u16]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_hundred_thousand_flows_have_ports_of_their_own() {
        let all: HashSet<_> = (0..100_000).map(ports).collect();
        assert_eq!(all.len(), 100_000);
        assert_eq!(ports(0), PORTS);
    }

    #[test]
    fn stations_come_in_turn_and_are_valid() {
        let stations = Stations {
            first: 70_000,
            count: 3,
        };
        let turns: Vec<_> = (0..6).map(|sequence| stations.turn(sequence)).collect();
        assert_eq!(turns[..3], turns[3..]);
        assert_eq!(turns.iter().collect::<HashSet<_>>().len(), 3);
        assert!(turns.iter().all(|mac| mac.is_valid_source()));
    }

    #[test]
    fn varieties_change_what_they_say() {
        let plain = [0; 60];
        let changed = |variety: Variety| {
            let mut frame = plain;
            variety.apply(1, &mut frame);
            (0..60).filter(|at| frame[*at] != 0).collect::<Vec<_>>()
        };
        let two = Stations {
            first: 0x0101_0101,
            count: 2,
        };
        assert!(changed(Variety::One).is_empty());
        assert_eq!(changed(Variety::Flows(2)), [34, 35, 36, 37]);
        assert_eq!(changed(Variety::From(two)), [6, 7, 8, 9, 10, 11]);
        assert_eq!(changed(Variety::To(two)), [0, 1, 2, 3, 4, 5]);
        assert_eq!(changed(Variety::FromTo(two, two)).len(), 12);
    }
}
