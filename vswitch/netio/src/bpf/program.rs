//! Programs: what the kernel runs for each packet.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::BpfError;
use super::assembler::Instruction;
use super::syscall::{Command, bpf_open};

/// A program that the verifier accepted. It lives as long as something that it is attached to, or this
/// handle.
#[derive(Debug)]
pub(crate) struct Program(OwnedFd);

/// What a program is for, and so what it is given and what its result means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgramKind {
    /// Of a frame and a socket: how many bytes the socket gets.
    SocketFilter,
    /// Of a frame at a `tc` hook: a `TC_ACT_*`.
    Classifier,
    /// Of a connection or datagram that comes in: `SK_PASS`, with or without a socket assigned.
    SocketLookup,
}

/// What a program says of a frame that is not ours, and of one that is: a classifier asks the next one, or
/// drops (`linux/pkt_cls.h`); a socket gets no bytes, or as many as there are.
pub(crate) const fn no_and_yes(purpose: Purpose) -> (i32, i32) {
    const TC_ACT_SHOT: i32 = 2;
    const TC_ACT_UNSPEC: i32 = -1;
    match purpose {
        Purpose::Ingress => (TC_ACT_UNSPEC, TC_ACT_SHOT),
        Purpose::Socket => (0, i32::MAX),
    }
}

/// Where a program that tells our frames from the kernel's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// At the ingress hook: what is ours is dropped.
    Ingress,
    /// At a packet socket: what is ours passes.
    Socket,
}

/// The part of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct Load {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach_type: u32,
}

/// The part of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
struct Link {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

/// `BPF_SK_LOOKUP` of `enum bpf_attach_type`.
const SK_LOOKUP: u32 = 36;

/// Room for what the verifier says.
const LOG_SIZE: usize = 64 << 10;

/// How much of it an error tells, in bytes.
const LOG_TOLD: usize = 400;

impl Program {
    /// Hands a program to the verifier. The name, of up to 15 letters, is what `bpftool` shows.
    pub(crate) fn load(
        kind: ProgramKind,
        name: &str,
        instructions: &[Instruction],
    ) -> Result<Self, BpfError> {
        const ACTION: &str = "load a BPF program";
        if let Ok(program) = Self::try_load(kind, name, instructions, &mut []) {
            return Ok(program);
        }
        // Only now, as the log costs the verifier time; and a log that is too short fails the load.
        let mut log = vec![0; LOG_SIZE];
        let errno = match Self::try_load(kind, name, instructions, &mut log) {
            Ok(program) => return Ok(program),
            Err(errno) => errno,
        };
        let text = log.split(|&byte| byte == 0).next().unwrap_or_default();
        let told = &text[text.len().saturating_sub(LOG_TOLD)..];
        if told.is_empty() {
            return Err(BpfError::call(ACTION)(errno));
        }
        Err(BpfError::Rejected {
            action: ACTION,
            errno,
            log: String::from_utf8_lossy(told).trim().to_owned(),
        })
    }

    fn try_load(
        kind: ProgramKind,
        name: &str,
        instructions: &[Instruction],
        log: &mut [u8],
    ) -> Result<Self, rustix::io::Errno> {
        let mut attributes = Load {
            kind: kind.number(),
            instruction_count: u32::try_from(instructions.len()).unwrap_or(u32::MAX),
            instructions: instructions.as_ptr() as u64,
            // The helpers that are called are open to programs of any licence.
            license: c"Apache-2.0".as_ptr() as u64,
            log_level: u32::from(!log.is_empty()),
            log_size: u32::try_from(log.len()).unwrap_or(u32::MAX),
            log: if log.is_empty() {
                0
            } else {
                log.as_mut_ptr() as u64
            },
            kernel_version: 0,
            flags: 0,
            name: [0; 16],
            interface: 0,
            expected_attach_type: if kind == ProgramKind::SocketLookup {
                SK_LOOKUP
            } else {
                0
            },
        };
        for (to, from) in attributes.name.iter_mut().take(15).zip(name.bytes()) {
            *to = from;
        }
        // SAFETY: the attributes are those of the command, which makes a descriptor. They point at as
        // many instructions and as long a log, exclusively borrowed, as they say, and at a text that
        // ends with zero.
        unsafe { bpf_open(Command::ProgramLoad, &mut attributes) }.map(Self)
    }

    /// Runs a [`ProgramKind::SocketLookup`] in a network namespace, until the descriptor is closed.
    pub(crate) fn attach_to_netns(&self, netns: BorrowedFd<'_>) -> Result<OwnedFd, BpfError> {
        let mut attributes = Link {
            program: self.0.as_raw_fd().cast_unsigned(),
            target: netns.as_raw_fd().cast_unsigned(),
            attach_type: SK_LOOKUP,
            flags: 0,
        };
        // SAFETY: the attributes are those of the command, which makes a descriptor; no pointer in them.
        unsafe { bpf_open(Command::LinkCreate, &mut attributes) }
            .map_err(BpfError::call("attach a BPF program to a namespace"))
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl ProgramKind {
    /// `enum bpf_prog_type` of `linux/bpf.h`.
    const fn number(self) -> u32 {
        match self {
            Self::SocketFilter => 1,
            Self::Classifier => 3,
            Self::SocketLookup => 30,
        }
    }
}
