//! Which frames a packet socket receives.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use crate::bpf::assembler::Instruction;
use crate::bpf::{BpfError, Program, ProgramKind};

/// The filter of packet sockets ([`PacketOptions::filter`](super::PacketOptions::filter)): a program that the
/// kernel runs for each frame. [`Divert`](crate::divert::Divert) and
/// [`StationFilter`](crate::station_filter::StationFilter) have one, which follows their tables.
#[derive(Debug, Clone)]
pub struct SocketFilter(Arc<Program>);

impl SocketFilter {
    pub(crate) fn load(name: &str, instructions: &[Instruction]) -> Result<Self, BpfError> {
        let program = Program::load(ProgramKind::SocketFilter, name, instructions)?;
        Ok(Self(Arc::new(program)))
    }
}

impl AsFd for SocketFilter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
