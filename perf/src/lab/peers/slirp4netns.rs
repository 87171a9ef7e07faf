//! slirp4netns with its own MTU, and with the one that podman and rootless Docker give it.

use anyhow::Result;

use super::user_mode::{self, LONGEST, NAMESPACE};
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

/// With the MTU that it chooses itself, that of Ethernet.
pub(super) const SHORT: PeerKind = PeerKind {
    name: "slirp4netns-1500",
    help: "The same with an MTU of 1500, which is slirp4netns' default",
    needs: NEEDS,
    title: |setting| (setting == Setting::Outside).then_some("slirp4netns, MTU 1500"),
    takes: user_mode::takes,
    set_up: |_| set_up(1500),
};

/// As engines run it.
pub(super) const LONG: PeerKind = PeerKind {
    name: "slirp4netns",
    help: "slirp4netns, the way out of rootless podman before pasta, and of rootless Docker",
    needs: NEEDS,
    title: |setting| (setting == Setting::Outside).then_some("slirp4netns, MTU 65520"),
    takes: user_mode::takes,
    set_up: |_| set_up(LONGEST),
};

const NEEDS: &[(&str, &str)] = &[("slirp4netns", "slirp4netns")];

fn set_up(mtu: u16) -> Result<Peer> {
    user_mode::set_up(|host| {
        let program = host.program("slirp4netns");
        let program = program.args(["--configure", "--mtu", &mtu.to_string()]);
        Ok(program.args(["--netns-type", "path", NAMESPACE, "eth0"]))
    })
}
