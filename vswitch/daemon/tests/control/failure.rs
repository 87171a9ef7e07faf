//! Effects that fail half-way: everything is as before, and the daemon lives on.

use std::fs;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::daemon::{Daemon, bridge, code, to};
use crate::lab;

#[test]
fn without_taps_nothing_is_half_made() {
    lab::isolated(|| {
        let mut daemon = Daemon::new();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&["a"]);
        mount("tmpfs", "/dev/net", "tmpfs", MountFlags::empty(), None).unwrap();
        assert_eq!(code(daemon.try_attach("web", to("a"))), "no_tun");
        let request = bridge("db", "10.6.0.0/24");
        let refused = daemon.block_on(daemon.client().create_network(&request));
        assert_eq!(code(refused), "no_tun");
        assert!(daemon.attached("web").is_empty());
        assert_eq!(lab::links("a").len(), 1);
        assert_eq!(
            daemon.block_on(daemon.client().networks()).unwrap().len(),
            3
        );
        unmount("/dev/net", UnmountFlags::empty()).unwrap();

        daemon.network(&request);
        let endpoint = daemon.attach("web", "a");
        assert_eq!(endpoint.addresses[0].to_string(), "10.5.0.2/24");
        daemon.kill();
        daemon.start();
        assert_eq!(daemon.attached("web"), ["a"]);
        assert_eq!(daemon.logged(&["WARN"]), 0);
    });
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    lab::isolated(|| {
        let mut daemon = Daemon::stopped();
        let state = daemon.state_dir();
        fs::create_dir(&state).unwrap();
        mount(
            "tmpfs",
            &state,
            "tmpfs",
            MountFlags::empty(),
            Some(c"size=3m"),
        )
        .unwrap();
        daemon.start();
        daemon.network(&bridge("web", "10.5.0.0/24"));
        daemon.sandboxes(&["a"]);
        let ballast = state.join("ballast");
        // Until the disk is full.
        let _ = fs::write(&ballast, vec![0; 4 << 20]);

        let mut refused = None;
        for number in 0..2000 {
            let network = format!("n{number}");
            let request = bridge(
                &network,
                &format!("10.{}.{}.0/24", 16 + number / 256, number % 256),
            );
            match daemon.block_on(daemon.client().create_network(&request)) {
                Ok(_) => daemon
                    .block_on(daemon.client().remove_network(&network, false))
                    .unwrap(),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        if let Some(error) = refused {
            assert_eq!(error.code(), Some("state_not_written"), "{error}");
            assert!(daemon.is_running());
            assert_eq!(lab::host_taps().len(), 1, "nothing half-made");
            fs::remove_file(&ballast).unwrap();
            let endpoint = daemon.attach("web", "a");
            assert_eq!(endpoint.addresses[0].to_string(), "10.5.0.2/24");
            daemon.kill();
            daemon.start();
            assert_eq!(daemon.attached("web"), ["a"]);
        } else {
            panic!("the disk was never full");
        }
    });
}
