//! The sessions of translation, written down as they change, in a file that outlives the process:
//! after `kill -9` the next daemon goes on with them.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use vswitch_nat::{Ledger, Record};
use vswitch_netio::ledger::WordFile;

/// The file, mapped into memory: writing a record is eight stores.
#[derive(Debug, Clone)]
pub struct SessionLedger {
    words: Arc<WordFile>,
}

const WORDS: usize = size_of::<Record>() / size_of::<u64>();
/// The file's name in the state folder.
const FILE: &str = "sessions";
/// "vswtch" and the version of the records' layout.
const FORMAT: u64 = 0x7673_7774_6368_0001;

impl SessionLedger {
    /// Opens the ledger in `folder`, for up to `sessions` records, and empties it. What it held, if
    /// that is of this boot, is returned: no connection outlives the machine, and the clock of the
    /// records begins anew with it.
    ///
    /// # Errors
    /// Of the file system.
    pub fn open(folder: &Path, sessions: usize) -> io::Result<(Self, Vec<Record>)> {
        let words = WordFile::open(&folder.join(FILE), (sessions + 1) * WORDS)?;
        let ledger = Self {
            words: Arc::new(words),
        };
        let heading: Record = [FORMAT, boot()?, 0, 0, 0, 0, 0, 0];
        let mut records = Vec::new();
        let written = ledger.words.written();
        let known =
            written.first().is_some_and(|extent| extent.start == 0) && ledger.read(0) == heading;
        for extent in written {
            // Extents are of whole pages, and a page is of whole records.
            for slot in (extent.start / WORDS).max(1)..extent.end / WORDS {
                let record = ledger.read(slot);
                if record != Record::default() {
                    ledger.store(slot, &Record::default());
                    if known {
                        records.push(record);
                    }
                }
            }
        }
        ledger.store(0, &heading);
        Ok((ledger, records))
    }

    fn read(&self, slot: usize) -> Record {
        std::array::from_fn(|n| {
            let word = self.words.get(slot * WORDS + n);
            word.map_or(0, |word| word.load(Ordering::Relaxed))
        })
    }

    fn store(&self, slot: usize, record: &Record) {
        for (word, value) in self.words.iter().skip(slot * WORDS).zip(record) {
            word.store(*value, Ordering::Relaxed);
        }
    }
}

impl Ledger for SessionLedger {
    fn write(&self, slot: u32, record: &Record) {
        // The first record is the heading.
        self.store(slot as usize + 1, record);
    }
}

/// A number of this boot of the machine.
fn boot() -> io::Result<u64> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    let mut hasher = DefaultHasher::new();
    id.trim().hash(&mut hasher);
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_found_once() {
        let folder = tempfile::tempdir().unwrap();
        let record: Record = [1, 2, 3, 4, 5, 6, 7, 8];
        let (ledger, found) = SessionLedger::open(folder.path(), 100).unwrap();
        assert!(found.is_empty());
        ledger.write(0, &record);
        ledger.write(99, &record);
        ledger.write(50, &record);
        ledger.write(50, &Record::default());
        drop(ledger);
        let (_ledger, found) = SessionLedger::open(folder.path(), 1000).unwrap();
        assert_eq!(found, [record, record]);
        let (_ledger, found) = SessionLedger::open(folder.path(), 1000).unwrap();
        assert!(found.is_empty());
    }

    #[test]
    fn another_boots_records_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, _) = SessionLedger::open(folder.path(), 10).unwrap();
        ledger.write(3, &[9; 8]);
        ledger.store(0, &[FORMAT, 1, 0, 0, 0, 0, 0, 0]);
        drop(ledger);
        let (_ledger, found) = SessionLedger::open(folder.path(), 10).unwrap();
        assert!(found.is_empty());
    }
}
