//! `docker run -p`.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Echo, WebServer, ask, ask_from, fetch_page, reaches};

use crate::fixture::{Lab, SUBNET, SUBNET6, at};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[test]
fn published_ports_are_reached_from_everywhere() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("net", &format!("{SUBNET} {SUBNET6}"))?;
    let options = "--network net -p 8080:80 -p 8080:80/udp -p 8000:8000 -p 127.0.0.1:8081:80";
    let one = lab.docker.run("c1", options)?;
    let two = lab.docker.run("c2", "--network net")?;
    let servers = (
        Echo::start(&one, 80)?,
        WebServer::start(&one, &"x".repeat(1 << 20))?,
    );
    let (outside, host) = (lab.outside.place(), lab.host.place());
    for family in [4, 6] {
        let published = lab.outside.host_address(family);
        for transport in [Tcp, Udp] {
            let from = at(lab.outside.address(family), 0);
            let seen = ask_from(outside, transport, from, at(published, 8080))?;
            assert_eq!(
                seen.ip(),
                from.ip(),
                "{transport}: whoever asks is not told"
            );
            ask(&host, transport, at(published, 8080))?;
            ask(&two, transport, at(published, 8080))?;
        }
        assert_eq!(fetch_page(outside, published)?.len(), 1 << 20);
        for port in [80, 8081] {
            ensure!(!reaches(outside, Tcp, at(published, port))?, "port {port}");
        }
    }
    ask(&host, Tcp, at(LOOPBACK, 8080))?;
    ask(&host, Tcp, at(LOOPBACK, 8081))?;
    // `docker ps` cannot tell: it asks its own drivers only.
    let table = lab.daemon.ctl("ports")?;
    ensure!(
        table.contains("8080") && table.contains("127.0.0.1"),
        "{table}"
    );
    // They are there while the container runs.
    lab.docker.ctl("stop c1")?;
    ensure!(lab.rows("ports")?.is_empty());
    ensure!(!reaches(
        outside,
        Tcp,
        at(lab.outside.host_address(4), 8080)
    )?);
    drop(servers);
    lab.docker.ctl("start c1")?;
    let _echo = Echo::start(&lab.docker.container("c1")?, 80)?;
    ask(outside, Tcp, at(lab.outside.host_address(4), 8080))?;
    lab.tidy()
}

#[test]
fn ranges_and_ports_of_our_choice() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("net", SUBNET)?;
    let one = lab.docker.run(
        "c1",
        "--network net -p 3000-3009:4000-4009 -p 3000-3009:4000-4009/udp -p 80",
    )?;
    let (outside, published) = (lab.outside.place(), lab.outside.host_address(4));
    let _servers = [
        Echo::start(&one, 4000)?,
        Echo::start(&one, 4009)?,
        Echo::start(&one, 80)?,
    ];
    for transport in [Tcp, Udp] {
        for port in [3000, 3009] {
            ask(outside, transport, at(published, port))?;
        }
        ensure!(!reaches(outside, transport, at(published, 3010))?);
    }
    let rows = lab.rows("ports")?;
    let chosen = rows.iter().find(|row| row["container_port"] == "80");
    let chosen = chosen.and_then(|row| row["host_port"].as_str());
    let chosen: u16 = chosen.with_context(|| format!("{rows:?}"))?.parse()?;
    ask(outside, Tcp, at(published, chosen))?;
    // The first free one of several.
    for (name, expected) in [("c2", "5000"), ("c3", "5001")] {
        lab.docker
            .run(name, "--network net -p 5000-5001:80")
            .with_context(|| format!("{name} is to have port {expected}"))?;
        let rows = lab.rows("ports")?;
        let has = |row: &Value| row["host_port"] == expected;
        ensure!(rows.iter().any(has), "no {expected}: {rows:?}");
    }
    let said = lab
        .docker
        .refused("run --network net -p 5000-5001:80 box true")?;
    println!("{said}");
    ensure!(said.contains("5000"), "{said}");
    lab.tidy()
}

#[test]
fn a_port_that_is_taken_is_refused_and_can_be_had_later() -> Result<()> {
    let lab = Lab::new()?;
    lab.create("net", SUBNET)?;
    // By a program of the host.
    let taken = lab
        .host
        .place()
        .inside(|| Ok(TcpListener::bind("0.0.0.0:8080")?))?;
    let run =
        "run --detach --name c1 --stop-signal KILL --network net -p 8080:80 box sleep infinity";
    let said = lab.docker.refused(run)?;
    println!("{said}");
    for word in ["8080", "in use"] {
        ensure!(said.contains(word), "no {word}: {said}");
    }
    let containers = lab.inspect("net")?["Containers"].clone();
    ensure!(
        containers
            .as_object()
            .is_some_and(serde_json::Map::is_empty),
        "{containers}"
    );
    drop(taken);
    lab.docker.ctl("start c1")?;
    // By another container.
    let said = lab
        .docker
        .refused("run --name c2 --network net -p 8080:81 box true")?;
    println!("{said}");
    ensure!(said.contains("8080") && said.contains("in use"), "{said}");
    lab.docker.ctl("rm --force c1")?;
    lab.docker.ctl("start --attach c2")?;
    ensure!(lab.rows("ports")?.is_empty());
    lab.tidy()
}
