//! A root file system for containers of real engines.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Host;

/// Static busybox and a link for each of its applets (`sh`, `ip`, `ping`, `nc`, `httpd`, `wget`, …): all that a
/// container of the tests runs. Its files lie in the host's folder.
#[derive(Debug)]
pub struct Image {
    folder: PathBuf,
    tar: PathBuf,
}

impl Image {
    /// Makes it, as a folder and as an archive.
    ///
    /// # Errors
    /// If busybox is not installed, or is not the static one.
    pub fn of_busybox(host: &Host) -> Result<Self> {
        let image = Self {
            folder: host.folder().join("image"),
            tar: host.folder().join("image.tar"),
        };
        let bin = image.folder.join("bin");
        fs::create_dir_all(&bin).with_context(|| format!("make {}", bin.display()))?;
        let busybox = host
            .run("which busybox")
            .context("busybox is not installed: `make test` installs what the tests need")?;
        fs::copy(&busybox, bin.join("busybox")).with_context(|| format!("copy {busybox}"))?;
        for applet in host.run("busybox --list")?.lines() {
            // Its list may have itself.
            if applet != "busybox" {
                symlink("busybox", bin.join(applet)).with_context(|| format!("link {applet}"))?;
            }
        }
        let chroot = host.program("chroot").arg(&image.folder);
        chroot.args(["/bin/busybox", "true"]).output().context(
            "busybox does not run without the system's libraries: install busybox-static",
        )?;
        let archive = host.program("tar").arg("-C").arg(&image.folder);
        archive.arg("-cf").arg(&image.tar).arg(".").output()?;
        Ok(image)
    }

    /// The root file system.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same as an archive, for `docker import` and `podman import`.
    #[must_use]
    pub fn tar(&self) -> &Path {
        &self.tar
    }
}
