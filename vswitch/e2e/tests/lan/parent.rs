//! A parent that fails, changes, goes away and comes back: under traffic.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use vswitch_e2e::{Background, Host, UNDERLAY_NIC, Underlay, eventually, figures};

use crate::fixture::{
    Node, OUTSIDER, Pair, SUBNETS, mac_of, mtu_of, no_ping, on_wire, ping, plain,
};

/// For what is followed by netlink.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a NIC is away: TCP tries again after 0.2, 0.4, 0.8 s, so it goes on soon.
const AWAY: Duration = Duration::from_millis(300);

/// TCP from `c10` to `c20` without an end.
struct Traffic {
    server: Background,
    _client: Background,
}

impl Traffic {
    fn start(pair: &Pair) -> Result<Self> {
        let [here, there] = pair.containers();
        // Ten readings a second.
        let server = ["--server", "--forceflush", "--interval", "0.1"];
        let mut server = there.program("iperf3").args(server).spawn()?;
        server.wait_for("Server listening", PATIENCE)?;
        let client = ["--client", &on_wire(4, 20).to_string(), "--time", "600"];
        let traffic = Self {
            server,
            _client: here.program("iperf3").args(client).spawn()?,
        };
        traffic.flows()?;
        Ok(traffic)
    }

    /// What the receiver had in each interval; only whether it is 0 matters.
    fn readings(&self) -> Result<Vec<f64>> {
        let (written, _) = self.server.written()?;
        let reading = |line: &str| -> Option<f64> {
            let (before, _) = line.split_once("bits/sec")?;
            // "9.22 G"
            before
                .split_whitespace()
                .rev()
                .find_map(|word| word.parse().ok())
        };
        Ok(written.lines().filter_map(reading).collect())
    }

    /// From now on something arrives.
    fn flows(&self) -> Result<()> {
        let before = self.readings()?.len();
        eventually("TCP flows", PATIENCE, || {
            let readings = self.readings()?;
            let new = readings.get(before..).unwrap_or_default();
            Ok(new.iter().filter(|rate| **rate > 0.0).count() >= 5)
        })
    }

    /// It flows after all that was done to it; tells how long it stood still.
    fn flows_after(&self, what: &str) -> Result<()> {
        self.flows()?;
        let readings = self.readings()?;
        let still = readings.iter().filter(|rate| **rate == 0.0).count();
        figures(&format!(
            "{what} under TCP: {} of {} tenths of a second without traffic",
            still,
            readings.len()
        ))
    }
}

fn state_is(pair: &Pair, wanted: &str) -> Result<()> {
    let what = format!("the parent is told to be {wanted:?}");
    eventually(&what, PATIENCE, || {
        Ok(pair.nodes[0].parent("net")?["State"] == wanted)
    })
}

/// Asks once a moment until it is answered, and says how long that took since then.
fn until_answered(pair: &Pair, since: Instant) -> Result<Duration> {
    let [here, _] = pair.containers();
    eventually("the container at the other end answers", PATIENCE, || {
        let ping = here.program("ping");
        let ping = ping.args(["-c", "1", "-W", "0.1", &on_wire(4, 20).to_string()]);
        Ok(ping.run()?.status.success())
    })?;
    Ok(since.elapsed())
}

fn works(pair: &Pair) -> Result<()> {
    let [here, there] = pair.containers();
    for family in [4, 6] {
        ping(&here, on_wire(family, 20))?;
        ping(&there, on_wire(family, 10))?;
    }
    Ok(())
}

#[test]
fn down_and_up_under_traffic() -> Result<()> {
    let pair = Pair::new("macvlan", "")?;
    let host = &pair.nodes[0].host;
    state_is(&pair, "up")?;
    let traffic = Traffic::start(&pair)?;
    let [on, off] = ["up", "down"].map(|to| format!("ip link set {UNDERLAY_NIC} {to}"));
    // By the host.
    host.run(&off)?;
    state_is(&pair, "down")?;
    sleep(AWAY);
    host.run(&on)?;
    let up = Instant::now();
    let by_host = until_answered(&pair, up)?;
    state_is(&pair, "up")?;
    // And by its cable.
    pair.wire.set_link(1, false)?;
    state_is(&pair, "no link")?;
    sleep(AWAY);
    pair.wire.set_link(1, true)?;
    let up = Instant::now();
    let by_cable = until_answered(&pair, up)?;
    state_is(&pair, "up")?;
    figures(&format!(
        "a parent that was down: answers {by_host:.1?} after it was up, {by_cable:.1?} after the cable was back"
    ))?;
    traffic.flows_after("a parent down and up, twice,")?;
    works(&pair)
}

/// The containers' MTU follows, and what is attached meanwhile has it, too.
#[test]
fn another_mtu_under_traffic() -> Result<()> {
    let pair = Pair::new("macvlan", "")?;
    let [here, there] = pair.containers();
    let traffic = Traffic::start(&pair)?;
    for mtu in [1400, 1500, 9000, 1500] {
        for node in &pair.nodes {
            pair.wire.set_mtu(&node.host, node.number, mtu)?;
        }
        for (node, container) in pair.nodes.iter().zip([&here, &there]) {
            eventually("the container has the parent's MTU", PATIENCE, || {
                Ok(mtu_of(container, "eth0")? == mtu)
            })?;
            eventually("inspect tells it", PATIENCE, || {
                Ok(node.parent("net")?["Mtu"] == mtu)
            })?;
        }
        for (size, family) in [(mtu - 28, 4), (mtu - 48, 6)] {
            let ping = here.program("ping");
            ping.args(["-M", "do", "-s", &size.to_string()])
                .args(["-c", "1", "-i", "0.2", "-w", "5"])
                .arg(on_wire(family, 20).to_string())
                .output()?;
        }
        if mtu == 9000 {
            let late = pair.nodes[0].attach("net", 11)?;
            assert_eq!(mtu_of(&late, "eth0")?, 9000);
        }
    }
    traffic.flows_after("an MTU of 1400, 1500, 9000 and 1500")?;
    works(&pair)
}

