//! The router, the whole way: from a container or from outside, through translation, and out.

mod conservation;
mod crossing;
mod errors;
mod fragments;
mod hosts;
mod isolation;
mod martians;
mod neighbours;
mod point_to_point;
mod published;
