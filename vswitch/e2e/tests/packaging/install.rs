//! `make install` and `make uninstall`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use vswitch_e2e::{Host, Program, binary};

use crate::unit::root;

const CONFIG: &str = "etc/vswitch/vswitchd.toml";
const INSTALLED: [&str; 11] = [
    CONFIG,
    "opt/cni/bin/vswitch-cni",
    "usr/local/bin/vsctl",
    "usr/local/bin/vswitchd",
    "usr/local/lib/systemd/system/vswitchd.service",
    "usr/local/lib/systemd/system/vswitchd.socket",
    "usr/local/share/bash-completion/completions/vsctl",
    "usr/local/share/fish/vendor_completions.d/vsctl.fish",
    "usr/local/share/vswitch/installed",
    "usr/local/share/vswitch/vswitchd.toml",
    "usr/local/share/zsh/site-functions/_vsctl",
];

/// A machine's root, as far as it matters, and what is installed there.
struct Installation {
    host: Host,
}

impl Installation {
    fn new() -> Result<Self> {
        let host = Host::new()?;
        // Folders that were there before are to stay, empty or not.
        for folder in ["root/usr/local/bin", "root/etc"] {
            fs::create_dir_all(host.folder().join(folder))?;
        }
        Ok(Self { host })
    }

    fn root(&self) -> PathBuf {
        self.host.folder().join("root")
    }

    fn make(&self, target: &str) -> Result<String> {
        let binaries = binary("vswitchd")?;
        let binaries = binaries.parent().context("no folder")?;
        let make: Program = self.host.program("make");
        make.arg("-C")
            .arg(root())
            .arg(target)
            .arg(format!("DESTDIR={}", self.root().display()))
            .arg(format!("BINARIES={}", binaries.display()))
            .output()
    }

    /// Files and folders, relative to the root.
    fn contents(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        gather(&self.root(), &self.root(), &mut found)?;
        Ok(found)
    }
}

/// What `make` runs.
fn script() -> PathBuf {
    root().join("packaging/install")
}

fn gather(root: &Path, folder: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        found.insert(path.strip_prefix(root)?.display().to_string());
        if path.is_dir() {
            gather(root, &path, found)?;
        }
    }
    Ok(())
}

#[test]
fn what_was_installed_is_uninstalled_and_nothing_else() -> Result<()> {
    let installation = Installation::new()?;
    let before = installation.contents()?;
    // Again, as after an update.
    for _ in 0..2 {
        installation.make("install")?;
        let contents = installation.contents()?;
        let is_file = |path: &&String| installation.root().join(path).is_file();
        let files: Vec<_> = contents.iter().filter(is_file).collect();
        assert_eq!(files, INSTALLED);
    }
    // Of another program.
    let foreign = installation.root().join("opt/cni/bin/loopback");
    fs::write(&foreign, "")?;
    installation.make("uninstall")?;
    let mut expected = before;
    expected.extend(["opt", "opt/cni", "opt/cni/bin", "opt/cni/bin/loopback"].map(str::to_owned));
    assert_eq!(installation.contents()?, expected);
    Ok(())
}

#[test]
fn a_changed_configuration_file_is_kept() -> Result<()> {
    let installation = Installation::new()?;
    let config = installation.root().join(CONFIG);
    installation.make("install")?;
    fs::write(&config, "workers = 2\n")?;
    for target in ["install", "uninstall"] {
        let said = installation.make(target)?;
        assert!(said.contains("kept: "), "{target}: {said}");
        assert_eq!(fs::read_to_string(&config)?, "workers = 2\n");
    }
    assert!(!installation.root().join("usr/local/bin/vsctl").exists());
    Ok(())
}

#[test]
fn a_careful_root_installs_for_everybody() -> Result<()> {
    let installation = Installation::new()?;
    let binaries = binary("vswitchd")?;
    let binaries = binaries.parent().context("no folder")?;
    let install = installation.host.program("sh").arg("-c");
    let install = install.arg("umask 077 && exec \"$0\" install \"$1\"");
    let install = install.arg(script()).arg(binaries);
    install.env("DESTDIR", installation.root()).output()?;
    for path in installation.contents()? {
        let path = installation.root().join(path);
        let mode = fs::metadata(&path)?.permissions().mode();
        ensure!(
            !path.is_dir() || mode & 0o55 == 0o55,
            "{} is {mode:o}",
            path.display()
        );
    }
    Ok(())
}

