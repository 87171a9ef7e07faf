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
        name: "nat",
        help: "From a container to the outside and from there to a published port",
        by_default: true,
        cases: outside::CASES,
    },
    Group {
        name: "overlay",
        help: "Between containers on two hosts",
        by_default: true,
        cases: overlay::CASES,
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
