//! Raw Ethernet frames at chosen rates, and what became of each of them: the tester of RFC 2544 and RFC 2889.
//!
//! A port is a packet socket in a container's namespace. Its thread sends with `sendmmsg`, through the
//! interface's queueing discipline as everything else does; another receives with `recvmmsg`. The threads are
//! the lab's own: a socket belongs to the namespace it was made in.
//!
//! What differs from a tester with ports of its own, and has to be known of every figure:
//!
//! - Tester and switch share the processors. The peer `wire` has nothing between its ports: what the tester does
//!   through it is the most that any switch can show here.
//! - At full load a switch that works in the sender's own thread, as the kernel's does, cannot be overloaded: the sender
//!   gets slower. One with threads of its own competes with the sender for the processors, and loses. Rates
//!   without loss and maximum forwarding rates compare; what is lost at full load tells how an overload is borne.
//! - Frames leave in small bursts, as a thread cannot sleep for a microsecond ([`pacer`]).
//! - Lengths are without the frame check sequence, which no virtual interface has: the RFCs' 64, 512 and 1518
//!   octets are 60, 508 and 1514 here.
//! - The frames' UDP checksum is zero, which nobody vouches for, so no switch joins them to super-frames.

mod frame;
mod histogram;
mod pacer;
mod port;
mod receiver;
mod rig;
mod search;
mod sender;
mod stream;
mod tally;
mod throughput;
mod trial;

pub(super) use rig::Rig;
pub(super) use search::highest;
pub(super) use stream::{Aim, Damage, Phase, Stations, Stream, Variety};
pub(super) use throughput::{most, seek};
pub(super) use trial::Trial;

/// Octets of a frame without its check sequence, for a length as the RFCs have it.
pub(super) const fn without_check_sequence(length: usize) -> usize {
    length - 4
}
