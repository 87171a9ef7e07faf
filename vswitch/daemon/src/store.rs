//! The desired state on disk: records as JSON in a redb file, changed in durable transactions.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::daemon_id::DaemonId;
use crate::panics;
use crate::predecessor;
use crate::state_dir::StateDir;

/// The open state file. What was committed is there after a crash of the process or the machine.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// `None` only while it could not be opened again after an error of the disk.
    database: Option<Database>,
    daemon_id: DaemonId,
    _state_dir: StateDir,
}

/// One kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Networks, by id.
    Networks,
    /// Endpoints, by id.
    Endpoints,
    /// Sandboxes, by key.
    Sandboxes,
    /// Address pools that were lent, by id.
    Pools,
}

/// One record to write or to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    table: Table,
    key: String,
    /// JSON; `None` to delete.
    record: Option<Vec<u8>>,
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is not what this program wrote.
    #[error(
        "state file {} is damaged ({detail}): put a backup in its place, or move it away to start without networks",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        detail: String,
    },
    /// A later version wrote the file.
    #[error(
        "state file {} has format {found}, this vswitchd knows {FORMAT}: run the version that wrote it",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
    },
    /// Another process has the file open without the folder's lock.
    #[error("state file {} is open in another process: stop that one", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A record has no JSON form.
    #[error("a record cannot be written: {0}")]
    Record(#[from] serde_json::Error),
    /// The disk is full, or fails.
    #[error("cannot use state file {}: {detail}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        detail: String,
    },
}

type Records = TableDefinition<'static, &'static str, &'static [u8]>;

const META: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
const DAEMON_ID: &str = "daemon-id";
const FORMAT_KEY: &str = "format";
/// What the tables hold. Counts up when older programs could not read it.
const FORMAT: &str = "2";
/// What older programs wrote, who knew no endpoints without sandbox: a part of what is written now.
const FORMER: &str = "1";

const FILE: &str = "state.redb";
/// The records of thousands of endpoints; redb's default is a gigabyte.
const CACHE_BYTES: usize = 4 << 20;

impl Store {
    /// Opens the state file in the folder, or makes one with an id drawn by `draw`.
    ///
    /// All of the file is checked.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Format`], [`StoreError::Io`].
    pub fn open(
        state_dir: StateDir,
        draw: impl FnOnce() -> io::Result<[u8; 8]>,
    ) -> Result<Self, StoreError> {
        let path = state_dir.path().join(FILE);
        let failed = |detail: String| StoreError::Io {
            path: path.clone(),
            detail,
        };
        // An empty file would pass for a new one, and the loss of all state for a first start.
        match fs::metadata(&path) {
            Ok(metadata) if metadata.len() == 0 => {
                return Err(damaged(&path, "it is empty"));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let id = draw().map_err(|e| failed(e.to_string()))?;
                create(&path, DaemonId::new(id))?;
            }
            Err(error) => return Err(failed(error.to_string())),
        }
        let check = || {
            // We have the folder's lock, so it can only be one that is about to be gone.
            let busy = |error: &StoreError| matches!(error, StoreError::Busy { .. });
            let mut database = predecessor::outlast(|| open(&path), busy, || true)?;
            let sound = database.check_integrity().map_err(|e| explain(&path, e))?;
            if !sound {
                tracing::warn!(file = %path.display(), "the state file was repaired");
            }
            let daemon_id = read_meta(&path, &database)?;
            Ok((database, daemon_id))
        };
        // redb panics at some kinds of damage.
        let (database, daemon_id) =
            panics::contain(check).unwrap_or_else(|panic| Err(damaged(&path, panic)))?;
        Ok(Self {
            path,
            database: Some(database),
            daemon_id,
            _state_dir: state_dir,
        })
    }

    /// The id drawn when the file was made.
    #[must_use]
    pub const fn daemon_id(&self) -> DaemonId {
        self.daemon_id
    }

    /// All records of a table, in the order of their keys.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if one cannot be understood.
    pub fn load<T: DeserializeOwned>(&self, table: Table) -> Result<Vec<T>, StoreError> {
        let database = self.database.as_ref().ok_or_else(|| self.closed())?;
        let read = || -> Result<Vec<(String, Vec<u8>)>, redb::Error> {
            let transaction = database.begin_read()?;
            let records = match transaction.open_table(table.definition()) {
                // The file of an older version, which had no such records.
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                opened => opened?,
            };
            let mut pairs = Vec::new();
            for entry in records.iter()? {
                let (key, value) = entry?;
                pairs.push((key.value().to_owned(), value.value().to_owned()));
            }
            Ok(pairs)
        };
        let pairs = read().map_err(|e| explain(&self.path, e))?;
        pairs
            .into_iter()
            .map(|(key, record)| {
                serde_json::from_slice(&record)
                    .map_err(|e| damaged(&self.path, format!("{} {key}: {e}", table.name())))
            })
            .collect()
    }

