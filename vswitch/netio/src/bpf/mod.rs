//! eBPF as far as this crate needs it: maps, programs of a few dozen instructions that are written
//! here, and no compiler.

pub(crate) mod assembler;
mod error;
mod map;
mod program;
mod syscall;

pub use error::BpfError;
pub(crate) use map::Map;
pub(crate) use program::{Program, ProgramKind, Purpose, no_and_yes};
