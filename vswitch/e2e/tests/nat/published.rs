//! Published ports, from outside.

use std::net::IpAddr;

use anyhow::{Context, Result};
use etherparse::PacketBuilder;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{
    Capture, Conversation, Echo, IperfServer, Protocol, WebServer, ask, ask_from, eventually,
    fetch_page, reaches, send_frames,
};

use crate::fixture::{A, Lab, PATIENCE, at, inside};

#[test]
fn clients_reach_a_published_port_and_keep_their_address() -> Result<()> {
    let lab = Lab::empty()?;
    lab.ctl(&format!("add-net net {}", crate::fixture::SUBNETS))?;
    lab.ctl("add-sandbox a")?;
    lab.ctl("attach net a -p 8080:80 -p 8080:80/udp -p 8000:8000")?;
    let _echo = Echo::start(&lab.a(), 80)?;
    let _web = WebServer::start(&lab.a(), &"x".repeat(3 << 20))?;
    for family in [4, 6] {
        let host = lab.outside.host_address(family);
        for number in [9, 10] {
            let from = at(lab.outside.link().address(family, number), 0);
            for transport in [Tcp, Udp] {
                let seen = ask_from(lab.outside(), transport, from, at(host, 8080))?;
                assert_eq!(seen.ip(), from.ip(), "{transport}");
            }
        }
        assert_eq!(fetch_page(lab.outside(), host)?.len(), 3 << 20);
        // Only what is published.
        for port in [80, 8081] {
            assert!(!reaches(lab.outside(), Tcp, at(host, port))?, "port {port}");
        }
    }
    Ok(())
}

#[test]
fn bulk_goes_in_and_comes_back() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 5201:5201 -p 5201:5201/udp")?;
    let server = IperfServer::start(&lab.a())?;
    let modest = Protocol::Udp {
        length: 1200,
        bits_per_second: 20_000_000,
    };
    for (family, protocol) in [
        (4, Protocol::Tcp),
        (6, Protocol::Tcp),
        (4, modest),
        (6, modest),
    ] {
        let address = lab.outside.host_address(family).to_string();
        let mut client = server.client(&address, protocol);
        for reverse in [false, true] {
            client.reverse = reverse;
            let run = client.run(lab.outside())?;
            println!("{protocol:?} IPv{family} reverse {reverse}: {run:?}");
            assert!(run.bytes > 1_000_000, "{run:?}");
            assert!(run.lost_packets * 10 <= run.packets, "{run:?}");
        }
    }
    Ok(())
}

#[test]
fn ranges_are_published_from_end_to_end() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 3000-3009:4000-4009 -p 3000-3009:4000-4009/udp")?;
    let first = Echo::start(&lab.a(), 4000)?;
    let last = Echo::start(&lab.a(), 4009)?;
    for family in [4, 6] {
        let host = lab.outside.host_address(family);
        for transport in [Tcp, Udp] {
            for port in [3000, 3009] {
                ask(lab.outside(), transport, at(host, port))?;
            }
            for port in [2999, 3001, 3010] {
                assert!(
                    !reaches(lab.outside(), transport, at(host, port))?,
                    "{port}"
                );
            }
        }
    }
    // A part of it can be taken back.
    lab.ctl("unpublish net a -p 3009:4009")?;
    let host = lab.outside.host_address(4);
    assert!(!reaches(lab.outside(), Tcp, at(host, 3009))?);
    assert!(reaches(lab.outside(), Udp, at(host, 3009))?);
    assert!(reaches(lab.outside(), Tcp, at(host, 3000))?);
    drop((first, last));
    Ok(())
}

#[test]
fn ports_are_published_and_taken_back_while_the_container_runs() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(&lab.a(), 80)?;
    let host = at(lab.outside.host_address(4), 8080);
    assert!(!reaches(lab.outside(), Tcp, host)?);
    let said = lab.ctl("publish net a -p 8080:80")?;
    assert!(said.contains("80/tcp -> 0.0.0.0:8080"), "{said}");
    assert!(said.contains("80/tcp -> [::]:8080"), "{said}");
    let mut conversation = Conversation::start(lab.outside(), host)?;
    lab.ctl("unpublish net a -p 8080:80")?;
    assert!(!reaches(lab.outside(), Tcp, host)?);
    // And again, for another container; whoever talked to the first has not become its client.
    let _other = Echo::start(&lab.b(), 80)?;
    lab.ctl("publish net b -p 8080:80")?;
    ask(lab.outside(), Tcp, host)?;
    assert!(conversation.goes_on(PATIENCE / 10).is_err());
    // Detaching takes back as well.
    lab.ctl("detach net b")?;
    assert!(!reaches(lab.outside(), Tcp, host)?);
    assert_eq!(lab.ctl("--json ports")?.trim(), "[]");
    Ok(())
}