/// systemd looks for units below /usr/local and /usr only.
#[test]
fn units_that_systemd_does_not_know_are_uninstalled() -> Result<()> {
    let host = Host::new()?;
    // A machine with systemd, and with an /etc of its own.
    host.run("mkdir -p /run/systemd/system")?;
    host.run("mount -t tmpfs tmpfs /etc")?;
    let (tools, prefix) = (host.folder().join("tools"), host.folder().join("prefix"));
    fs::create_dir(&tools)?;
    let systemctl = tools.join("systemctl");
    fs::write(&systemctl, "#!/bin/sh\n[ $1 != disable ]\n")?;
    fs::set_permissions(&systemctl, fs::Permissions::from_mode(0o755))?;
    let binaries = binary("vswitchd")?;
    let binaries = binaries.parent().context("no folder")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let packaging = |command: &str| {
        host.place()
            .program(script())
            .arg(command)
            .arg(binaries)
            .env("PATH", format!("{}:{path}", tools.display()))
            .env("PREFIX", &prefix)
            .env("CNI_BIN", prefix.join("cni"))
            .output()
    };
    packaging("install")?;
    ensure!(prefix.join("bin/vswitchd").exists());
    let said = packaging("uninstall")?;
    ensure!(said.contains("by hand"), "{said}");
    ensure!(!prefix.exists(), "{} is left", prefix.display());
    ensure!(!host.path("/etc/vswitch").exists());
    Ok(())
}

#[test]
fn what_is_installed_works() -> Result<()> {
    let installation = Installation::new()?;
    let root = installation.root();
    installation.make("install")?;

    // systemd understands the units, and finds the program that they name. It needs its own units beside them.
    let systemd = root.join("usr/lib/systemd");
    fs::create_dir_all(&systemd)?;
    let copy = installation.host.program("cp").arg("-a");
    copy.arg("/usr/lib/systemd/system").arg(&systemd).output()?;
    let verify = installation.host.program("systemd-analyze").arg("verify");
    let verify = verify.arg(format!("--root={}", root.display()));
    let verified = verify.args(["vswitchd.service", "vswitchd.socket"]).run()?;
    ensure!(
        verified.status.success() && !verified.stderr.contains("vswitchd"),
        "{}",
        verified.stderr
    );

    // The daemon understands its file: what it lacks is the privilege.
    let daemon = installation
        .host
        .program("setpriv")
        .arg("--bounding-set=-all");
    let daemon = daemon
        .arg(root.join("usr/local/bin/vswitchd"))
        .arg("--config");
    let ended = daemon.arg(root.join(CONFIG)).run()?;
    ensure!(ended.stderr.contains("CAP_NET_ADMIN"), "{}", ended.stderr);

    // So does bash its completions.
    let script = root.join("usr/local/share/bash-completion/completions/vsctl");
    let bash = installation.host.program("bash").arg("-c");
    let bash = bash.arg(". \"$0\" && complete -p vsctl").arg(script);
    ensure!(bash.output()?.contains("vsctl"));
    Ok(())
}

/// Each key that the example names is one, with a value that it may have.
#[test]
fn the_example_is_understood_with_every_line_in_use() -> Result<()> {
    let host = Host::new()?;
    let example = fs::read_to_string(root().join("packaging/vswitchd.toml"))?;
    let keys = example.lines().filter_map(|line| line.strip_prefix('#'));
    let keys: Vec<_> = keys.filter(|line| !line.starts_with(' ')).collect();
    assert!(keys.len() > 10, "{keys:?}");
    let config = host.folder().join("vswitchd.toml");
    let used = example.replace("\n#", "\n").replace("\n ", "\n# ");
    fs::write(&config, used)?;
    let daemon = host.program("setpriv").arg("--bounding-set=-all");
    let ended = daemon.arg(binary("vswitchd")?).arg("--config");
    let ended = ended.arg(&config).run()?;
    ensure!(ended.stderr.contains("CAP_NET_ADMIN"), "{}", ended.stderr);
    Ok(())
}
