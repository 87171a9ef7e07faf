//! What coturn's `turnutils_natdiscovery` finds out about the translator (RFC 5780).

use std::time::Duration;

use anyhow::{Context, Result};
use vswitch_e2e::{Background, Place};

use crate::fixture::{Lab, PATIENCE};

/// A STUN server on both addresses of the outside.
fn stun_server(lab: &Lab) -> Result<Background> {
    let mut server = lab.outside().program("turnserver").args([
        "-c",
        "/dev/null",
        "-n",
        "--stun-only",
        "--no-auth",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        "--no-tcp",
        "--simple-log",
        "--log-file=stdout",
    ]);
    for family in [4, 6] {
        for number in [9, 10] {
            let address = lab.outside.link().address(family, number);
            server = server.arg(format!("--listening-ip={address}"));
        }
    }
    let pid_file = lab.host.folder().join("turnserver.pid");
    let server = server.arg(format!("--pidfile={}", pid_file.display()));
    let mut server = server.spawn()?;
    server.wait_for("Total General servers", PATIENCE)?;
    Ok(server)
}

/// Starts a discovery in a container.
fn discover(place: &Place, options: &str, server: &str) -> Result<Background> {
    let program = place.program("turnutils_natdiscovery");
    program.args(options.split_whitespace()).arg(server).spawn()
}

fn report(discovery: Background) -> Result<String> {
    let report = discovery.finish(Duration::from_secs(60))?.success()?;
    println!("{report}");
    Ok(report)
}

/// The addresses that the server saw, in turn.
fn reflexive(report: &str) -> Vec<&str> {
    let lines = report.lines();
    let address = |line| str::split(line, "UDP reflexive addr: ").nth(1);
    lines.filter_map(address).collect()
}

#[test]
fn mapping_and_filtering_are_as_configured() -> Result<()> {
    let lab = Lab::empty()?;
    let _server = stun_server(&lab)?;
    let kinds = [
        ("endpoint-independent", "Endpoint Independent Filtering!"),
        ("address-dependent", "Address Dependent Filtering!"),
        (
            "address-and-port-dependent",
            "Address and Port Dependent Filtering!",
        ),
    ];
    let mut discoveries = Vec::new();
    for (number, (kind, expected)) in kinds.into_iter().enumerate() {
        let sandbox = format!("s{number}");
        lab.ctl(&format!(
            "add-net n{number} --subnet 10.3{number}.0.0/24 --ipv6 --subnet fd3{number}::/64 \
             -o vswitch.nat-filtering={kind}"
        ))?;
        lab.daemon.populate(&format!("n{number}"), &[&sandbox])?;
        let place = lab.host.sandbox(&sandbox);
        for (own, server) in [
            (format!("10.3{number}.0.2"), "192.0.2.9"),
            (format!("fd3{number}::2"), "2001:db8::9"),
        ] {
            let mapping = discover(&place, &format!("-m -L {own}"), server)?;
            let filtering = discover(&place, &format!("-f -L {own}"), server)?;
            discoveries.push((kind, expected, mapping, filtering));
        }
    }
    for (kind, expected, mapping, filtering) in discoveries {
        let mapping = report(mapping)?;
        assert!(!mapping.contains("No NAT"), "{kind}");
        assert!(
            mapping.contains("NAT with Endpoint Independent Mapping!"),
            "{kind}"
        );
        let filtering = report(filtering)?;
        let found = format!("NAT with {expected}");
        assert!(filtering.contains(&found), "{kind}: {found}");
    }
    Ok(())
}

#[test]
fn the_default_filtering_is_address_dependent() -> Result<()> {
    let lab = Lab::new()?;
    let _server = stun_server(&lab)?;
    let found = report(discover(&lab.a(), "-f -L 10.20.0.2", "192.0.2.9")?)?;
    assert!(found.contains("NAT with Address Dependent Filtering!"));
    Ok(())
}

#[test]
fn ports_are_preserved() -> Result<()> {
    let lab = Lab::new()?;
    let _server = stun_server(&lab)?;
    for (own, server, seen) in [
        ("10.20.0.2", "192.0.2.9", "192.0.2.1:5000"),
        ("fd20::2", "2001:db8::9", "2001:db8::1:5000"),
    ] {
        let options = format!("-m -L {own} -l 5000");
        let found = report(discover(&lab.a(), &options, server)?)?;
        let seen_each_time = reflexive(&found);
        assert!(seen_each_time.len() >= 2, "{seen_each_time:?}");
        assert!(seen_each_time.iter().all(|address| *address == seen));
        // With 1500 octets of padding: in fragments.
        let found = report(discover(&lab.a(), &format!("-m -P -L {own}"), server)?)?;
        assert!(found.contains("NAT with Endpoint Independent Mapping!"));
    }
    Ok(())
}

/// The tool sends from one port to what another one is mapped to: a stranger to most filters.
#[test]
fn packets_turn_back() -> Result<()> {
    let lab = Lab::empty()?;
    lab.add_two("-o vswitch.nat-filtering=endpoint-independent")?;
    let _server = stun_server(&lab)?;
    for (own, server) in [("10.20.0.2", "192.0.2.9"), ("fd20::2", "2001:db8::9")] {
        let found = report(discover(&lab.a(), &format!("-H -L {own}"), server)?)?;
        assert!(found.contains("successful hairpinning"));
    }
    Ok(())
}

/// The tool asks with one port that the answer be sent to another, after a while.
fn is_alive_after(lab: &Lab, own: &str, server: &str, seconds: u32) -> Result<Background> {
    let options = format!("-t -T {seconds} -L {own}");
    discover(&lab.a(), &options, server).with_context(|| format!("after {seconds} s"))
}

#[test]
fn mappings_live_as_long_as_configured() -> Result<()> {
    let lab = Lab::configured("[nat]\nudp-timeout = 4\n")?;
    lab.add_two("")?;
    let _server = stun_server(&lab)?;
    let mut discoveries = Vec::new();
    for (own, server) in [("10.20.0.2", "192.0.2.9"), ("fd20::2", "2001:db8::9")] {
        // A second on both sides for a busy machine and the step of the wheel of timers.
        for (seconds, alive) in [(2, true), (6, false)] {
            discoveries.push((is_alive_after(&lab, own, server, seconds)?, seconds, alive));
        }
    }
    for (discovery, seconds, alive) in discoveries {
        let found = report(discovery)?;
        assert_eq!(
            found.contains("RFC 5780 response 2"),
            alive,
            "after {seconds} s"
        );
    }
    Ok(())
}
