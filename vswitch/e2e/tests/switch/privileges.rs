//! A machine that does not give what a switch needs.

use anyhow::Result;
use vswitch_e2e::{Daemon, DaemonOptions, Host};

use crate::fixture::Lab;

#[test]
fn without_dev_net_tun_nothing_is_half_made() -> Result<()> {
    let lab = Lab::new()?;
    lab.host.run("mount -t tmpfs tmpfs /dev/net")?;
    let refusal = lab.daemon.refused("add-net net --subnet 10.20.0.0/24")?;
    println!("{refusal:?}");
    assert!(refusal.message.contains("/dev/net/tun"), "{refusal:?}");
    assert_eq!(refusal.message.lines().count(), 1);
    assert!(!lab.ctl("list-nets")?.contains("10.20.0.0"));
    assert_eq!(lab.host.interfaces()?, ["lo"]);

    lab.host.run("umount /dev/net")?;
    lab.ctl("add-net net --subnet 10.20.0.0/24")?;
    lab.ctl("add-sandbox a")?;
    lab.host.run("mount -t tmpfs tmpfs /dev/net")?;
    let refusal = lab.daemon.refused("attach net a")?;
    assert!(refusal.message.contains("/dev/net/tun"), "{refusal:?}");
    assert_eq!(lab.host.interfaces_in("a")?, ["lo"]);

    lab.host.run("umount /dev/net")?;
    lab.ctl("attach net a")?;
    lab.ping("a", "10.20.0.1")
}

#[test]
fn without_privilege_the_error_names_it() -> Result<()> {
    let host = Host::new()?;
    let daemon = Daemon::new(&host, DaemonOptions::default());
    let finished = host
        .program("setpriv")
        .args(["--bounding-set", "-all", "--inh-caps", "-all"])
        .arg(vswitch_e2e::binary("vswitchd")?)
        .arg("--socket")
        .arg(daemon.socket())
        .arg("--state-dir")
        .arg(daemon.state_dir())
        .timeout(std::time::Duration::from_secs(5))
        .run()?;
    println!("{}", finished.stderr);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let last = finished.stderr.lines().last().unwrap_or_default();
    assert!(
        last.contains("CAP_NET_ADMIN") || last.contains("root"),
        "{last}"
    );
    Ok(())
}
