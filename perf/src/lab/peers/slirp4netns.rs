//! slirp4netns with the MTU that podman and rootless Docker give it.

use anyhow::Result;

use super::user_mode::{self, LONGEST, NAMESPACE};
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

pub(super) const KIND: PeerKind = PeerKind {
    name: "slirp4netns",
    help: "slirp4netns, the way out of rootless podman before pasta, and of rootless Docker",
    needs: &[("slirp4netns", "slirp4netns")],
    title: |setting| (setting == Setting::Outside).then_some("slirp4netns, MTU 65520"),
    takes: user_mode::takes,
    set_up: |_| set_up(),
};

fn set_up() -> Result<Peer> {
    user_mode::set_up(|host| {
        let program = host.program("slirp4netns");
        let program = program.args(["--configure", "--mtu", &LONGEST.to_string()]);
        Ok(program.args(["--netns-type", "path", NAMESPACE, "eth0"]))
    })
}
