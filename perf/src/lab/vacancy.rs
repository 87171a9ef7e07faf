//! Waiting for the kernel to take down the namespaces of hosts that have ended.

use std::time::Duration;

use anyhow::Result;
use vswitch_e2e::{Host, eventually};

/// A thousand namespaces with an interface each take the kernel a while, beside whatever is measured next.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until nothing is left of namespaces that have ended before.
///
/// The kernel takes them down one batch after the other, in order (`cleanup_net`, on an ordered work queue): when
/// one that ends now is gone, and the far end of its veth pair with it, so are the others.
///
/// # Errors
/// If it takes minutes.
pub(super) fn wait() -> Result<()> {
    let host = Host::new()?;
    host.run("ip netns add last")?;
    host.run("ip link add last type veth peer name eth0 netns last")?;
    host.run("ip netns delete last")?;
    eventually("namespaces are taken down", PATIENCE, || {
        Ok(host.interfaces()? == ["lo"])
    })
}
