//! The cases, one file for each group. A new case is a line in one of them.

mod docker;
mod lan;
mod outside;
mod overlay;
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
];
