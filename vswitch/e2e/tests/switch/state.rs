//! The state folder: one daemon at a time, and no guessing about damaged files.

use std::fs;

use anyhow::{Context, Result};
use vswitch_e2e::{Daemon, DaemonOptions, Host, state_files};

use crate::fixture::Lab;

/// Starts a daemon that must not come up, and returns the last line it wrote.
fn fails_to_start(daemon: &Daemon) -> Result<String> {
    let finished = daemon.program()?.run()?;
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let last = finished.stderr.lines().last().context("it says nothing")?;
    println!("{last}");
    Ok(last.to_owned())
}

#[test]
fn a_second_daemon_is_locked_out() -> Result<()> {
    let lab = Lab::with_three("")?;
    let other_socket = lab.host.folder().join("other.sock");
    let state = lab.daemon.state_dir();
    let second = lab
        .host
        .place()
        .program(vswitch_e2e::binary("vswitchd")?)
        .arg("--socket")
        .arg(&other_socket)
        .arg("--state-dir")
        .arg(&state)
        .run()?;
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    println!("{}", second.stderr);
    assert!(
        second.stderr.contains(&*state.to_string_lossy()),
        "{second:?}"
    );
    // Nor is the socket of a living daemon taken.
    let third = lab
        .host
        .place()
        .program(vswitch_e2e::binary("vswitchd")?)
        .arg("--socket")
        .arg(lab.daemon.socket())
        .arg("--state-dir")
        .arg(lab.host.folder().join("other-state"))
        .run()?;
    assert_eq!(third.status.code(), Some(1), "{third:?}");
    let socket = lab.daemon.socket();
    assert!(
        third.stderr.contains(&*socket.to_string_lossy()),
        "{third:?}"
    );
    lab.ctl("list-nets")?;
    lab.ping("a", "10.20.0.3")
}

#[test]
fn daemons_with_folders_of_their_own_live_side_by_side() -> Result<()> {
    let hosts = [Host::new()?, Host::new()?];
    let mut daemons = Vec::new();
    for host in &hosts {
        let daemon = Daemon::start(host)?;
        daemon.ctl("add-net net --subnet 10.20.0.0/24")?;
        daemon.populate("net", &["a"])?;
        daemons.push(daemon);
    }
    daemons[0].kill()?;
    crate::fixture::ping(&hosts[1].sandbox("a"), "10.20.0.1")
}

#[test]
fn a_damaged_state_file_is_named_and_kept() -> Result<()> {
    let mut lab = Lab::with_three("")?;
    lab.daemon.stop()?;
    let files = state_files(&lab.daemon.state_dir())?;
    let (path, whole) = files
        .iter()
        .max_by_key(|(_, bytes)| bytes.len())
        .context("no state file")?;
    let mut damages = vec![
        b"this is no database".to_vec(),
        whole[..whole.len() / 3].to_vec(),
    ];
    let mut scribbled = whole.clone();
    scribbled[..4096.min(whole.len())].fill(0xa5);
    damages.push(scribbled);
    for damaged in &damages {
        fs::write(path, damaged)?;
        let said = fails_to_start(&lab.daemon)?;
        assert!(said.contains(&*path.to_string_lossy()), "{said}");
        assert_eq!(fs::read(path)?.len(), damaged.len(), "the file was changed");
    }
    // With the file as it was, all is as it was.
    fs::write(path, whole)?;
    lab.daemon.start_again()?;
    lab.ping("a", "10.20.0.3")
}

#[test]
fn a_configuration_file_with_an_unknown_key_is_refused_by_line() -> Result<()> {
    let host = Host::new()?;
    let file = host.folder().join("vswitchd.toml");
    fs::write(&file, "# a comment\nlog = \"info\"\nworkerz = 2\n")?;
    let daemon = Daemon::new(
        &host,
        DaemonOptions {
            flags: vec!["--config".to_owned(), file.to_string_lossy().into_owned()],
            ..DaemonOptions::default()
        },
    );
    let finished = daemon.program()?.run()?;
    assert!(!finished.status.success());
    println!("{}", finished.stderr);
    assert!(finished.stderr.contains("workerz"), "{finished:?}");
    assert!(finished.stderr.contains(":3:"), "{finished:?}");
    Ok(())
}

#[test]
fn without_a_daemon_vsctl_says_so() -> Result<()> {
    let host = Host::new()?;
    let daemon = Daemon::new(&host, DaemonOptions::default());
    for line in ["list-nets", "add-net x", "attach x y", "stats"] {
        let refusal = daemon.refused(line)?;
        assert_eq!(refusal.code, 1);
        assert!(refusal.message.starts_with("error: "), "{refusal:?}");
        assert_eq!(refusal.message.lines().count(), 1, "{refusal:?}");
        let socket = daemon.socket();
        assert!(
            refusal.message.contains(&*socket.to_string_lossy()),
            "{refusal:?}"
        );
        assert!(refusal.message.contains("vswitchd"), "{refusal:?}");
    }
    Ok(())
}

#[test]
fn the_socket_is_for_its_owner_and_group() -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let lab = Lab::new()?;
    let mode = fs::metadata(lab.daemon.socket())?.mode();
    assert_eq!(mode & 0o777, 0o660);
    let vsctl = vswitch_e2e::binary("vsctl")?;
    // A folder that everybody may enter, so that it is the socket that refuses.
    fs::set_permissions(
        lab.host.folder(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let copy = lab.host.folder().join("vsctl");
    fs::copy(vsctl, &copy)?;
    let nobody = lab
        .host
        .program("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
        .arg(copy)
        .arg("--socket")
        .arg(lab.daemon.socket())
        .arg("list-nets")
        .run()?;
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    assert_eq!(nobody.stderr.lines().count(), 1, "{nobody:?}");
    println!("{}", nobody.stderr);
    Ok(())
}
