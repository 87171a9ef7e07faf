//! Maps: memory that programs and this process share.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;

use super::BpfError;
use super::syscall::{Command, bpf, bpf_open};
use crate::mapping::SharedWords;

/// A map, which lives as long as a program that uses it, or this handle.
#[derive(Debug)]
pub(crate) struct Map {
    fd: OwnedFd,
    key_size: usize,
    value_size: usize,
    entries: u32,
}

/// `enum bpf_map_type` and the flags of `linux/bpf.h`.
const HASH: u32 = 1;
const ARRAY: u32 = 2;
const LPM_TRIE: u32 = 11;
const SOCKMAP: u32 = 15;
const NO_PREALLOC: u32 = 1;
const MMAPABLE: u32 = 1 << 10;

/// The part of `union bpf_attr` for `BPF_MAP_CREATE`.
#[repr(C)]
struct Create {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
}

/// The part of `union bpf_attr` for `BPF_MAP_*_ELEM`.
#[repr(C)]
struct Element {
    map: u32,
    unused: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Map {
    /// Words of 64 bits by number, all zeros, for [`Map::words`].
    pub(crate) fn words(entries: u32) -> Result<Self, BpfError> {
        Self::create(ARRAY, 4, 8, entries, MMAPABLE)
    }

    /// Numbers by keys of that many bytes, at most `entries` of them.
    pub(crate) fn hash(key: u32, entries: u32) -> Result<Self, BpfError> {
        // Entries are rare, so each takes its memory when it is set.
        Self::create(HASH, key, 4, entries, NO_PREALLOC)
    }

    /// Numbers by the longest prefix. A key is its length in bits (`u32`) and `data` bytes.
    pub(crate) fn prefixes(data: u32, entries: u32) -> Result<Self, BpfError> {
        // The kernel insists on NO_PREALLOC, so what is not there costs nothing.
        Self::create(LPM_TRIE, 4 + data, 4, entries, NO_PREALLOC)
    }

    /// Sockets by number. One that is closed is gone from it.
    pub(crate) fn sockets(entries: u32) -> Result<Self, BpfError> {
        Self::create(SOCKMAP, 4, 4, entries, 0)
    }

    fn create(
        kind: u32,
        key_size: u32,
        value_size: u32,
        max_entries: u32,
        flags: u32,
    ) -> Result<Self, BpfError> {
        let mut attributes = Create {
            kind,
            key_size,
            value_size,
            max_entries,
            flags,
        };
        // SAFETY: the attributes are those of the command, which makes a descriptor; no pointer in them.
        let fd = unsafe { bpf_open(Command::MapCreate, &mut attributes) }
            .map_err(BpfError::call("make a BPF map"))?;
        Ok(Self {
            fd,
            key_size: key_size as usize,
            value_size: value_size as usize,
            entries: max_entries,
        })
    }

    /// Sets the value of a key. Of a map of sockets, the value is a descriptor.
    pub(crate) fn set(&self, key: &[u8], value: &[u8]) -> Result<(), BpfError> {
        assert_eq!((key.len(), value.len()), (self.key_size, self.value_size));
        let mut element = self.element(key);
        element.value = value.as_ptr() as u64;
        // SAFETY: the attributes are those of the command; key and value have the lengths that the map
        // was made with, and the kernel only reads them.
        match unsafe { bpf(Command::MapUpdate, &mut element) } {
            Ok(_) => Ok(()),
            Err(Errno::TOOBIG) => Err(BpfError::Full {
                entries: self.entries,
            }),
            Err(errno) => Err(BpfError::call("set an entry of a BPF map")(errno)),
        }
    }

    /// Takes a key out; one that is not there is no error.
    pub(crate) fn remove(&self, key: &[u8]) -> Result<(), BpfError> {
        assert_eq!(key.len(), self.key_size);
        // SAFETY: the attributes are those of the command; the key has the length that the map was made
        // with, and the kernel only reads it.
        match unsafe { bpf(Command::MapDelete, &mut self.element(key)) } {
            // A map of sockets says EINVAL of an empty place.
            Ok(_) | Err(Errno::NOENT | Errno::INVAL) => Ok(()),
            Err(errno) => Err(BpfError::call("remove an entry of a BPF map")(errno)),
        }
    }

    /// The memory of a map of words.
    pub(crate) fn memory(&self) -> Result<SharedWords, BpfError> {
        assert_eq!(self.value_size, 8);
        SharedWords::map(self.fd.as_fd(), self.entries as usize)
            .map_err(BpfError::call("map the memory of a BPF map"))
    }

    fn element(&self, key: &[u8]) -> Element {
        Element {
            map: self.fd.as_raw_fd().cast_unsigned(),
            unused: 0,
            key: key.as_ptr() as u64,
            value: 0,
            flags: 0,
        }
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
