//! CHECK and STATUS: what they notice.

use anyhow::{Result, ensure};
use serde_json::json;
use vswitch_e2e::{CniFailure, eventually};

use crate::fixture::{Lab, PATIENCE};

#[test]
fn what_was_changed_in_the_container_is_noticed() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    lab.container("a")?;
    let result = web.add("a")?;
    let notices = |hint: &str| -> Result<()> {
        let failure = CniFailure::of(web.checking("a", &result)?)?;
        ensure!(
            failure.code == 101 && failure.details.contains(hint),
            "{failure:?}"
        );
        Ok(())
    };
    lab.host
        .run_in("a", "ip address del 10.20.0.2/24 dev eth0")?;
    notices("does not have the address 10.20.0.2")?;
    lab.host
        .run_in("a", "ip address add 10.20.0.2/24 dev eth0")?;
    web.check("a", &result)?;
    lab.host.run_in("a", "ip link delete eth0")?;
    eventually("the switch notices", PATIENCE, || {
        Ok(lab.endpoints("web")?.is_empty())
    })?;
    notices("not attached to network web")
}

#[test]
fn another_attachment_is_not_taken_for_this_one() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    lab.container("a")?;
    let result = web.add("a")?;
    // The same name, and the same address, by somebody else.
    lab.daemon.ctl("detach web a")?;
    lab.daemon.ctl("attach web a --ip 10.20.0.2")?;
    let failure = CniFailure::of(web.checking("a", &result)?)?;
    ensure!(failure.details.contains("not attached"), "{failure:?}");
    lab.daemon.ctl("detach web a")?;
    let other = web.with(json!({"runtimeConfig": {"ips": ["10.20.0.9"]}}));
    other.add("a")?;
    let failure = CniFailure::of(web.checking("a", &result)?)?;
    ensure!(
        failure.details.contains("eth0 had 10.20.0.2/24"),
        "{failure:?}"
    );
    Ok(())
}

#[test]
fn the_status_follows_the_daemon() -> Result<()> {
    let mut lab = Lab::new()?;
    let web = lab.web()?;
    let status = || web.call("STATUS", "-");
    assert_eq!(status()?.output()?, "");
    lab.daemon.kill()?;
    assert_eq!(CniFailure::of(status()?)?.code, 51);
    lab.daemon.start_again()?;
    assert_eq!(status()?.output()?, "");
    Ok(())
}
