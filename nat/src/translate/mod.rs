//! Frames: what is in them, and rewriting it in place.

pub(crate) mod error;
pub(crate) mod extensions;
pub(crate) mod fields;
pub(crate) mod icmp;
pub(crate) mod packet;
pub(crate) mod quote;
pub(crate) mod sctp;
pub(crate) mod sum;
