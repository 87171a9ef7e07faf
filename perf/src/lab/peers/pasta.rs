//! pasta, as podman runs it, with a short and with the longest MTU.

use anyhow::Result;

use super::user_mode::{self, CONTAINER, LONGEST, NAMESPACE};
use crate::lab::peer::{Peer, PeerKind};
use crate::lab::setting::Setting;

/// With the MTU of Ethernet.
pub(super) const SHORT: PeerKind = PeerKind {
    name: "pasta-1500",
    help: "pasta, rootless podman's way out, with an MTU of 1500",
    needs: NEEDS,
    title: |setting| (setting == Setting::Outside).then_some("pasta, MTU 1500"),
    takes: user_mode::takes,
    set_up: |_| set_up(1500),
};

/// With the MTU that it chooses itself.
pub(super) const LONG: PeerKind = PeerKind {
    name: "pasta-65520",
    help: "The same with an MTU of 65520, which is pasta's default",
    needs: NEEDS,
    title: |setting| (setting == Setting::Outside).then_some("pasta, MTU 65520"),
    takes: user_mode::takes,
    set_up: |_| set_up(LONGEST),
};

const NEEDS: &[(&str, &str)] = &[("pasta", "passt")];

/// No ports, and the gateway's address is not the host: 192.0.2.1 is both gateway and outside here.
const AS_PODMAN: &str = "--config-net --no-map-gw -t none -u none -T none -U none";

/// What the container may have in flight. By default that is 4 MiB, of which Debian 12's pasta (of March 2023) and the
/// TAP's queue lose a part, and the container's TCP goes on after a timeout: one stream jumps between 0.2 and 7 Gbit/s
/// (kernel 6.18, two cores). With this, hardly anything is lost, and it gets 5.7 with an MTU of 1500, 14 with 65520.
const IN_FLIGHT: &str = "net.ipv4.tcp_wmem=4096 16384 262144";

fn set_up(mtu: u16) -> Result<Peer> {
    user_mode::set_up(|host| {
        let sysctl = host.sandbox(CONTAINER).program("sysctl");
        sysctl.args(["-q", "-w", IN_FLIGHT]).output()?;
        // As root it would become `nobody`, who may not enter the namespace of a container of root's.
        let pasta = host.program("pasta");
        let pasta = pasta.args(["--foreground", "--quiet", "--runas", "0"]);
        let pasta = pasta.args(["--netns", NAMESPACE, "--ns-ifname", "eth0"]);
        let pasta = pasta.args(AS_PODMAN.split(' '));
        Ok(pasta.args(["--mtu", &mtu.to_string()]))
    })
}
