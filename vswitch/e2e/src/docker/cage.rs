//! A space of process ids, out of which nothing gets.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::{Background, Host, Place, Program, eventually};

/// A PID namespace. Whatever is started in it ends with it, however well it has detached itself: engines
/// leave processes that outlive them, as containers are to do.
///
/// It has mounts of its own too, and shares those below `/run` with its host: namespaces that an engine
/// binds to files there are to be seen by the switch.
#[derive(Debug)]
pub(crate) struct Cage {
    /// The parent of the first process.
    holder: Background,
    /// The first process, as the host knows it.
    first: u32,
    host: Place,
    /// Control groups that are made for containers in here.
    groups: String,
}

/// Unveils the machine's `/sys`, with its control groups, veils the folders that are its arguments, and reaps
/// orphans for ever.
const FIRST: &str = "umount /sys && for folder; do mkdir -p $folder && mount -t tmpfs tmpfs $folder || exit; done \
     && echo ready && exec tini -- sleep infinity";
/// Where engines and what they start write, whatever their settings say: a key, caches, what plugins answered.
/// Of that, the machine gets the empty folders.
const VEILED: [&str; 5] = [
    "/etc/docker",
    "/opt/containerd",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/containers",
];
/// Where control groups are: of version 1, one of these for each controller.
const GROUPS: &str = "/sys/fs/cgroup";
const PATIENCE: Duration = Duration::from_secs(10);

impl Cage {
    /// Makes one; `name` is to be unlike those of others on the machine.
    ///
    /// # Errors
    /// If the kernel refuses.
    pub(crate) fn new(host: &Place, name: &str) -> Result<Self> {
        host.program("mount")
            .args(["--make-shared", "/run"])
            .output()?;
        let mut holder = host
            .program("unshare")
            .args(["--pid", "--fork", "--kill-child"])
            .args(["--mount", "--propagation", "unchanged", "--mount-proc"])
            .args(["sh", "-c", FIRST, "sh"])
            .args(VEILED)
            .spawn()?;
        holder.wait_for("ready", PATIENCE)?;
        let first = only_child(holder.pid())?;
        Ok(Self {
            holder,
            first,
            host: host.clone(),
            groups: format!("/{name}"),
        })
    }

    /// A command in here. Killing the handle kills what has started it, and not the command itself.
    pub(crate) fn program(&self, program: &str) -> Program {
        self.host
            .program("nsenter")
            .args(["--pid", "--mount", "--target", &self.first.to_string()])
            .arg("--")
            .arg(program)
    }

    /// For an engine's settings: the parent of all control groups that it makes.
    pub(crate) fn groups(&self) -> &str {
        &self.groups
    }

    /// Ends everything in here.
    ///
    /// # Errors
    /// If it does not end.
    pub(crate) fn end(&mut self) -> Result<()> {
        // Its parent ends when it has, which is after all others.
        kill(self.first)?;
        eventually("all processes have ended", PATIENCE, || {
            Ok(!self.holder.is_running()?)
        })?;
        remove_groups(self.groups.trim_start_matches('/'))
    }
}

impl Drop for Cage {
    #[expect(
        clippy::print_stdout,
        reason = "test runners show it if the test fails"
    )]
    fn drop(&mut self) {
        if matches!(self.holder.is_running(), Ok(true))
            && let Err(error) = self.end()
        {
            println!("-- something is left: {error:#}");
        }
    }
}

/// Kills by process id, as `kill -9` does.
///
/// # Errors
/// If there is no such process.
pub(crate) fn kill(pid: u32) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.context("a process id out of range")?;
    kill_process(pid, Signal::KILL).context("kill")
}

/// The process that a process has started, as the host knows it.
///
/// # Errors
/// If it has none, or several.
pub(crate) fn only_child(parent: u32) -> Result<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    children
        .trim()
        .parse()
        .with_context(|| format!("not one child: {children:?}"))
}

/// Kernels keep empty control groups.
fn remove_groups(name: &str) -> Result<()> {
    let mut roots = vec![PathBuf::from(GROUPS)];
    roots.extend(folders(Path::new(GROUPS))?);
    for root in roots {
        let group = root.join(name);
        eventually("control groups are empty", PATIENCE, || {
            Ok(!group.exists() || remove_folders(&group).is_ok())
        })?;
        ensure!(!group.exists(), "{} is left", group.display());
    }
    Ok(())
}

/// From the innermost to the outermost. The files in them are the kernel's.
fn remove_folders(folder: &Path) -> Result<()> {
    for inner in folders(folder)? {
        remove_folders(&inner)?;
    }
    Ok(fs::remove_dir(folder)?)
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

impl Host {
    /// A name that no other host on the machine has.
    pub(crate) fn unique_name(&self) -> String {
        let name = self.folder().file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_where_engines_write_ends_with_it() -> Result<()> {
        let host = Host::new()?;
        let name = host.unique_name();
        let cage = Cage::new(&host.place(), &name)?;
        for folder in VEILED {
            let file = Path::new(folder).join(&name);
            cage.program("touch").arg(&file).output()?;
            let is_left = file.exists();
            // Of a test that fails, nothing stays either.
            cage.program("rm").arg(&file).output()?;
            ensure!(!is_left, "{} is the machine's", file.display());
        }
        Ok(())
    }
}
