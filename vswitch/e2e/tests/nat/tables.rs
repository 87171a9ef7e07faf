//! What `vsctl` shows of the router, of translation and of published ports.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Conversation, Echo, ask, eventually, reaches};

use crate::fixture::{Lab, PATIENCE, at, no_ping, ping, rows};

/// The header of a table, and a row that contains all of some texts.
fn table(lab: &Lab, command: &str, texts: &[&str]) -> Result<(String, String)> {
    let shown = lab.ctl(command)?;
    let mut lines = shown.lines();
    let header = lines.next().context("an empty table")?.to_owned();
    let row = lines.find(|line| texts.iter().all(|text| line.contains(text)));
    let row = row.with_context(|| format!("no {texts:?} in:\n{shown}"))?;
    Ok((header, row.to_owned()))
}

#[test]
fn published_ports() -> Result<()> {
    let lab = Lab::new()?;
    assert_eq!(lab.ctl("ports")?.lines().count(), 1);
    lab.ctl("publish net a -p 8080:80 -p 127.0.0.1:5300-5309:53-62/udp")?;
    lab.ctl("publish net b -p [2001:db8::1]:8443:443")?;
    let rows = rows(&lab.daemon, "ports net")?;
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} {} {} {} {}",
                text("sandbox"),
                text("protocol"),
                text("host_ip"),
                text("host_port"),
                text("container_ip"),
                text("container_port")
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "a tcp 0.0.0.0 8080 10.20.0.2 80",
            "a tcp :: 8080 fd20::2 80",
            "a udp 127.0.0.1 5300-5309 10.20.0.2 53-62",
            "b tcp 2001:db8::1 8443 fd20::3 443",
        ]
    );
    assert_eq!(rows[0]["network"], "net");
    assert_eq!(rows[0]["endpoint"].as_str().map(str::len), Some(64));
    let (header, _) = table(&lab, "ports", &["[::]:8080", "[fd20::2]:80"])?;
    for title in ["NETWORK", "SANDBOX", "PROTOCOL", "HOST", "CONTAINER"] {
        assert!(header.contains(title), "{header}");
    }
    assert_eq!(lab.daemon.refused("ports nosuch")?.code, 1);
    Ok(())
}

#[test]
fn mistakes_in_port_specifications_are_explained() -> Result<()> {
    let lab = Lab::new()?;
    for (spec, said) in [
        ("0:80", "0"),
        ("8080:80/icmp", "icmp"),
        ("8080-8081:80-82", "8080-8081"),
        ("192.0.2.200:8080:80", "192.0.2.200"),
        ("localhost:8080:80", "localhost"),
        ("70000:80", "70000"),
    ] {
        let refusal = lab.daemon.refused(&format!("publish net a -p {spec}"))?;
        println!("-p {spec}: {}", refusal.message);
        assert!(refusal.message.starts_with("error: "), "{refusal:?}");
        assert!(refusal.message.contains(said), "no {said}: {refusal:?}");
    }
    for line in [
        "unpublish net a -p 8080:80",
        "publish net nosuch -p 80",
        "publish nosuch a -p 80",
    ] {
        let refusal = lab.daemon.refused(line)?;
        println!("{line}: {}", refusal.message);
        assert_eq!(refusal.code, 1);
    }
    assert!(rows(&lab.daemon, "ports")?.is_empty());
    Ok(())
}

#[test]
fn conntrack() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(lab.outside(), 7)?;
    let outside: SocketAddr = "192.0.2.9:7".parse()?;
    let mut open = Conversation::start(&lab.a(), outside)?;
    ask(&lab.b(), Udp, outside)?;
    ping(&lab.b(), outside.ip())?;
    let own = open.local()?.to_string();
    let (header, row) = table(&lab, "conntrack", &["tcp", "established", &own])?;
    for title in [
        "NETWORK", "SANDBOX", "PROTOCOL", "STATE", "INSIDE", "EXTERNAL", "REMOTE", "IDLE", "LEFT",
    ] {
        assert!(header.contains(title), "{header}");
    }
    assert!(row.starts_with("net "), "{row}");
    for (filter, protocols) in [
        ("", vec!["icmp", "tcp", "udp"]),
        ("net", vec!["icmp", "tcp", "udp"]),
        ("--sandbox a", vec!["tcp"]),
        ("--sandbox b", vec!["icmp", "udp"]),
        ("--protocol udp", vec!["udp"]),
        ("--sandbox a --protocol udp", vec![]),
        ("--state unreplied", vec![]),
    ] {
        let sessions = lab.sessions(filter)?;
        let mut found: Vec<_> = sessions
            .iter()
            .filter_map(|row| row["protocol"].as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, protocols, "conntrack {filter}");
    }
    let session = &lab.sessions("--sandbox a")?[0];
    assert_eq!(session["external"], open.seen().to_string());
    assert!(session["left"].as_u64() > Some(7000), "{session}");

    let stats = lab.daemon.json("conntrack --stats")?;
    assert_eq!(
        (&stats["sessions"], &stats["created"]),
        (&3.into(), &3.into())
    );
    // One who watches sees what comes.
    let watching = lab.daemon.vsctl_program(&["conntrack", "--watch"])?;
    let mut watching = watching.spawn()?;
    watching.wait_for(&own, PATIENCE)?;
    // A flush ends the sessions of one, and not those of others.
    lab.ctl("conntrack net --sandbox b --flush")?;
    assert_eq!(lab.sessions("")?.len(), 1);
    open.goes_on(PATIENCE)?;
    lab.ctl("conntrack --flush --all")?;
    assert_eq!(lab.daemon.refused("conntrack --flush")?.code, 2);
    // The end of a connection can be seen.
    let open = Conversation::start(&lab.b(), outside)?;
    let state = |state: &str| Ok(lab.sessions(&format!("--sandbox b --state {state}"))?.len() == 1);
    assert!(state("established")?);
    drop(open);
    eventually("the connection is closing", PATIENCE, || state("closing"))?;
    Ok(())
}

