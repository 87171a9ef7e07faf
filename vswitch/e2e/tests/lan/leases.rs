//! Addresses from the physical network's own DHCP server.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;
use vswitch_e2e::{
    Capture, Conversation, DhcpServer, Dnsmasq, Echo, Host, Place, Said, Underlay, eventually,
};

use crate::fixture::{
    Node, OUTSIDER, PATIENCE, answers, at, mac_of, on_wire, ping, plain, sandbox,
};

/// The first and the last address that the server gives.
const FIRST: u8 = 100;
const LAST: u8 = 110;
/// For renewals and expiries.
const LONG: Duration = Duration::from_secs(40);
/// Behind the router.
const FAR: &str = "198.51.100.1";

/// A host on a wire on which there is a machine that is router and DHCP server.
struct Lab {
    // Dropped in this order: the daemon first.
    node: Node,
    server: Host,
    wire: Underlay,
}

impl Lab {
    fn new(driver: &str, options: &str) -> Result<Self> {
        let wire = Underlay::new()?;
        let server = plain(&wire, OUTSIDER)?;
        server.run(&format!("ip address add {FAR}/32 dev lo"))?;
        let node = Node::new(&wire, 1)?;
        node.ctl(&format!(
            "add-net net -d {driver} --ipam dhcp -o parent=eth0 {options}"
        ))?;
        Ok(Self { node, server, wire })
    }

    fn dnsmasq(&self, flags: &[&str]) -> Result<Dnsmasq> {
        let range = [on_wire(4, FIRST), on_wire(4, LAST)];
        Dnsmasq::start(&self.server.place(), range, on_wire(4, OUTSIDER), flags)
    }

    /// A server whose leases are of seconds.
    fn hasty(&self, seconds: u32) -> Result<DhcpServer> {
        let (own, first) = (v4(on_wire(4, OUTSIDER))?, v4(on_wire(4, FIRST))?);
        DhcpServer::start(&self.server.place(), own, own, first, seconds)
    }

    fn lease(&self, number: u8) -> Result<Value> {
        let rows = self.node.rows("leases net")?;
        let name = sandbox(number);
        let row = rows.iter().find(|row| row["sandbox"] == name);
        Ok(row
            .with_context(|| format!("no lease of {name}: {rows:?}"))?
            .clone())
    }
}

fn v4(address: IpAddr) -> Result<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => bail!("{address} is none of IPv4"),
    }
}

/// What of IPv4 an interface has, without the lengths of prefixes.
fn addresses(place: &Place) -> Result<Vec<IpAddr>> {
    let ip = place.program("ip");
    let shown = ip
        .args(["-o", "-4", "address", "show", "dev", "eth0"])
        .output()?;
    let address = |line: &str| -> Result<IpAddr> {
        let words: Vec<_> = line.split_whitespace().collect();
        let text = words.get(3).context("no address")?;
        Ok(text.split('/').next().unwrap_or_default().parse()?)
    };
    shown.lines().map(address).collect()
}

/// The one address that it has, which the server gave.
fn given(place: &Place) -> Result<IpAddr> {
    let addresses = addresses(place)?;
    let [address] = addresses[..] else {
        bail!("not one address: {addresses:?}");
    };
    let range = v4(on_wire(4, FIRST))?..=v4(on_wire(4, LAST))?;
    ensure!(
        range.contains(&v4(address)?),
        "{address} is not of the server's"
    );
    Ok(address)
}

fn has_dhcp(frame: &[u8]) -> bool {
    // UDP to port 68 or 67, in IPv4 without options.
    frame.get(12..14) == Some(&[8, 0])
        && frame.get(23) == Some(&17)
        && matches!(frame.get(36..38), Some([0, 67 | 68]))
}

