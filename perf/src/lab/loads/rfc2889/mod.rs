//! RFC 2889: frames between several ports of a switch that learns.
//!
//! Not here: what needs a physical layer. A virtual interface has no check sequence, no alignment and no
//! smallest gap (§5.9 in part, the gaps of §5.6), and the interface itself refuses frames that are longer than its MTU or
//! shorter than an Ethernet header.

mod broadcast;
mod caching;
mod congestion;
mod errored;
mod learning;
mod mesh;

pub(in crate::lab) use broadcast::Broadcast;
pub(in crate::lab) use caching::Caching;
pub(in crate::lab) use congestion::Congestion;
pub(in crate::lab) use errored::Errored;
pub(in crate::lab) use learning::Learning;
pub(in crate::lab) use mesh::Mesh;

use anyhow::Result;

use crate::lab::frames::{Aim, Phase, Rig, Stations, Stream, Trial, Variety};

/// Octets of a frame without its check sequence: the RFCs' 64.
const LENGTH: usize = 60;

/// The three ports of the tests of the address table (RFC 2889 §5.7): one asks for addresses, another has
/// them, and at the third nothing should be seen.
const TEST: usize = 0;
const LEARNING: usize = 1;

/// Frames to each of the addresses, of which none is lost; what the monitor sees of them was flooded.
fn ask(rig: &Rig, stations: Stations) -> Result<Trial> {
    rig.whole(|rate| {
        let phase = Phase::counting(Some(rate), stations.count.into());
        let mut stream = Stream::new(TEST, LEARNING, LENGTH, phase);
        stream.variety = Variety::To(stations);
        stream
    })
}

/// Frames from each port to each other one, in turn (RFC 2889 §5.1), starting with the next.
fn full_mesh(ports: usize, phase: Phase) -> Vec<Stream> {
    let stream = |from: usize| {
        let others = (1..ports).map(|step| (from + step) % ports);
        Stream {
            aim: Aim::Ports(others.collect()),
            ..Stream::new(from, from, LENGTH, phase)
        }
    };
    (0..ports).map(stream).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn in_a_mesh_every_port_sends_to_every_other_and_receives_from_one_at_a_time() {
        let mesh = full_mesh(4, Phase::lasting(None, Duration::ZERO));
        let targets: Vec<_> = mesh
            .iter()
            .map(|stream| match &stream.aim {
                Aim::Ports(ports) => ports.clone(),
                Aim::Everybody => Vec::new(),
            })
            .collect();
        assert_eq!(targets[1], [2, 3, 0]);
        for turn in 0..3 {
            let mut now: Vec<_> = targets.iter().map(|ports| ports[turn]).collect();
            now.sort_unstable();
            assert_eq!(now, [0, 1, 2, 3]);
        }
    }
}