#[test]
fn removed_and_back_under_traffic() -> Result<()> {
    let pair = Pair::new("macvlan", "")?;
    let node = &pair.nodes[0];
    node.attach("net", 11)?;
    let traffic = Traffic::start(&pair)?;
    let before = node.daemon.figures()?;
    for round in 0..3 {
        node.host.run(&format!("ip link delete {UNDERLAY_NIC}"))?;
        state_is(&pair, "missing")?;
        if round == 0 {
            // Among themselves containers need no NIC.
            ping(&node.host.sandbox("c10"), on_wire(4, 11))?;
            no_ping(&node.host.sandbox("c11"), on_wire(6, 20))?;
        }
        pair.wire.plug(&node.host, 1)?;
        let back = Instant::now();
        let took = until_answered(&pair, back)?;
        state_is(&pair, "up")?;
        figures(&format!(
            "a parent that was removed: answers {took:.1?} after it was back"
        ))?;
    }
    let mac = mac_of(&node.host.place(), UNDERLAY_NIC)?;
    ensure!(
        node.parent("net")?["Mac"] == mac,
        "another NIC, another address"
    );
    traffic.flows_after("a parent that was removed and came back, three times,")?;
    works(&pair)?;
    eventually("as many descriptors as before", PATIENCE, || {
        Ok(node.daemon.figures()?.descriptors <= before.descriptors)
    })?;
    ensure!(node.daemon.figures()?.threads <= before.threads);
    Ok(())
}

/// Nothing is left of each time.
#[test]
fn many_times() -> Result<()> {
    const TIMES: usize = 25;
    let pair = Pair::new("macvlan", "")?;
    let node = &pair.nodes[0];
    let flap = || -> Result<()> {
        for _ in 0..TIMES {
            node.host.run(&format!("ip link set {UNDERLAY_NIC} down"))?;
            node.host
                .run(&format!("ip link set {UNDERLAY_NIC} mtu 1400"))?;
            node.host.run(&format!("ip link set {UNDERLAY_NIC} up"))?;
            node.host
                .run(&format!("ip link set {UNDERLAY_NIC} mtu 1500"))?;
            node.host.run(&format!("ip link delete {UNDERLAY_NIC}"))?;
            pair.wire.plug(&node.host, 1)?;
        }
        state_is(&pair, "up")?;
        until_answered(&pair, Instant::now())?;
        works(&pair)
    };
    flap()?;
    let before = node.daemon.figures()?;
    flap()?;
    eventually("as many descriptors as before", PATIENCE, || {
        Ok(node.daemon.figures()?.descriptors <= before.descriptors)
    })?;
    let after = node.daemon.figures()?;
    figures(&format!(
        "a parent that went down, changed and vanished {TIMES} times more:\n  before: {before}\n  after:  {after}"
    ))?;
    ensure!(after.threads <= before.threads, "{before}, {after}");
    ensure!(
        after.resident_kib < before.resident_kib + 8 * 1024,
        "{before}, {after}"
    );
    Ok(())
}

/// How the NIC hears frames for containers, and that it is left as it was.
#[test]
fn filters() -> Result<()> {
    let wire = Underlay::new()?;
    let host = Host::new()?;
    // A veth hears all or its own: it has no list of further addresses. The kernel's macvlan in mode passthru
    // has one, and is a NIC like others otherwise.
    wire.plug(&host, 1)?;
    wire.plug_as(&host, "cable0", 2)?;
    host.run("ip link add link cable0 name able0 type macvlan mode passthru")?;
    host.run("ip link set able0 up")?;
    let outsider = plain(&wire, OUTSIDER)?;
    let node = Node::on(host, 1)?;
    for (nic, options, filter, promiscuity) in [
        ("eth0", "-d macvlan", "promiscuous", 1),
        ("able0", "-d macvlan", "unicast", 0),
        ("eth0", "-d ipvlan", "shared MAC", 0),
        ("able0", "-d ipvlan", "shared MAC", 0),
        ("eth0", "-d macvlan -o mac_nat=true", "shared MAC", 0),
        (
            "able0",
            "-d macvlan -o macvlan_mode=passthru",
            "promiscuous",
            1,
        ),
    ] {
        let what = format!("{options} on {nic}");
        node.ctl(&format!("add-net net {SUBNETS} -o parent={nic} {options}"))?;
        let container = node.attach("net", 10)?;
        let parent = node.parent("net")?;
        ensure!(parent["Filter"] == filter, "{what}: {parent}");
        ensure!(
            parent["Mac"] == mac_of(&node.host.place(), nic)?,
            "{what}: {parent}"
        );
        assert_eq!(node.promiscuity(nic)?, promiscuity, "{what}");
        for family in [4, 6] {
            ping(&container, on_wire(family, OUTSIDER))?;
            ping(&outsider.place(), on_wire(family, 10))?;
        }
        node.ctl("rm-net --force net")?;
        node.ctl("rm-sandbox c10")?;
        eventually("the NIC is as it was", PATIENCE, || {
            Ok(node.promiscuity(nic)? == 0)
        })?;
        let names = node.host.interfaces()?;
        ensure!(
            names
                .iter()
                .all(|name| ["lo", "eth0", "cable0", "able0"].contains(&name.as_str())),
            "{names:?}"
        );
    }
    Ok(())
}