/// What takes its time: the client asks for more after 10 s at least, and holds what it has for 20 s. All of it
/// side by side.
#[test]
fn leases_over_time() -> Result<()> {
    let stories = [
        (
            "a lease of dnsmasq",
            a_lease_of_dnsmasq as fn() -> Result<()>,
        ),
        ("a lease that expires", a_lease_that_expires),
        ("a lease that is refused", a_lease_that_is_refused),
        ("nobody answers", nobody_answers),
    ];
    thread::scope(|scope| {
        let told = stories.map(|(name, story)| (name, scope.spawn(story)));
        for (name, story) in told {
            let ended = story.join();
            ended
                .map_err(|_| anyhow!("it panicked"))
                .flatten()
                .context(name)?;
        }
        Ok(())
    })
}

/// From the first question to the last, over the end of the daemon.
fn a_lease_of_dnsmasq() -> Result<()> {
    let mut lab = Lab::new("macvlan", "")?;
    // T1 and T2 (RFC 2132 §9.11): renewed long before the two minutes are over.
    let dnsmasq = lab.dnsmasq(&[
        "--dhcp-option-force=option:T1,12",
        "--dhcp-option-force=option:T2,60",
    ])?;
    let container = lab.node.attach_with("net", 10, "")?;
    let address = given(&container)?;
    let routes = lab.node.host.run_in("c10", "ip route")?;
    ensure!(
        routes.contains(&format!("default via {}", on_wire(4, OUTSIDER))),
        "{routes}"
    );
    ensure!(routes.contains("192.0.2.0/24"), "{routes}");
    ping(&container, FAR.parse()?)?;
    let mac = mac_of(&container, "eth0")?;
    ensure!(
        dnsmasq
            .leases()?
            .iter()
            .any(|line| line.contains(&address.to_string()))
    );

    // All that is told of it.
    let lease = lab.lease(10)?;
    ensure!(
        lease["address"] == format!("{address}/24")
            && lease["network"] == "net"
            && lease["ifname"] == "eth0"
            && lease["mac"] == mac
            && lease["router"] == on_wire(4, OUTSIDER).to_string()
            && lease["server"] == on_wire(4, OUTSIDER).to_string(),
        "{lease}"
    );
    let left = lease["expires_in"].as_u64().context("it never ends")?;
    ensure!((100..=120).contains(&left), "{lease}");
    let inspected = lab.node.inspect("net")?;
    ensure!(inspected["IPAM"]["Driver"] == "dhcp", "{inspected}");
    let row = &inspected["Containers"]["c10"];
    ensure!(row["IPv4Address"] == format!("{address}/24"), "{row}");
    ensure!(
        row["Lease"]["Server"] == on_wire(4, OUTSIDER).to_string(),
        "{row}"
    );

    // It is renewed, and nobody in the container hears of it.
    let _server = Echo::start(&container, 7)?;
    let mut open = Conversation::start(&lab.server.place(), at(address, 7))?;
    let inside = Capture::start(&container, "eth0")?;
    let before = dnsmasq.count("DHCPACK", &mac)?;
    eventually("the lease is renewed", LONG, || {
        Ok(dnsmasq.count("DHCPACK", &mac)? > before)
    })?;
    eventually("it has its time again", PATIENCE, || {
        let lease = lab.lease(10)?;
        Ok(lease["state"] == "bound" && lease["expires_in"].as_u64() > Some(110))
    })?;
    ensure!(!inside.frames()?.iter().any(|frame| has_dhcp(frame)));
    open.goes_on(PATIENCE)?;

    // It outlives the daemon.
    let discovered = dnsmasq.count("DHCPDISCOVER", &mac)?;
    let confirmed = dnsmasq.count("DHCPACK", &mac)?;
    lab.node.daemon.kill()?;
    lab.node.daemon.start_again()?;
    ensure!(given(&container)? == address);
    ensure!(lab.lease(10)?["address"] == format!("{address}/24"));
    eventually("the lease is renewed again", LONG, || {
        Ok(dnsmasq.count("DHCPACK", &mac)? > confirmed)
    })?;
    ensure!(
        dnsmasq.count("DHCPDISCOVER", &mac)? == discovered,
        "it began anew"
    );
    open.goes_on(PATIENCE)?;

    // And is given back.
    lab.node.ctl("detach net c10")?;
    eventually("the address is given back", PATIENCE, || {
        Ok(dnsmasq.count("DHCPRELEASE", &mac)? == 1 && dnsmasq.leases()?.is_empty())
    })?;
    ensure!(lab.node.rows("leases")?.is_empty());
    assert_eq!(lab.node.host.interfaces_in("c10")?, ["lo"]);
    Ok(())
}

