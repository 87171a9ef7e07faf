//! Where a plugin of some name listens.

mod address;

use std::collections::BTreeSet;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

pub use address::{Address, AddressError};

/// The folders that Docker looks into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// For `NAME.sock` and `NAME/NAME.sock`.
    pub sockets: PathBuf,
    /// For `NAME.spec` and `NAME/NAME.spec`, each a line such as `tcp://10.0.0.1:8080`.
    pub specs: Vec<PathBuf>,
}

/// Why there is no address for a name.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// A name is that of a file.
    #[error("{name:?} cannot be a plugin's name: it is the name of a file, without a slash")]
    Name {
        /// What was asked for.
        name: String,
    },
    /// Neither socket nor spec.
    #[error("no plugin {name:?}: looked for {}{}", list(looked), nor(no_sockets))]
    NotFound {
        /// What was asked for.
        name: String,
        /// In this order.
        looked: Vec<PathBuf>,
        /// Those that are there, and are something else than a socket.
        no_sockets: Vec<PathBuf>,
    },
    /// A spec that cannot be read.
    #[error("plugin {name:?}: cannot read {}: {source}", path.display())]
    Unreadable {
        /// What was asked for.
        name: String,
        /// The spec.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A spec that does not say an address.
    #[error("plugin {name:?}: {}: {source}", path.display())]
    Address {
        /// What was asked for.
        name: String,
        /// The spec.
        path: PathBuf,
        /// What is wrong with it.
        source: AddressError,
    },
    /// A spec that names certificates.
    #[error(
        "plugin {name:?}: {} describes a plugin that is reached by TLS, which is not spoken; a \
         .spec file with a unix:// or tcp:// address would do", path.display()
    )]
    Tls {
        /// What was asked for.
        name: String,
        /// The `.json` file.
        path: PathBuf,
    },
}

impl Default for Discovery {
    /// Docker's own folders.
    fn default() -> Self {
        Self {
            sockets: "/run/docker/plugins".into(),
            specs: vec![
                "/etc/docker/plugins".into(),
                "/usr/lib/docker/plugins".into(),
            ],
        }
    }
}

impl Discovery {
    /// Where the plugin listens, looked for in Docker's order: sockets first, then each folder of specs.
    ///
    /// # Errors
    /// [`FindError`].
    pub fn find(&self, name: &str) -> Result<Address, FindError> {
        let owned = || name.to_owned();
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(FindError::Name { name: owned() });
        }
        let mut looked = Vec::new();
        let mut no_sockets = Vec::new();
        for path in candidates(&self.sockets, name, "sock") {
            match fs::metadata(&path) {
                Ok(file) if file.file_type().is_socket() => return Ok(Address::Unix(path)),
                Ok(_) => no_sockets.push(path.clone()),
                Err(_) => {}
            }
            looked.push(path);
        }
        for folder in &self.specs {
            for path in candidates(folder, name, "spec") {
                match fs::read_to_string(&path) {
                    Ok(text) => {
                        return text.trim().parse().map_err(|source| FindError::Address {
                            name: owned(),
                            path,
                            source,
                        });
                    }
                    Err(e) if is_absent(&e) => looked.push(path),
                    Err(source) => {
                        let name = owned();
                        return Err(FindError::Unreadable { name, path, source });
                    }
                }
            }
            for path in candidates(folder, name, "json") {
                if path.exists() {
                    let name = owned();
                    return Err(FindError::Tls { name, path });
                }
                looked.push(path);
            }
        }
        Err(FindError::NotFound {
            name: owned(),
            looked,
            no_sockets,
        })
    }

    /// The names of all plugins that [`find`](Self::find) would find or refuse, in order. A folder that
    /// cannot be read has none.
    #[must_use]
    pub fn list(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        let folders = std::iter::once(&self.sockets).chain(&self.specs);
        for entry in folders
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
        {
            let Ok(path) = entry.map(|entry| entry.path()) else {
                continue;
            };
            // `NAME.sock`, or the folder `NAME`; a name may have dots of its own.
            for name in [path.file_stem(), path.file_name()].into_iter().flatten() {
                let Some(name) = name.to_str() else { continue };
                if !matches!(self.find(name), Err(FindError::NotFound { .. })) {
                    names.insert(name.to_owned());
                }
            }
        }
        names.into_iter().collect()
    }
}

fn candidates(folder: &Path, name: &str, extension: &str) -> [PathBuf; 2] {
    let file = format!("{name}.{extension}");
    [folder.join(&file), folder.join(name).join(file)]
}

/// Nothing of that path; a file where a folder would be is nothing too, and a name too long for one.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
    )
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}

fn nor(no_sockets: &[PathBuf]) -> String {
    match no_sockets {
        [] => String::new(),
        paths => format!("; {} is there and is not a socket", list(paths)),
    }
}
