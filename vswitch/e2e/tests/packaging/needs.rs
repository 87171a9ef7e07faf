//! What `make` installs before it begins.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use anyhow::{Result, ensure};
use vswitch_e2e::Host;

use crate::unit::root;

/// Debian has two, of which one is there with every initramfs. It runs in no container of the tests.
#[test]
fn a_busybox_that_needs_libraries_will_not_do() -> Result<()> {
    let host = Host::new()?;
    let tools = host.folder().join("tools");
    fs::create_dir(&tools)?;
    // To whoever is not root it tells what it would install.
    let id = tools.join("id");
    fs::write(&id, "#!/bin/sh\necho 1000\n")?;
    fs::set_permissions(&id, fs::Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", tools.display());
    let needs = || {
        let packages = host.place().program(root().join(".ci/packages"));
        let packages = packages.args(["sh=dash", "busybox=busybox-static"]);
        packages.env("PATH", &path).run()
    };
    let before = needs()?;
    ensure!(before.status.success(), "{}", before.stderr);
    symlink("/bin/true", tools.join("busybox"))?;
    let needs = needs()?;
    ensure!(
        !needs.status.success() && needs.stderr.contains("error: busybox-static must"),
        "{}",
        needs.stderr
    );
    Ok(())
}
