//! An assembler for eBPF (RFC 9669): one method an instruction, and labels to jump to.

use std::os::fd::{AsFd, AsRawFd};

use super::Map;

/// A register. [`Register::R0`] has results, [`Register::R1`] to [`Register::R5`] the arguments of a call,
/// which forgets them; [`Register::R6`] to [`Register::R9`] are kept. [`Register::R10`] is the end of the
/// stack, which grows down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Register {
    R0,
    R1,
    R2,
    R3,
    R4,
    R6 = 6,
    R7,
    R8,
    R9,
    R10,
}

/// How much a load or a store moves (RFC 9669 §5).
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Width {
    Word = 0x00,
    Half = 0x08,
    Byte = 0x10,
    Double = 0x18,
}

/// Arithmetic on 64 bits (RFC 9669 §4.1).
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Alu {
    Add = 0x00,
    Mul = 0x20,
    And = 0x50,
    ShiftLeft = 0x60,
    ShiftRight = 0x70,
    Xor = 0xa0,
    Move = 0xb0,
}

/// Conditions of jumps, on 64 bits without sign (RFC 9669 §4.3).
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(crate) enum Condition {
    Equal = 0x10,
    Above = 0x20,
    NotEqual = 0x50,
}

/// Functions of the kernel, by their number in `linux/bpf.h`.
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
pub(crate) enum Helper {
    /// (map, key) → value or 0
    MapLookup = 1,
    /// () → the number of the processor it runs on
    Processor = 8,
    /// (frame, offset, to, length) → 0 or an error
    LoadBytes = 26,
    /// (socket)
    SocketRelease = 86,
    /// (context, socket, flags) → 0 or an error
    SocketAssign = 124,
}

/// The second operand: a register or a number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Operand {
    Register(Register),
    Number(i32),
}

/// A place in the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label(usize);

/// `struct bpf_insn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    opcode: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// A program that is being written.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    instructions: Vec<Instruction>,
    /// Where each label is.
    labels: Vec<usize>,
    /// The jumps, and where to.
    jumps: Vec<(usize, Label)>,
}

/// Instruction classes (RFC 9669 §3.1) and modifiers.
const LOAD_IMMEDIATE_DOUBLE: u8 = 0x18;
const LOAD: u8 = 0x61;
const STORE_NUMBER: u8 = 0x62;
const STORE_REGISTER: u8 = 0x63;
const BYTE_SWAP_TO_BIG_ENDIAN: u8 = 0xdc;
const JUMP: u8 = 0x05;
const ALU64: u8 = 0x07;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const FROM_REGISTER: u8 = 0x08;
const MAP_BY_DESCRIPTOR: u8 = 1;
const MAP_VALUE_BY_DESCRIPTOR: u8 = 2;

impl Assembler {
    pub(crate) fn alu(&mut self, operation: Alu, to: Register, operand: impl Into<Operand>) {
        self.binary(ALU64 | operation as u8, to, operand.into());
    }

    pub(crate) fn mov(&mut self, to: Register, operand: impl Into<Operand>) {
        self.alu(Alu::Move, to, operand);
    }

    /// Takes the low 16 bits of a register from network to host byte order, or back.
    pub(crate) fn network_half(&mut self, register: Register) {
        self.push(BYTE_SWAP_TO_BIG_ENDIAN, register as u8, 0, 0, 16);
    }

    pub(crate) fn load(&mut self, width: Width, to: Register, from: Register, offset: i16) {
        self.push(LOAD | width as u8, to as u8, from as u8, offset, 0);
    }

    pub(crate) fn store(
        &mut self,
        width: Width,
        to: Register,
        offset: i16,
        operand: impl Into<Operand>,
    ) {
        match operand.into() {
            Operand::Register(from) => self.push(
                STORE_REGISTER | width as u8,
                to as u8,
                from as u8,
                offset,
                0,
            ),
            Operand::Number(number) => {
                self.push(STORE_NUMBER | width as u8, to as u8, 0, offset, number);
            }
        }
    }

    /// Puts a map in a register, for a [`Helper`].
    pub(crate) fn load_map(&mut self, to: Register, map: &Map) {
        let fd = map.as_fd().as_raw_fd();
        self.push(LOAD_IMMEDIATE_DOUBLE, to as u8, MAP_BY_DESCRIPTOR, 0, fd);
        self.push(0, 0, 0, 0, 0);
    }

    /// Puts the address of the one value of an array in a register (Linux 5.2).
    pub(crate) fn load_map_value(&mut self, to: Register, map: &Map) {
        let fd = map.as_fd().as_raw_fd();
        self.push(
            LOAD_IMMEDIATE_DOUBLE,
            to as u8,
            MAP_VALUE_BY_DESCRIPTOR,
            0,
            fd,
        );
        self.push(0, 0, 0, 0, 0);
    }

