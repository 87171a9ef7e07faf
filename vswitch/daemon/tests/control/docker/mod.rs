//! Docker's plugin socket, spoken to as Docker speaks: what it sends, answered; what nobody should send, refused.

mod crash;
mod disorder;
mod exchange;
mod malformed;
mod network;
mod pool;
mod recorded;
