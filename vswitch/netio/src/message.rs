//! What a socket receives and sends, with the kernel's control messages beside it (`cmsg(3)`).

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use socket2::{MaybeUninitSlice, MsgHdrMut, SockAddr, Socket};

/// Control messages, or room for them: in either direction, a few numbers.
///
/// The alignment is that of the kernel's `cmsghdr`.
#[repr(align(8))]
#[derive(Debug)]
pub(crate) struct Control {
    bytes: [u8; CAPACITY],
    length: usize,
}

/// One control message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ControlMessage<'a> {
    /// Such as `SOL_UDP`.
    pub(crate) level: libc::c_int,
    /// What it is on that level, such as `UDP_GRO`.
    pub(crate) kind: libc::c_int,
    pub(crate) data: &'a [u8],
}

/// What [`receive`] put in the buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message {
    pub(crate) length: usize,
    /// There was more than the buffer has room for, and it is lost.
    pub(crate) truncated: bool,
}

const CAPACITY: usize = 128;

/// `cmsghdr`: the length with this header, a `size_t`; the level and the kind.
const HEADER: usize = size_of::<usize>() + 2 * size_of::<libc::c_int>();

/// Where the level and the kind are.
const LEVEL: usize = size_of::<usize>();
const KIND: usize = LEVEL + size_of::<libc::c_int>();

/// Receives one message from whoever it is from, and writes that to `from` if it is given: an address of the
/// socket's family.
#[inline]
pub(crate) fn receive(
    socket: &Socket,
    room: &mut [u8],
    from: Option<&mut SockAddr>,
    control: &mut Control,
) -> io::Result<Message> {
    // SAFETY: only the kernel writes to them, and what it writes is initialised.
    let (room, control_room) = unsafe { (uninitialised(room), uninitialised(&mut control.bytes)) };
    let mut pieces = [MaybeUninitSlice::new(room)];
    let mut header = MsgHdrMut::new()
        .with_buffers(&mut pieces)
        .with_control(control_room);
    if let Some(from) = from {
        header = header.with_addr(from);
    }
    let length = socket.recvmsg(&mut header, 0)?;
    let truncated = header.flags().is_truncated();
    control.length = header.control_len();
    Ok(Message { length, truncated })
}

/// The same bytes, as a call takes them that writes without reading.
///
/// # Safety
/// What is written there has to be initialised.
unsafe fn uninitialised(bytes: &mut [u8]) -> &mut [MaybeUninit<u8>] {
    let bytes = ptr::from_mut(bytes) as *mut [MaybeUninit<u8>];
    // SAFETY: of the same layout, borrowed for as long, and initialised throughout, as the caller promises.
    unsafe { &mut *bytes }
}

impl Control {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            length: 0,
        }
    }

    /// Adds a message.
    ///
    /// # Panics
    /// If there is no room for it.
    pub(crate) fn push(&mut self, level: libc::c_int, kind: libc::c_int, data: &[u8]) {
        let length = HEADER + data.len();
        let message = &mut self.bytes[self.length..self.length + aligned(length)];
        message[..LEVEL].copy_from_slice(&length.to_ne_bytes());
        message[LEVEL..KIND].copy_from_slice(&level.to_ne_bytes());
        message[KIND..HEADER].copy_from_slice(&kind.to_ne_bytes());
        message[HEADER..length].copy_from_slice(data);
        self.length += aligned(length);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = ControlMessage<'_>> {
        let mut rest = self.bytes();
        std::iter::from_fn(move || {
            let message = ControlMessage::first(rest)?;
            // The last one need not be padded.
            let next = aligned(HEADER + message.data.len());
            rest = rest.get(next..).unwrap_or_default();
            Some(message)
        })
    }
}

impl<'a> ControlMessage<'a> {
    fn first(bytes: &'a [u8]) -> Option<Self> {
        let length = usize::from_ne_bytes(*bytes.first_chunk()?);
        Some(Self {
            level: libc::c_int::from_ne_bytes(*bytes.get(LEVEL..)?.first_chunk()?),
            kind: libc::c_int::from_ne_bytes(*bytes.get(KIND..)?.first_chunk()?),
            data: bytes.get(HEADER..length)?,
        })
    }

    /// The number that the message is, if it is an `int`.
    pub(crate) fn number(&self) -> Option<libc::c_int> {
        Some(libc::c_int::from_ne_bytes(self.data.try_into().ok()?))
    }
}

const fn aligned(length: usize) -> usize {
    length.next_multiple_of(size_of::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pushed_is_found() {
        let mut control = Control::new();
        assert_eq!(control.messages().count(), 0);
        control.push(1, 2, &[3]);
        control.push(4, 5, &7i32.to_ne_bytes());
        let found: Vec<_> = control
            .messages()
            .map(|message| (message.level, message.kind, message.number()))
            .collect();
        assert_eq!(found, [(1, 2, None), (4, 5, Some(7))]);
        let first = control.messages().next().unwrap();
        assert_eq!(first.data, [3]);
    }

    #[test]
    fn the_layout_is_that_of_the_c_library() {
        let mut control = Control::new();
        control.push(1, 2, &[3, 4]);
        control.push(5, 6, &[7; 4]);
        // SAFETY: pure arithmetic.
        let (length, space) = unsafe { (libc::CMSG_LEN(2), libc::CMSG_SPACE(2)) };
        let bytes = control.bytes();
        assert_eq!(bytes[..size_of::<usize>()], (length as usize).to_ne_bytes());
        assert_eq!(bytes[length as usize - 2..length as usize], [3, 4]);
        assert_eq!(bytes.len(), 2 * space as usize);
    }

    #[test]
    fn the_last_message_may_end_without_padding_and_a_cut_one_is_none() {
        let mut control = Control::new();
        control.push(1, 2, &[3]);
        control.length = HEADER + 1;
        assert_eq!(control.messages().count(), 1);
        for length in 0..=HEADER {
            control.length = length;
            assert_eq!(control.messages().count(), 0, "{length}");
        }
        control.length = CAPACITY;
        control.bytes[..LEVEL].copy_from_slice(&[0xff; LEVEL]);
        assert_eq!(control.messages().count(), 0);
    }
}
