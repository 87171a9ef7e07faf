//! Where the programs under test lie.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// The path of a program of this workspace: in the folder that `VSWITCH_BIN_DIR` names, or beside
/// the running program, where cargo puts those of the same profile.
///
/// # Errors
/// If it was not built.
pub fn binary(name: &str) -> Result<PathBuf> {
    if let Some(folder) = env::var_os("VSWITCH_BIN_DIR") {
        let path = PathBuf::from(folder).join(name);
        if !path.is_file() {
            bail!("VSWITCH_BIN_DIR has no {name}: {}", path.display());
        }
        return path.canonicalize().context("path of a program");
    }
    let exe = env::current_exe().context("find the running program's path")?;
    // A test lies in target/PROFILE/deps, a program in target/PROFILE.
    let found = exe
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "{name} is not beside {}: run `cargo build --workspace` with the same profile first \
             (`make test` does), or set VSWITCH_BIN_DIR",
            exe.display()
        )
    })
}
