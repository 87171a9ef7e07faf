//! The cases, one file for each group. A new case is a line in one of them.

mod attach;
mod docker;
mod flows;
mod footprint;
mod lan;
mod outside;
mod overlay;
mod rfc2544;
mod rfc2889;
mod scaling;
mod soak;
mod switching;

use super::case::Group;

pub(super) static GROUPS: &[Group] = &[
    Group {
        name: "switching",
        help: "Between two containers of one network",
        by_default: true,
        cases: switching::CASES,
    },
    Group {
        name: "switching-more",
        help: "Between two containers of one network, other loads",
        by_default: false,
        cases: switching::MORE,
    },
    Group {
        name: "nat",
        help: "From a container to the outside and from there to a published port",
        by_default: true,
        cases: outside::CASES,
    },
    Group {
        name: "nat-more",
        help: "From a container to the outside and from there to a published port, other loads",
        by_default: false,
        cases: outside::MORE,
    },
    Group {
        name: "overlay",
        help: "Between containers on two hosts",
        by_default: true,
        cases: overlay::CASES,
    },
    Group {
        name: "overlay-more",
        help: "Between containers on two hosts, other loads",
        by_default: false,
        cases: overlay::MORE,
    },
    Group {
        name: "lan",
        help: "From a container on the physical network to a neighbour, and back",
        by_default: true,
        cases: lan::CASES,
    },
    Group {
        name: "docker",
        help: "How long Docker takes to bring a container onto a network",
        by_default: true,
        cases: docker::CASES,
    },
    Group {
        name: "rfc2544",
        help: "Frames between two ports: throughput, latency, loss, bursts, recovery (RFC 2544)",
        by_default: false,
        cases: rfc2544::CASES,
    },
    Group {
        name: "rfc2889",
        help: "Frames between several ports: meshes, congestion, addresses, broadcast (RFC 2889)",
        by_default: false,
        cases: rfc2889::CASES,
    },
    Group {
        name: "soak",
        help: "A steady rate of frames: loss, delay and its variation, memory (RFC 8204)",
        by_default: false,
        cases: soak::CASES,
    },
    Group {
        name: "flows",
        help: "As many frames as can be sent, among many flows and among many MAC addresses",
        by_default: false,
        cases: flows::CASES,
    },
    Group {
        name: "attach",
        help: "How long 100 containers take to come to a network, and to go",
        by_default: true,
        cases: attach::CASES,
    },
    Group {
        name: "scaling",
        help: "With 1, 2 or 4 workers, and with 2 to 1000 ports",
        by_default: false,
        cases: scaling::CASES,
    },
    // Behind those with as many ports: they share what is set up.
    Group {
        name: "footprint",
        help: "What 1000 ports take of memory, and of the processor when nothing happens",
        by_default: false,
        cases: footprint::CASES,
    },
];