/// Containers behind one MAC address are told apart by their client identifiers.
#[test]
fn leases_behind_the_parents_address() -> Result<()> {
    for (driver, options) in [("ipvlan", ""), ("macvlan", "-o mac_nat=true")] {
        let lab = Lab::new(driver, options)?;
        let dnsmasq = lab.dnsmasq(&[])?;
        let containers = [
            lab.node.attach_with("net", 10, "")?,
            lab.node.attach_with("net", 11, "")?,
        ];
        let [one, two] = [given(&containers[0])?, given(&containers[1])?];
        ensure!(one != two, "both have {one}");
        for container in &containers {
            ping(container, FAR.parse()?)?;
        }
        ping(&containers[0], two)?;
        ensure!(dnsmasq.leases()?.len() == 2, "{:?}", dnsmasq.leases()?);
        let parent = mac_of(&lab.node.host.place(), "eth0")?;
        let neighbours = lab.server.run("ip -4 neighbour show dev eth0")?;
        for address in [one, two] {
            let known = format!("{address} lladdr {parent}");
            ensure!(neighbours.contains(&known), "{neighbours}");
        }
        lab.node.ctl("rm-net --force net")?;
        eventually("both are given back", PATIENCE, || {
            Ok(dnsmasq.leases()?.is_empty())
        })?;
    }
    Ok(())
}

/// The server dies, and the address's time ends; it comes back.
fn a_lease_that_expires() -> Result<()> {
    let lab = Lab::new("macvlan", "")?;
    let server = lab.hasty(20)?;
    let container = lab.node.attach_with("net", 10, "")?;
    let address = given(&container)?;
    ping(&lab.server.place(), address)?;
    server.set_silent(true);
    let asked = server.count(Said::Request);
    let mut seen = Vec::new();
    eventually("the address is taken away", LONG, || {
        if let Some(state) = lab.lease(10)?["state"].as_str()
            && seen.last().is_none_or(|last| last != state)
        {
            seen.push(state.to_owned());
        }
        Ok(addresses(&container)?.is_empty())
    })?;
    println!("{seen:?}");
    for state in ["bound", "renewing", "rebinding"] {
        ensure!(seen.iter().any(|told| told == state), "{seen:?}");
    }
    ensure!(
        server.count(Said::Request) > asked,
        "it was not asked for more time"
    );
    ensure!(!answers(&lab.server.place(), address)?);
    let lease = lab.lease(10)?;
    ensure!(
        lease["state"] == "asking" && lease["address"].is_null(),
        "{lease}"
    );
    server.set_silent(false);
    eventually("the container has an address again", LONG, || {
        Ok(addresses(&container)? == [address])
    })?;
    ping(&lab.server.place(), address)?;
    ping(&container, FAR.parse()?)?;
    eventually("and a lease", PATIENCE, || {
        let lease = lab.lease(10)?;
        Ok(lease["state"] == "bound" && lease["address"] == format!("{address}/24"))
    })
}