    /// Makes all changes or none. They are on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Io`]; nothing has changed then, and the next call may succeed.
    pub fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        let write = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            for change in changes {
                let mut records = transaction.open_table(change.table.definition())?;
                match &change.record {
                    Some(record) => records.insert(change.key.as_str(), record.as_slice())?,
                    None => records.remove(change.key.as_str())?,
                };
            }
            Ok(transaction.commit()?)
        };
        match write() {
            Ok(()) => {
                self.database = Some(database);
                Ok(())
            }
            // redb refuses everything after an error of the disk, until it is opened again.
            Err(error) => Err(explain(&self.path, error)),
        }
    }

    fn closed(&self) -> StoreError {
        StoreError::Io {
            path: self.path.clone(),
            detail: "it failed before and was not opened again".to_owned(),
        }
    }
}

impl Change {
    /// To write a record.
    ///
    /// # Errors
    /// [`StoreError::Record`].
    pub fn put(
        table: Table,
        key: impl ToString,
        record: &impl Serialize,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            table,
            key: key.to_string(),
            record: Some(serde_json::to_vec(record)?),
        })
    }

    /// To delete a record, if it is there.
    #[must_use]
    pub fn delete(table: Table, key: impl ToString) -> Self {
        Self {
            table,
            key: key.to_string(),
            record: None,
        }
    }
}

impl Table {
    const ALL: [Self; 4] = [
        Self::Networks,
        Self::Endpoints,
        Self::Sandboxes,
        Self::Pools,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::Endpoints => "endpoints",
            Self::Sandboxes => "sandboxes",
            Self::Pools => "pools",
        }
    }

    const fn definition(self) -> Records {
        TableDefinition::new(self.name())
    }
}

fn open(path: &Path) -> Result<Database, StoreError> {
    Builder::new()
        .set_cache_size(CACHE_BYTES)
        .open(path)
        .map_err(|error| explain(path, error))
}

