//! The capability `portMappings`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Result, ensure};
use serde_json::json;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{CniFailure, Echo, ask, reaches};

use crate::fixture::Lab;

#[test]
fn mapped_ports_are_reached_from_everywhere() -> Result<()> {
    let lab = Lab::new()?;
    let web = lab.web()?;
    let place = lab.container("a")?;
    let mapped = web.with(json!({"runtimeConfig": {"portMappings": [
        {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"},
        {"hostPort": 8080, "containerPort": 80, "protocol": "udp"},
        {"hostPort": 8081, "containerPort": 80, "protocol": "tcp", "hostIP": "127.0.0.1"},
    ]}}));
    let result = mapped.add("a")?;
    let _echo = Echo::start(&place, 80)?;
    let (outside, host) = (lab.outside.place(), lab.host.place());
    for family in [4, 6] {
        let published = lab.outside.host_address(family);
        for transport in [Tcp, Udp] {
            ask(outside, transport, SocketAddr::new(published, 8080))?;
            ask(&host, transport, SocketAddr::new(published, 8080))?;
        }
        ensure!(!reaches(outside, Tcp, SocketAddr::new(published, 8081))?);
    }
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    ask(&host, Tcp, SocketAddr::new(loopback, 8081))?;
    mapped.check("a", &result)?;

    // A port that is taken is refused, and the container is not attached.
    lab.container("b")?;
    let failure = CniFailure::of(mapped.call("ADD", "b")?)?;
    ensure!(
        failure.code == 100 && failure.details.contains("8080"),
        "{failure:?}"
    );
    assert_eq!(lab.host.interfaces_in("b")?, ["lo"]);
    mapped.del("b")?;

    mapped.del("a")?;
    assert_eq!(lab.daemon.json("ports")?, json!([]));
    let published = SocketAddr::new(lab.outside.host_address(4), 8080);
    ensure!(!reaches(outside, Tcp, published)?);
    mapped.add("b")?;
    Ok(())
}
