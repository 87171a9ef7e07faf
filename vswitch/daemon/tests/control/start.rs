//! What keeps a daemon from starting: one line each.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use rustix::mount::{MountFlags, mount};

use crate::daemon::{Daemon, bridge, refusal};
use crate::lab;

#[test]
fn a_second_daemon_is_refused() {
    lab::isolated(|| {
        let mut daemon = Daemon::new();
        let text = refusal(&daemon.run(&[]));
        assert!(text.contains("is locked by another vswitchd"), "{text}");
        let other = daemon.folder().join("other");
        let text = refusal(&daemon.run(&["--state-dir", other.to_str().unwrap()]));
        assert!(text.contains("another vswitchd answers at"), "{text}");
        assert!(daemon.is_running());
        daemon.network(&bridge("web", "10.5.0.0/24"));
    });
}

#[test]
fn a_damaged_state_file_is_told_and_stays() {
    lab::isolated(|| {
        let mut daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.kill();
        let file = daemon.state_dir().join("state.redb");
        let whole = fs::read(&file).unwrap();
        let mut spoilt = whole.clone();
        spoilt[4096..].fill(0x5a);
        for damage in [Vec::new(), whole[..whole.len() / 3].to_vec(), spoilt] {
            fs::write(&file, &damage).unwrap();
            let text = refusal(&daemon.run(&[]));
            assert!(text.contains("is damaged"), "{text}");
            assert!(text.contains(file.to_str().unwrap()), "{text}");
            assert!(!daemon.socket().exists());
        }
        fs::write(&file, whole).unwrap();
        daemon.start();
        assert!(daemon.attached("web").is_empty());
    });
}

#[test]
fn wrong_configuration_is_told() {
    lab::isolated(|| {
        let daemon = Daemon::stopped();
        let file = daemon.folder().join("v.toml");
        fs::write(&file, "mtu = 1400\nwrokers = 2\n").unwrap();
        let text = refusal(&daemon.run(&["--config", file.to_str().unwrap()]));
        assert!(text.contains("v.toml:2: unknown field `wrokers`"), "{text}");
        let text = refusal(&daemon.run(&["--log", "vswitchd=loud"]));
        assert!(text.contains("vswitchd=loud"), "{text}");
        let usage = daemon.run(&["--workers", "0"]);
        assert_eq!(usage.status.code(), Some(2));
    });
}

#[test]
fn a_missing_tun_device_is_told() {
    lab::isolated(|| {
        let daemon = Daemon::stopped();
        mount("tmpfs", "/dev/net", "tmpfs", MountFlags::empty(), None).unwrap();
        let text = refusal(&daemon.run(&[]));
        assert!(text.contains("/dev/net/tun is missing"), "{text}");
    });
}

#[test]
fn want_of_privilege_is_told() {
    lab::isolated(|| {
        let daemon = Daemon::stopped();
        // Where anybody may execute it.
        let program = daemon.folder().join("vswitchd");
        fs::copy(env!("CARGO_BIN_EXE_vswitchd"), &program).unwrap();
        fs::set_permissions(daemon.folder(), fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new("setpriv")
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--inh-caps=-all",
            ])
            .arg(&program)
            .output()
            .unwrap();
        let text = refusal(&output);
        assert!(text.contains("CAP_NET_ADMIN and CAP_SYS_ADMIN"), "{text}");
    });
}

#[test]
fn the_socket_is_for_owner_and_group() {
    lab::isolated(|| {
        let daemon = Daemon::new();
        let mode = fs::metadata(daemon.socket()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
    });
}
