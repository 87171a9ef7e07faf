//! Published ports, from the host itself, and against the host's own programs.

use std::net::{TcpListener, UdpSocket};
use std::time::Duration;

use anyhow::Result;
use vswitch_e2e::Transport::{Tcp, Udp};
use vswitch_e2e::{Conversation, Echo, ask, reaches};

use crate::fixture::{Lab, at};

/// All addresses that the host knows itself by.
const OWN: [&str; 6] = [
    "127.0.0.1",
    "192.0.2.1",
    "10.20.0.1",
    "::1",
    "2001:db8::1",
    "fd20::1",
];

#[test]
fn the_host_reaches_published_ports_by_all_its_addresses() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80 -p 8080:80/udp")?;
    let _echo = Echo::start(&lab.a(), 80)?;
    let host = lab.host.place();
    for address in OWN {
        let to = at(address.parse()?, 8080);
        for transport in [Tcp, Udp] {
            let seen = ask(&host, transport, to)?;
            println!("{transport} {to}: the container sees {seen}");
        }
        // Large, in both directions at once.
        Conversation::start(&host, to)?.exchange(1 << 20)?;
    }
    // Where nobody serves, nobody answers.
    lab.ctl("publish net a -p 8081:81")?;
    for address in OWN {
        assert!(
            !reaches(&host, Tcp, at(address.parse()?, 8081))?,
            "{address}"
        );
    }
    Ok(())
}

#[test]
fn a_port_of_the_hosts_is_refused_by_name() -> Result<()> {
    let lab = Lab::new()?;
    for (bound, spec, named) in [
        ("0.0.0.0:8080", "8080:80", "0.0.0.0:8080/tcp"),
        ("192.0.2.1:8081", "8081:80", "0.0.0.0:8081/tcp"),
        ("127.0.0.1:8082", "8082:80", "0.0.0.0:8082/tcp"),
        ("[::1]:8083", "[::]:8083:80", "[::]:8083/tcp"),
        ("192.0.2.1:8084", "192.0.2.1:8084:80", "192.0.2.1:8084/tcp"),
        ("192.0.2.1:8086", "8085-8087:80-82", ":8086/tcp"),
    ] {
        let _held = lab.host.place().inside(|| Ok(TcpListener::bind(bound)?))?;
        let refusal = lab.daemon.refused(&format!("publish net a -p {spec}"))?;
        println!("{bound}, -p {spec}: {}", refusal.message);
        assert_eq!(refusal.code, 1);
        assert!(refusal.message.contains(named), "{refusal:?}");
        assert!(refusal.message.contains("in use"), "{refusal:?}");
    }
    let _held = lab
        .host
        .place()
        .inside(|| Ok(UdpSocket::bind("0.0.0.0:8088")?))?;
    let refusal = lab.daemon.refused("publish net a -p 8088:80/udp")?;
    assert!(refusal.message.contains("0.0.0.0:8088/udp"), "{refusal:?}");
    // Nothing is left of all of them, and one that is refused refuses the others with it.
    let refusal = lab
        .daemon
        .refused("publish net a -p 8089:80 -p 8088:80/udp")?;
    assert!(refusal.message.contains(":8088"), "{refusal:?}");
    assert_eq!(lab.ctl("--json ports")?.trim(), "[]");
    lab.host
        .place()
        .inside(|| Ok(TcpListener::bind("0.0.0.0:8089")?))?;
    // An attachment with such a port is none.
    lab.ctl("add-sandbox c")?;
    lab.daemon.refused("attach net c -p 8088:80/udp")?;
    assert_eq!(lab.host.interfaces_in("c")?, ["lo"]);
    Ok(())
}

#[test]
fn a_published_port_is_held() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80 -p 8080:80/udp -p 127.0.0.1:8081:80")?;
    let bind = |address: &str| {
        lab.host.place().inside(|| {
            let tcp = TcpListener::bind(address).map_err(|error| error.kind());
            let udp = UdpSocket::bind(address).map_err(|error| error.kind());
            Ok((tcp.err(), udp.err()))
        })
    };
    let in_use = Some(std::io::ErrorKind::AddrInUse);
    for address in [
        "0.0.0.0:8080",
        "127.0.0.1:8080",
        "192.0.2.1:8080",
        "[::]:8080",
        "[2001:db8::1]:8080",
    ] {
        assert_eq!(bind(address)?, (in_use, in_use), "{address}");
    }
    assert_eq!(bind("127.0.0.1:8081")?, (in_use, None));
    assert_eq!(bind("192.0.2.1:8081")?, (None, None));
    lab.ctl("unpublish net a -p 8080:80")?;
    assert_eq!(bind("0.0.0.0:8080")?, (None, in_use));
    // Another container cannot have it either.
    let refusal = lab.daemon.refused("publish net b -p 8080:80/udp")?;
    for text in ["8080", "in use", "container a"] {
        assert!(refusal.message.contains(text), "no {text}: {refusal:?}");
    }
    Ok(())
}

#[test]
fn one_side_may_fall_silent_before_the_other() -> Result<()> {
    let lab = Lab::new()?;
    lab.ctl("publish net a -p 8080:80")?;
    let server = lab.a().inside(|| Ok(TcpListener::bind("0.0.0.0:80")?))?;
    let answering = std::thread::spawn(move || -> Result<()> {
        use std::io::{Read, Write};
        let (mut stream, _) = server.accept()?;
        let mut all = Vec::new();
        stream.read_to_end(&mut all)?;
        std::thread::sleep(Duration::from_millis(300));
        stream.write_all(&all)?;
        Ok(())
    });
    lab.host.place().inside(|| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect("127.0.0.1:8080")?;
        stream.set_read_timeout(Some(crate::fixture::PATIENCE))?;
        stream.write_all(b"a question")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert_eq!(answer, "a question");
        Ok(())
    })?;
    answering
        .join()
        .map_err(|_| anyhow::anyhow!("the server panicked"))?
}