/// The server wants an address back and gives another.
fn a_lease_that_is_refused() -> Result<()> {
    let lab = Lab::new("macvlan", "")?;
    let server = lab.hasty(20)?;
    let container = lab.node.attach_with("net", 10, "")?;
    let address = given(&container)?;
    server.set_refusing(true);
    eventually("the address is taken away", LONG, || {
        Ok(addresses(&container)?.is_empty())
    })?;
    server.set_refusing(false);
    eventually("the container has another address", LONG, || {
        let now = addresses(&container)?;
        Ok(!now.is_empty() && now != [address])
    })?;
    let other = given(&container)?;
    ping(&lab.server.place(), other)?;
    ping(&container, FAR.parse()?)?;
    let row = lab.node.inspect("net")?["Containers"]["c10"].clone();
    ensure!(row["IPv4Address"] == format!("{other}/24"), "{row}");
    Ok(())
}

fn nobody_answers() -> Result<()> {
    let lab = Lab::new("macvlan", "")?;
    lab.node.ctl("add-sandbox c10")?;
    let before = lab.node.daemon.figures()?.descriptors;
    let refusal = lab.node.daemon.refused("attach net c10")?;
    println!("{}", refusal.message);
    ensure!(refusal.code == 1, "{refusal:?}");
    for word in ["error: ", "DHCP", "eth0"] {
        ensure!(refusal.message.contains(word), "{refusal:?} without {word}");
    }
    assert_eq!(lab.node.host.interfaces_in("c10")?, ["lo"]);
    assert_eq!(lab.node.host.interfaces()?, ["lo", "eth0"]);
    ensure!(lab.node.rows("leases")?.is_empty());
    let containers = lab.node.inspect("net")?["Containers"].clone();
    ensure!(
        containers.as_object().is_none_or(serde_json::Map::is_empty),
        "{containers}"
    );
    eventually("as many descriptors as before", PATIENCE, || {
        Ok(lab.node.daemon.figures()?.descriptors <= before)
    })?;
    // And it is not too late.
    let _server = lab.hasty(60)?;
    lab.node.ctl("attach net c10")?;
    given(&lab.node.host.sandbox("c10"))?;
    Ok(())
}

/// The server gives what somebody has taken: it is told so, and gives another.
#[test]
fn an_address_that_somebody_took() -> Result<()> {
    let lab = Lab::new("macvlan", "")?;
    let squatter = Host::new()?;
    lab.wire.plug_as(&squatter, "eth0", 3)?;
    let dnsmasq = lab.dnsmasq(&["--dhcp-sequential-ip"])?;
    squatter.run(&format!("ip address add {}/24 dev eth0", on_wire(4, FIRST)))?;
    let container = lab.node.attach_with("net", 10, "")?;
    let address = given(&container)?;
    ensure!(
        address != on_wire(4, FIRST),
        "it has the squatter's address"
    );
    ensure!(dnsmasq.count("DHCPDECLINE", &on_wire(4, FIRST).to_string())? == 1);
    ping(&lab.server.place(), address)
}

/// IPv6 addresses are not leased: the container makes its own, of the prefix that the router tells (RFC 4862).
#[test]
fn an_address_of_ones_own_beside_the_lease() -> Result<()> {
    let lab = Lab::new("macvlan", "--ipv6")?;
    let _dnsmasq = lab.dnsmasq(&["--enable-ra", "--dhcp-range=2001:db8::,ra-only,64"])?;
    let container = lab.node.attach_with("net", 10, "")?;
    given(&container)?;
    let mut own = None;
    eventually("the container has an IPv6 address", LONG, || {
        let show = "ip -o -6 address show dev eth0 scope global -tentative";
        let shown = lab.node.host.run_in("c10", show)?;
        let words: Vec<_> = shown.split_whitespace().collect();
        own = words.get(3).map(|text| (*text).to_owned());
        Ok(own.is_some())
    })?;
    let own = own.context("no address")?;
    let (address, _) = own.split_once('/').context("no prefix")?;
    ping(&lab.server.place(), address.parse()?)?;
    ping(&container, on_wire(6, OUTSIDER))
}