#[test]
fn a_port_is_bound_to_the_address_it_names() -> Result<()> {
    let lab = Lab::new()?;
    lab.host.run("ip address add 192.0.2.77/24 dev wan0")?;
    lab.host
        .run("ip address add 2001:db8::77/64 dev wan0 nodad")?;
    lab.ctl("publish net a -p 192.0.2.77:8080:80 -p [2001:db8::77]:8080:80 -p 127.0.0.1:8081:80 -p [::1]:8081:80")?;
    let _echo = Echo::start(&lab.a(), 80)?;
    let host = lab.host.place();
    for (named, other, loopback) in [
        ("192.0.2.77", "192.0.2.1", "127.0.0.1"),
        ("2001:db8::77", "2001:db8::1", "::1"),
    ] {
        let [named, other, loopback]: [IpAddr; 3] =
            [named.parse()?, other.parse()?, loopback.parse()?];
        eventually("the new address is used", PATIENCE, || {
            reaches(lab.outside(), Tcp, at(named, 8080))
        })?;
        assert!(!reaches(lab.outside(), Tcp, at(other, 8080))?, "{other}");
        assert!(reaches(&host, Tcp, at(named, 8080))?, "{named}");
        assert!(!reaches(&host, Tcp, at(other, 8080))?, "{other}");
        assert!(!reaches(&host, Tcp, at(loopback, 8080))?, "{loopback}");
        // Loopback is reached from the host only.
        assert!(reaches(&host, Tcp, at(loopback, 8081))?, "{loopback}");
        for address in [named, other] {
            assert!(
                !reaches(lab.outside(), Tcp, at(address, 8081))?,
                "{address}"
            );
            assert!(!reaches(&host, Tcp, at(address, 8081))?, "{address}");
            assert!(!reaches(&lab.b(), Tcp, at(address, 8081))?, "{address}");
        }
    }
    // Not even with a packet that names it on the wire.
    let container = Capture::start(&lab.a(), "eth0")?;
    let syn = |to: [u8; 4], from_port: u16, to_port: u16| -> Result<Vec<u8>> {
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], lab.outside.nic_mac(&lab.host)?);
        let builder = builder.ipv4([192, 0, 2, 9], to, 64);
        let mut frame = Vec::new();
        let builder = builder.tcp(from_port, to_port, 1, 1000).syn();
        builder.write(&mut frame, &[])?;
        Ok(frame)
    };
    let to_loopback = syn([127, 0, 0, 1], 0xbee0, 8081)?;
    let to_published = syn([192, 0, 2, 77], 0xbeef, 8080)?;
    send_frames(lab.outside(), "lan0", 1, &[to_loopback, to_published])?;
    let came = |ports: [u8; 4]| -> Result<bool> {
        let frames = container.frames()?;
        Ok(frames
            .iter()
            .any(|frame| frame.windows(4).any(|octets| octets == ports)))
    };
    eventually("the second one arrives", PATIENCE, || {
        came([0xbe, 0xef, 0, 80])
    })?;
    assert!(!came([0xbe, 0xe0, 0, 80])?);
    Ok(())
}

#[test]
fn a_free_port_is_found_for_those_who_name_none() -> Result<()> {
    let lab = Lab::new()?;
    let _echo = Echo::start(&lab.a(), 80)?;
    for spec in ["80", "192.0.2.1::80", "80/udp"] {
        let published = lab.daemon.json(&format!("publish net a -p {spec}"))?;
        let published = published.as_array().context("no list")?;
        let port: u16 = published[0]["host_port"]
            .as_str()
            .context("no port")?
            .parse()?;
        println!("{spec}: {port}");
        assert!(
            published
                .iter()
                .all(|row| row["host_port"] == published[0]["host_port"])
        );
        assert_ne!(port, 0);
        let transport = if spec.contains("udp") { Udp } else { Tcp };
        ask(
            lab.outside(),
            transport,
            at(lab.outside.host_address(4), port),
        )?;
    }
    // The first free one of several.
    let _taken = Echo::start(&lab.host.place(), 6000)?;
    for expected in ["6001", "6002"] {
        let published = lab.daemon.json("publish net a -p 6000-6002:80")?;
        assert_eq!(published[0]["host_port"], expected);
    }
    let refusal = lab.daemon.refused("publish net a -p 6000-6002:80")?;
    assert!(refusal.message.contains("6000-6002"), "{refusal:?}");
    Ok(())
}

#[test]
fn a_network_and_the_daemon_have_a_default_address() -> Result<()> {
    let lab = Lab::configured("default-publish-address = \"127.0.0.1\"\n")?;
    lab.add_two("")?;
    lab.ctl("add-net open --subnet 10.21.0.0/24 -o com.docker.network.bridge.host_binding_ipv4=192.0.2.1")?;
    lab.daemon.populate("open", &["c"])?;
    let _a = Echo::start(&lab.a(), 80)?;
    let _c = Echo::start(&lab.host.sandbox("c"), 80)?;
    lab.ctl("publish net a -p 8080:80")?;
    lab.ctl("publish open c -p 8081:80")?;
    let host = lab.host.place();
    assert!(reaches(&host, Tcp, "127.0.0.1:8080".parse()?)?);
    assert!(!reaches(lab.outside(), Tcp, "192.0.2.1:8080".parse()?)?);
    assert!(reaches(lab.outside(), Tcp, "192.0.2.1:8081".parse()?)?);
    assert!(!reaches(&host, Tcp, "127.0.0.1:8081".parse()?)?);
    Ok(())
}

#[test]
fn the_containers_own_way_out_has_the_published_ports_too() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80/udp")?;
    let _echo = Echo::start(lab.outside(), 7)?;
    for family in [4, 6] {
        // From the published port: who is called back finds the server.
        let from = at(inside(family, A), 80);
        let seen = ask_from(&lab.a(), Udp, from, at(lab.outside.address(family), 7))?;
        assert_eq!(seen, at(lab.outside.host_address(family), 8080));
    }
    Ok(())
}