/// Makes the file under another name first: it is never there without its first transaction.
fn create(path: &Path, daemon_id: DaemonId) -> Result<(), StoreError> {
    let draft = path.with_extension("new");
    let write = || -> Result<(), redb::Error> {
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let database = Builder::new().set_cache_size(CACHE_BYTES).create(&draft)?;
        let transaction = database.begin_write()?;
        {
            let mut meta = transaction.open_table(META)?;
            meta.insert(FORMAT_KEY, FORMAT)?;
            meta.insert(DAEMON_ID, daemon_id.to_string().as_str())?;
        }
        for table in Table::ALL {
            transaction.open_table(table.definition())?;
        }
        transaction.commit()?;
        drop(database);
        fs::rename(&draft, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|error| explain(path, error))
}

fn read_meta(path: &Path, database: &Database) -> Result<DaemonId, StoreError> {
    let read = || -> Result<[Option<String>; 2], redb::Error> {
        let meta = database.begin_read()?.open_table(META)?;
        let get = |key| Ok::<_, redb::Error>(meta.get(key)?.map(|v| v.value().to_owned()));
        Ok([get(FORMAT_KEY)?, get(DAEMON_ID)?])
    };
    let [format, daemon_id] = read().map_err(|e| explain(path, e))?;
    match format {
        Some(format) if format == FORMAT => {}
        Some(format) if format == FORMER => raise_format(database).map_err(|e| explain(path, e))?,
        Some(found) => {
            let path = path.to_owned();
            return Err(StoreError::Format { path, found });
        }
        None => return Err(damaged(path, "it has no format")),
    }
    daemon_id
        .ok_or_else(|| damaged(path, "it has no daemon id"))?
        .parse()
        .map_err(|error| damaged(path, error))
}

/// From now on there may be records that older programs cannot read.
fn raise_format(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(FORMAT_KEY, FORMAT)?;
    Ok(transaction.commit()?)
}

fn damaged(path: &Path, detail: impl ToString) -> StoreError {
    StoreError::Damaged {
        path: path.to_owned(),
        detail: detail.to_string(),
    }
}

/// What a failure of redb means to the user.
fn explain(path: &Path, error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen => StoreError::Busy {
            path: path.to_owned(),
        },
        redb::Error::Io(error)
            if error.kind() != io::ErrorKind::InvalidData
                && error.kind() != io::ErrorKind::UnexpectedEof =>
        {
            StoreError::Io {
                path: path.to_owned(),
                detail: error.to_string(),
            }
        }
        redb::Error::PreviousIo => StoreError::Io {
            path: path.to_owned(),
            detail: "an earlier write failed".to_owned(),
        },
        other => damaged(path, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Record {
        name: String,
        number: u32,
    }

    fn record(name: &str, number: u32) -> Record {
        Record {
            name: name.to_owned(),
            number,
        }
    }

    fn open_at(folder: &Path) -> Result<Store, StoreError> {
        Store::open(StateDir::lock(folder).unwrap(), || Ok([7; 8]))
    }

    fn filled(folder: &Path, records: u32) {
        let mut store = open_at(folder).unwrap();
        let changes: Vec<_> = (0..records)
            .map(|n| Change::put(Table::Endpoints, n, &record(&"x".repeat(300), n)).unwrap())
            .collect();
        store.commit(&changes).unwrap();
    }

    #[test]
    fn records_are_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open_at(folder.path()).unwrap();
        let id = store.daemon_id();
        assert!(store.load::<Record>(Table::Networks).unwrap().is_empty());
        let (a, b) = (record("a", 1), record("b", 2));
        store
            .commit(&[
                Change::put(Table::Networks, "1", &a).unwrap(),
                Change::put(Table::Networks, "2", &b).unwrap(),
                Change::put(Table::Sandboxes, "1", &b).unwrap(),
            ])
            .unwrap();
        store
            .commit(&[
                Change::delete(Table::Networks, "1"),
                Change::delete(Table::Networks, "never there"),
            ])
            .unwrap();
        drop(store);
        let again = Store::open(StateDir::lock(folder.path()).unwrap(), || {
            panic!("the id is drawn once")
        });
        let again = again.unwrap();
        assert_eq!(again.daemon_id(), id);
        assert_eq!(again.load::<Record>(Table::Networks).unwrap(), [b]);
        assert_eq!(again.load::<Record>(Table::Sandboxes).unwrap().len(), 1);
    }

    #[test]
    fn the_last_record_wins() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open_at(folder.path()).unwrap();
        for number in 1..=3 {
            let change = Change::put(Table::Endpoints, "e", &record("e", number)).unwrap();
            store.commit(&[change]).unwrap();
        }
        let all = store.load::<Record>(Table::Endpoints).unwrap();
        assert_eq!(all, [record("e", 3)]);
    }

    #[test]
    fn a_damaged_file_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), 200);
        let file = folder.path().join(FILE);
        let whole = fs::read(&file).unwrap();
        let length = whole.len();
        let mut spoilt_head = whole.clone();
        spoilt_head[..64].fill(0xa5);
        let mut spoilt_body = whole.clone();
        spoilt_body[4096..].fill(0xa5);
        let damages = [
            ("empty", Vec::new()),
            ("short", whole[..100].to_vec()),
            ("half", whole[..length / 2].to_vec()),
            (
                "text",
                b"not a database, but a letter to a friend\n".repeat(500),
            ),
            ("head", spoilt_head),
            ("body", spoilt_body),
        ];
        for (what, bytes) in damages {
            fs::write(&file, &bytes).unwrap();
            let error = open_at(folder.path()).map(drop).expect_err(what);
            let text = error.to_string();
            assert!(
                matches!(error, StoreError::Damaged { .. }),
                "{what}: {text}"
            );
            assert!(text.contains(file.to_str().unwrap()), "{what}: {text}");
            assert!(!text.contains('\n'), "{what}: {text}");
        }
    }

    #[test]
    fn a_record_of_another_shape_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), 1);
        let store = open_at(folder.path()).unwrap();
        let error = store.load::<Vec<u8>>(Table::Endpoints).unwrap_err();
        assert!(error.to_string().contains("endpoints 0"), "{error}");
    }

    fn set_format(store: &Store, format: &str) {
        let transaction = store.database.as_ref().unwrap().begin_write().unwrap();
        let mut meta = transaction.open_table(META).unwrap();
        meta.insert(FORMAT_KEY, format).unwrap();
        drop(meta);
        transaction.commit().unwrap();
    }

    #[test]
    fn a_later_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        set_format(&open_at(folder.path()).unwrap(), "3");
        let error = open_at(folder.path()).unwrap_err();
        assert!(matches!(error, StoreError::Format { .. }), "{error}");
    }

    #[test]
    fn the_former_format_is_read_and_then_it_is_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open_at(folder.path()).unwrap();
        let old = record("old", 1);
        store
            .commit(&[Change::put(Table::Networks, "1", &old).unwrap()])
            .unwrap();
        // Nobody had lent anything yet.
        let transaction = store.database.as_ref().unwrap().begin_write().unwrap();
        assert!(transaction.delete_table(Table::Pools.definition()).unwrap());
        transaction.commit().unwrap();
        set_format(&store, FORMER);
        drop(store);
        let store = open_at(folder.path()).unwrap();
        assert_eq!(store.load::<Record>(Table::Networks).unwrap(), [old]);
        assert!(store.load::<Record>(Table::Pools).unwrap().is_empty());
        let transaction = store.database.as_ref().unwrap().begin_read().unwrap();
        let meta = transaction.open_table(META).unwrap();
        assert_eq!(meta.get(FORMAT_KEY).unwrap().unwrap().value(), FORMAT);
    }

    #[test]
    fn an_interrupted_creation_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("state.new"), b"half").unwrap();
        open_at(folder.path()).unwrap();
    }
}