#[test]
fn routes() -> Result<()> {
    let lab = Lab::new()?;
    lab.host
        .run("ip route add 198.18.0.0/15 via 192.0.2.10 src 192.0.2.1 metric 7")?;
    lab.host.run("ip route add blackhole 198.51.100.0/24")?;
    lab.host.run("ip link add lan0 type veth peer name lan1")?;
    lab.host.run("ip link set lan0 up")?;
    lab.host.run("ip address add 172.30.0.1/24 dev lan0")?;
    let own = |destination: &str| -> Result<Option<serde_json::Value>> {
        let rows = rows(&lab.daemon, "routes")?;
        Ok(rows
            .into_iter()
            .find(|row| row["destination"] == destination && row["sandbox"].is_null()))
    };
    eventually("the last route is followed", PATIENCE, || {
        Ok(own("172.30.0.0/24")?.is_some())
    })?;
    let route = own("198.18.0.0/15")?.context("no route")?;
    assert_eq!(route["gateway"], "192.0.2.10");
    assert_eq!(route["interface"], "wan0");
    assert_eq!(route["source"], "192.0.2.1");
    assert_eq!(route["metric"], 7);
    assert_eq!(route["origin"], "host");
    assert_eq!(route["kind"], "unicast");
    let of_kind = |destination: &str| -> Result<serde_json::Value> {
        Ok(own(destination)?.context("no route")?["kind"].clone())
    };
    assert_eq!(of_kind("198.51.100.0/24")?, "blackhole");
    assert_eq!(of_kind("0.0.0.0/0")?, "unicast");
    assert_eq!(of_kind("::/0")?, "unicast");
    let connected = own("10.20.0.0/24")?.context("no route")?;
    assert_eq!(connected["origin"], "connected");
    assert_eq!(connected["network"], "net");
    table(&lab, "routes", &["default", "192.0.2.9", "wan0", "host"])?;
    table(&lab, "routes", &["a", "default", "10.20.0.1", "gateway"])?;
    Ok(())
}

#[test]
fn every_refusal_has_its_reason() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("add-net inner --subnet 10.21.0.0/24 --internal")?;
    lab.ctl("add-net other --subnet 10.22.0.0/24")?;
    lab.daemon.populate("inner", &["c"])?;
    lab.daemon.populate("other", &["d"])?;
    lab.host
        .run_in("outside", "ip route add 10.20.0.0/24 via 192.0.2.1")?;
    // As if its own default route did not keep it.
    lab.host.run_in("c", "ip route add default via 10.21.0.1")?;
    let before = lab.daemon.sum_stats("wan0", "/drops/not_published")?;
    no_ping(&lab.host.sandbox("c"), "192.0.2.9".parse()?)?;
    no_ping(&lab.a(), "10.22.0.2".parse()?)?;
    no_ping(&lab.a(), "240.0.0.1".parse()?)?;
    assert!(!reaches(lab.outside(), Tcp, "10.20.0.2:80".parse()?)?);
    lab.a()
        .program("ping")
        .args(["-c", "1", "-t", "1", "-W", "1", "192.0.2.9"])
        .run()?;
    let stats = lab.ctl("stats")?;
    println!("{stats}");
    for (port, reason) in [
        ("c", "internal"),
        ("a", "isolated"),
        ("a", "ttl_exceeded"),
        ("a", "martian"),
    ] {
        assert!(lab.daemon.drops(port, reason)? > 0, "{reason} at {port}");
    }
    assert!(lab.daemon.drops("wan0", "not_published")? > before);
    // Filtered: to a mapping, from somebody whom the container never spoke to.
    let _echo = Echo::start(lab.outside(), 7)?;
    let seen = ask(&lab.a(), Udp, at(lab.outside.address(4), 7))?;
    lab.outside().inside(|| {
        let stranger = std::net::UdpSocket::bind("192.0.2.10:9")?;
        Ok(stranger.send_to(b"hello", seen)?)
    })?;
    eventually("a stranger is filtered", PATIENCE, || {
        Ok(lab.daemon.drops("wan0", "filtered")? > 0)
    })?;
    for text in ["wan0", "a/eth0", "isolated", "ttl_exceeded", "internal"] {
        assert!(stats.contains(text), "no {text}");
    }
    Ok(())
}
