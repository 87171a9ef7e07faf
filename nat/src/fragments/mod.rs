//! Fragments: all pieces of a datagram go the way of the first, the only one with ports
//! (RFC 4787 §11).
//!
//! The first piece is judged as a whole packet is. Later ones follow it; those that come before it
//! wait, within bounds, and come in again when it has come. Overlapping pieces condemn the whole
//! datagram; a piece that comes twice passes twice, as the receiver alone can tell a duplicate from
//! another datagram with the same identification, and while it waits the second one is dropped.

mod piece;
mod pieces;
mod table;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::SharedSeed;
use foldhash::quality::SeedableRandomState;
use vswitch_packet::Moment;
use vswitch_packet::ip::IpHeader;

pub(crate) use self::piece::Way;
use self::table::Table;
use crate::nat::Held;
use crate::refusal::Refusal;
use crate::tuple::Owner;

/// What becomes of all pieces of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whose it is.
    pub(crate) owner: Owner,
    /// What its source becomes on the way out, and its destination on the way in.
    pub(crate) address: IpAddr,
}

/// A fragment as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'f> {
    pub(crate) bytes: &'f [u8],
    /// The port it came in at.
    pub(crate) ingress: u32,
    /// Whose it is, if that is known without its first piece.
    pub(crate) owner: Option<Owner>,
}

/// The datagrams of which pieces are under way. Locked for fragments only.
#[derive(Debug)]
pub(crate) struct Fragments {
    table: Mutex<Table>,
    released: AtomicBool,
}

impl Fragments {
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = SeedableRandomState::with_seed(seed, SharedSeed::global_fixed());
        Self {
            table: Mutex::new(Table::new(&hasher)),
            released: AtomicBool::new(false),
        }
    }

    /// Remembers what becomes of a datagram whose first piece is in `bytes`.
    ///
    /// # Errors
    /// [`Refusal::BadFragment`] if the datagram does not go through whatever the verdict.
    pub(crate) fn first(
        &self,
        bytes: &[u8],
        ip: &IpHeader,
        way: Way,
        verdict: Result<Verdict, Refusal>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let (datagram, piece) = piece::read(bytes, ip, way)?;
        let mut table = self.lock();
        let result = table.first(datagram, piece, verdict, now);
        self.released.store(table.has_released(), Ordering::Relaxed);
        result
    }

    /// What becomes of the later piece in `arrival`.
    ///
    /// # Errors
    /// What became of the first piece; [`Refusal::Held`] if it has not come, or
    /// [`Refusal::BadFragment`] if there is no room to wait for it or the piece does not fit.
    pub(crate) fn later(
        &self,
        ip: &IpHeader,
        way: Way,
        arrival: Arrival<'_>,
        now: Moment,
    ) -> Result<Verdict, Refusal> {
        let (datagram, piece) = piece::read(arrival.bytes, ip, way)?;
        self.lock().later(datagram, piece, arrival, now)
    }

    /// Whether the later piece in `bytes` follows a first one that went through.
    pub(crate) fn follows(&self, bytes: &[u8], ip: &IpHeader, way: Way) -> bool {
        piece::read(bytes, ip, way)
            .is_ok_and(|(datagram, _)| matches!(self.lock().verdict(&datagram), Some(Ok(_))))
    }

    pub(crate) fn has_released(&self) -> bool {
        self.released.load(Ordering::Relaxed)
    }

    pub(crate) fn take_released(&self) -> Vec<Held> {
        let mut table = self.lock();
        self.released.store(false, Ordering::Relaxed);
        table.take_released()
    }

    pub(crate) fn sweep(&self, now: Moment) {
        self.lock().expire(now);
    }

    pub(crate) fn forget_owner(&self, owner: Owner) {
        self.lock().forget(Some(owner), None);
    }

    pub(crate) fn forget_external(&self, address: IpAddr) {
        self.lock().forget(None, Some(address));
    }

    /// Fragments that wait for their first one.
    pub(crate) fn waiting(&self) -> u64 {
        self.lock().waiting()
    }

    /// Fragments that waited in vain.
    pub(crate) fn lost(&self) -> u64 {
        self.lock().lost()
    }

    /// A table that a panicking thread left is still whole enough: at worst it counts too much.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
