//! slirp4netns with the MTU that podman and rootless Docker give it.

use anyhow::Result;
use vswitch_e2e::{Host, Program};

use super::user_mode::{self, LONGEST, NAMESPACE, UserMode};
use crate::lab::peer::PeerKind;
use crate::lab::setting::Setting;

pub(super) const KIND: PeerKind = PeerKind {
    name: "slirp4netns",
    help: "slirp4netns, the way out of rootless podman before pasta, and of rootless Docker",
    needs: &[("slirp4netns", "slirp4netns")],
    title: |setting| (setting == Setting::Outside).then_some("slirp4netns, MTU 65520"),
    takes: user_mode::takes,
    set_up: |_| Ok(Box::new(UserMode::set_up(program)?)),
};

#[expect(
    clippy::unnecessary_wraps,
    reason = "other processes need more than a command line"
)]
fn program(host: &Host) -> Result<Program> {
    let program = host.program("slirp4netns");
    let program = program.args(["--configure", "--mtu", &LONGEST.to_string()]);
    Ok(program.args(["--netns-type", "path", NAMESPACE, "eth0"]))
}