    /// Copies bytes of the frame, which R6 has, to a place on the stack, or jumps if it is too short.
    pub(crate) fn load_frame(
        &mut self,
        offset: impl Into<Operand>,
        length: i32,
        stack: i16,
        too_short: Label,
    ) {
        self.mov(Register::R1, Register::R6);
        self.mov(Register::R2, offset);
        self.stack_address(Register::R3, stack);
        self.mov(Register::R4, length);
        self.call(Helper::LoadBytes);
        self.jump_if(Register::R0, Condition::NotEqual, 0, too_short);
    }

    /// Puts an address on the stack in a register, for a [`Helper`].
    pub(crate) fn stack_address(&mut self, to: Register, offset: i16) {
        self.mov(to, Register::R10);
        self.alu(Alu::Add, to, i32::from(offset));
    }

    pub(crate) fn call(&mut self, helper: Helper) {
        self.push(CALL, 0, 0, 0, helper as i32);
    }

    pub(crate) fn exit(&mut self) {
        self.push(EXIT, 0, 0, 0, 0);
    }

    /// A label further on to jump to, which [`Assembler::bind`] puts in its place. The verifier refuses a
    /// program with a jump to one that has none, or that lies behind.
    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(usize::MAX);
        Label(self.labels.len() - 1)
    }

    /// The next instruction is what the label stands for.
    pub(crate) fn bind(&mut self, label: Label) {
        self.labels[label.0] = self.instructions.len();
    }

    pub(crate) fn jump(&mut self, to: Label) {
        self.jumps.push((self.instructions.len(), to));
        self.push(JUMP, 0, 0, 0, 0);
    }

    pub(crate) fn jump_if(
        &mut self,
        register: Register,
        condition: Condition,
        operand: impl Into<Operand>,
        to: Label,
    ) {
        self.jumps.push((self.instructions.len(), to));
        self.binary(JUMP | condition as u8, register, operand.into());
    }

    /// The program, with its jumps resolved.
    pub(crate) fn finish(mut self) -> Vec<Instruction> {
        for (from, label) in self.jumps {
            // Distances count from the instruction behind the jump.
            let distance = self.labels[label.0].wrapping_sub(from + 1);
            self.instructions[from].offset = i16::try_from(distance).unwrap_or(i16::MAX);
        }
        self.instructions
    }

    fn binary(&mut self, opcode: u8, to: Register, operand: Operand) {
        match operand {
            Operand::Register(from) => {
                self.push(opcode | FROM_REGISTER, to as u8, from as u8, 0, 0);
            }
            Operand::Number(number) => self.push(opcode, to as u8, 0, 0, number),
        }
    }

    fn push(&mut self, opcode: u8, to: u8, from: u8, offset: i16, immediate: i32) {
        let registers = if cfg!(target_endian = "little") {
            from << 4 | to
        } else {
            to << 4 | from
        };
        self.instructions.push(Instruction {
            opcode,
            registers,
            offset,
            immediate,
        });
    }
}

/// Sixteen bits in network byte order, as a load from the frame gives them.
pub(crate) fn network(number: i32) -> i32 {
    i32::from((number as u16).to_be())
}

impl From<Register> for Operand {
    fn from(register: Register) -> Self {
        Self::Register(register)
    }
}

impl From<i32> for Operand {
    fn from(number: i32) -> Self {
        Self::Number(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the encodings of RFC 9669, by hand.
    #[test]
    fn instructions_are_encoded() {
        let mut assembler = Assembler::default();
        let end = assembler.label();
        assembler.mov(Register::R6, Register::R1);
        assembler.load(Width::Half, Register::R0, Register::R10, -8);
        assembler.network_half(Register::R0);
        assembler.store(Width::Double, Register::R10, -16, 5);
        assembler.jump_if(Register::R0, Condition::NotEqual, 7, end);
        assembler.alu(Alu::ShiftRight, Register::R0, Register::R9);
        assembler.jump(end);
        assembler.call(Helper::LoadBytes);
        assembler.bind(end);
        assembler.exit();
        let encoded: Vec<_> = assembler
            .finish()
            .iter()
            .map(|i| (i.opcode, i.offset, i.immediate))
            .collect();
        let expected = [
            (0xbf, 0, 0),
            (0x69, -8, 0),
            (0xdc, 0, 16),
            (0x7a, -16, 5),
            (0x55, 3, 7),
            (0x7f, 0, 0),
            (0x05, 1, 0),
            (0x85, 0, 26),
            (0x95, 0, 0),
        ];
        assert_eq!(encoded, expected);
    }
}
