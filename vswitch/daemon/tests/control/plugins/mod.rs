//! Somebody else's plugins: a scripted one, which keeps books, against what the daemon and the kernel have.

mod address;
mod attach;
mod failure;
mod network;
mod restart;
mod scripted;
