//! Which queue of a TAP a frame of the container goes to, and so which worker.
//!
//! The two directions of a conversation go to queues beside each other: a question and its answer, or data and its
//! acknowledgements, are carried by two workers at once. By itself the kernel sends a flow's frames to the queue
//! that its answers were last written to (`tun_flow_update`), one worker for both, and computes a hash with a
//! secret for every frame read or written to find that out.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

use super::{home, ioctl};
use crate::bpf::assembler::Register::{R0, R1, R6, R7, R8, R9, R10};
use crate::bpf::assembler::{
    Alu, Assembler, Condition, Instruction, Label, Register, Width, network,
};
use crate::bpf::{BpfError, Map, Program, ProgramKind};
use crate::mapping::SharedWords;

/// The end of the sender's MAC address, and behind it the EtherType.
const SENDER: i32 = 8;
const SENDER_LENGTH: i32 = 4;
const ETHERNET_LENGTH: i32 = 14;
const IPV6_LENGTH: i32 = 40;
const IPV4_LENGTH: i32 = 20;

/// The stack: the IP header, and in front of it the ports.
const HEADER: i16 = -40;
const PORTS: i16 = HEADER - 8;
/// Before there are ports, what [`SENDER`] is about.
const SOURCE: i16 = PORTS;

/// Protocols whose header begins with two ports.
const WITH_PORTS: [i32; 3] = [libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_SCTP];

/// Spreads neighbouring numbers (2^32 divided by the golden ratio, odd).
pub(super) const SPREAD: i32 = 0x9e37_79b1_u32.cast_signed();

/// The program, and where it notes who sent from where.
struct Steering {
    program: Program,
    homes: SharedWords,
}

/// All TAPs run the same one.
static STEERING: OnceLock<Option<Steering>> = OnceLock::new();

/// Loads the program that chooses the queues of TAPs, before the first of them would.
pub fn load_steering() {
    STEERING.get_or_init(|| load().ok());
}

/// What the program noted, if there is one.
pub(super) fn homes() -> Option<&'static SharedWords> {
    Some(&STEERING.get()?.as_ref()?.homes)
}

/// Steers a TAP all of whose queues are there. A kernel that does not take the program (before 4.16, or without
/// CAP_BPF) goes on in its own way.
pub(super) fn steer(tap: BorrowedFd<'_>) {
    if let Some(steering) = STEERING.get_or_init(|| load().ok()) {
        let _ = ioctl::set_steering(tap, steering.program.as_fd());
    }
}

fn load() -> Result<Steering, BpfError> {
    let homes = home::map()?;
    let program = program(&homes);
    Ok(Steering {
        program: Program::load(ProgramKind::SocketFilter, "vswitch_steer", &program)?,
        homes: homes.memory()?,
    })
}

/// The program, which notes where it runs first; the kernel takes its result modulo the number of queues. R6: the
/// frame. R7 and R8: the addresses, folded. R9: where the ports would be.
///
/// Of a flow it looks only at what all of its frames have, so that they stay in order. A fragment's ports may be in
/// another one: there addresses have to do, as in Linux' own hash (`__skb_flow_dissect`).
fn program(homes: &Map) -> Vec<Instruction> {
    let mut asm = Assembler::default();
    let [ipv6, ports, addresses, forward, other] = [(); 5].map(|()| asm.label());

    asm.mov(R6, R1);
    asm.load_frame(SENDER, SENDER_LENGTH + 2, SOURCE, other);
    home::note(&mut asm, homes, SOURCE, HEADER);
    asm.load(Width::Half, R0, R10, SOURCE + SENDER_LENGTH as i16);
    asm.jump_if(R0, Condition::Equal, network(libc::ETH_P_IPV6), ipv6);
    asm.jump_if(R0, Condition::NotEqual, network(libc::ETH_P_IP), other);

    asm.load_frame(ETHERNET_LENGTH, IPV4_LENGTH, HEADER, other);
    asm.load(Width::Word, R7, R10, HEADER + 12);
    asm.load(Width::Word, R8, R10, HEADER + 16);
    // More fragments, or not the first one.
    asm.load(Width::Half, R0, R10, HEADER + 6);
    asm.alu(Alu::And, R0, network(0x3fff));
    asm.jump_if(R0, Condition::NotEqual, 0, addresses);
    asm.load(Width::Byte, R9, R10, HEADER);
    asm.alu(Alu::And, R9, 0x0f);
    asm.alu(Alu::ShiftLeft, R9, 2);
    asm.alu(Alu::Add, R9, ETHERNET_LENGTH);
    asm.load(Width::Byte, R0, R10, HEADER + 9);
    has_ports(&mut asm, ports);
    asm.jump(addresses);

    asm.bind(ipv6);
    asm.load_frame(ETHERNET_LENGTH, IPV6_LENGTH, HEADER, other);
    fold(&mut asm, R7, HEADER + 8);
    fold(&mut asm, R8, HEADER + 24);
    asm.mov(R9, ETHERNET_LENGTH + IPV6_LENGTH);
    asm.load(Width::Byte, R0, R10, HEADER + 6);
    has_ports(&mut asm, ports);
    asm.jump(addresses);

    asm.bind(ports);
    asm.load_frame(R9, 4, PORTS, addresses);
    asm.load(Width::Half, R9, R10, PORTS);
    asm.load(Width::Half, R0, R10, PORTS + 2);
    asm.alu(Alu::Xor, R9, R0);
    asm.jump(forward);

    asm.bind(addresses);
    asm.mov(R9, 0);

    // The same for both directions; one of them goes to the next queue.
    asm.bind(forward);
    let same_or_below = asm.label();
    asm.mov(R0, R9);
    asm.alu(Alu::Xor, R0, R7);
    asm.alu(Alu::Xor, R0, R8);
    asm.alu(Alu::Mul, R0, SPREAD);
    asm.alu(Alu::ShiftRight, R0, 32);
    asm.jump_if(R8, Condition::Above, R7, same_or_below);
    asm.alu(Alu::Add, R0, 1);
    asm.bind(same_or_below);
    asm.exit();

    // ARP, and what has a tag in it.
    asm.bind(other);
    asm.mov(R0, 0);
    asm.exit();
    asm.finish()
}

/// Goes to `ports` if the protocol in R0 has some.
fn has_ports(asm: &mut Assembler, ports: Label) {
    for protocol in WITH_PORTS {
        asm.jump_if(R0, Condition::Equal, protocol, ports);
    }
}

/// An IPv6 address of the stack as 32 bits.
fn fold(asm: &mut Assembler, to: Register, at: i16) {
    asm.load(Width::Word, to, R10, at);
    for word in 1..4 {
        asm.load(Width::Word, R0, R10, at + 4 * word);
        asm.alu(Alu::Xor, to, R0);
    }
}
