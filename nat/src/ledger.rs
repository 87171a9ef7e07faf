//! Sessions in a form that outlives the process.

/// One session, packed. All zeros means none. Holds what [`crate::Nat::restore`] needs: protocol,
/// state, inside, external and remote endpoints.
pub type Record = [u64; 8];

/// Where sessions are written down. Slots are dense and below [`crate::Config::max_sessions`]; no
/// slot is written by two threads at once. A crash between two words of a record must be found out
/// when it is read: the record carries its own check.
pub trait Ledger: Send + Sync {
    /// Writes a session down, in the place of what was in the slot.
    fn write(&self, slot: u32, record: &Record);
}
