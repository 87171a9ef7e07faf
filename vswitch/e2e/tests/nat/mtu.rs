//! Path MTU discovery (RFC 1191, RFC 8201): errors find the way back through translation.

use anyhow::{Result, ensure};
use vswitch_e2e::{Conversation, Echo, FAR, WebServer, ask_large, discovered_mtu, fetch_page};

use crate::fixture::{Lab, at};

/// Smaller than the first hop's, and large enough for IPv6.
const SMALL: u16 = 1400;

#[test]
fn a_smaller_mtu_outside_is_found_by_tcp() -> Result<()> {
    let lab = Lab::new()?;
    let far = lab.outside.put_behind(&lab.host, SMALL)?;
    lab.ctl("publish net a -p 8000:8000 -p 8080:80")?;
    let _far_web = WebServer::start(&far, &"x".repeat(3 << 20))?;
    let _web = WebServer::start(&lab.a(), &"x".repeat(3 << 20))?;
    let _far_echo = Echo::start(&far, 80)?;
    let _echo = Echo::start(&lab.a(), 80)?;
    for family in [4, 6] {
        let (outside, host) = (FAR.address(family, 2), lab.outside.host_address(family));
        // Super-frames towards the narrow link, first of all.
        Conversation::start(&lab.a(), at(outside, 80))?.exchange(3 << 20)?;
        assert_eq!(fetch_page(&lab.b(), outside)?.len(), 3 << 20);
        // The other container has to learn by itself what it sends to a client.
        assert_eq!(fetch_page(&far, host)?.len(), 3 << 20);
        Conversation::start(&far, at(host, 8080))?.exchange(3 << 20)?;
    }
    // Nothing was cut on the way: the container knows.
    for family in ["-4", "-6"] {
        let to = FAR.address(if family == "-4" { 4 } else { 6 }, 2);
        let route = lab
            .host
            .run_in("a", &format!("ip {family} route get {to}"))?;
        ensure!(route.contains("mtu 1400"), "{route}");
    }
    Ok(())
}

#[test]
fn a_smaller_mtu_outside_is_found_by_udp() -> Result<()> {
    let lab = Lab::new()?;
    let far = lab.outside.put_behind(&lab.host, SMALL)?;
    let _echo = Echo::start(&far, 7)?;
    for family in [4, 6] {
        let to = at(FAR.address(family, 2), 7);
        assert_eq!(
            discovered_mtu(&lab.a(), to, 1440)?,
            u32::from(SMALL),
            "{to}"
        );
        // As large as it may be, and larger, in fragments of the container's making.
        ask_large(&lab.a(), to, 1340)?;
        ask_large(&lab.a(), to, 3000)?;
    }
    Ok(())
}

#[test]
fn the_router_tells_of_a_smaller_uplink() -> Result<()> {
    let lab = Lab::new()?;
    lab.host.run("ip link set wan0 mtu 1300")?;
    lab.host.run_in("outside", "ip link set lan0 mtu 1300")?;
    let _echo = Echo::start(lab.outside(), 7)?;
    lab.ctl("publish net a -p 8080:80")?;
    let _server = Echo::start(&lab.a(), 80)?;
    for family in [4, 6] {
        let to = at(lab.outside.address(family), 7);
        assert_eq!(discovered_mtu(&lab.a(), to, 1400)?, 1300, "{to}");
        Conversation::start(&lab.b(), to)?.exchange(1 << 20)?;
        let host = at(lab.outside.host_address(family), 8080);
        Conversation::start(lab.outside(), host)?.exchange(1 << 20)?;
    }
    assert!(lab.daemon.drops("net", "too_big")? > 0);
    // Where it is allowed, the router cuts (RFC 1812 §5.2.6).
    lab.host.run_in("b", "ip route flush cache").ok();
    let ping = lab.b().program("ping");
    ping.args([
        "-M",
        "dont",
        "-s",
        "1400",
        "-c",
        "2",
        "-W",
        "3",
        "192.0.2.9",
    ])
    .output()?;
    Ok(())
}
