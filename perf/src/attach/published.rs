//! Whether a published port leads to its container.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, ensure};
use vswitch_netio::netns::{NamedNetns, Netns};

use super::{PUBLISHED, Waiting};
use crate::lab::outside::{HOST, OUTSIDE_NAME};

const PATIENCE: Duration = Duration::from_secs(5);

/// Connects to the container from outside, if it has a published port.
///
/// # Errors
/// If somebody else answers, or nobody.
pub(super) fn reaches(waiting: &Waiting) -> Result<()> {
    let Some(port) = waiting.port else {
        return Ok(());
    };
    let name = &waiting.container.name;
    let outside = NamedNetns::open(OUTSIDE_NAME.parse()?)?.netns;
    let listen = || TcpListener::bind((Ipv4Addr::UNSPECIFIED, PUBLISHED));
    let listener = waiting.namespace.run(listen)??;
    let mut there = connect(&outside, SocketAddr::new(HOST.parse()?, port))
        .with_context(|| format!("connect to {name} by the host's port {port}"))?;
    listener.set_nonblocking(true)?;
    let start = Instant::now();
    let mut here = loop {
        // The end of the handshake may be under way still.
        match listener.accept() {
            Ok((here, _)) => break here,
            Err(e) if e.kind() == ErrorKind::WouldBlock && start.elapsed() < PATIENCE => {
                sleep(Duration::from_millis(1));
            }
            Err(e) => {
                let who = format!("somebody else than {name} answers at the host's port {port}");
                return Err(Error::from(e).context(who));
            }
        }
    };
    here.write_all(name.as_bytes())?;
    drop(here);
    let mut heard = String::new();
    there.set_read_timeout(Some(PATIENCE))?;
    there.read_to_string(&mut heard)?;
    ensure!(heard == *name, "{name} said {heard:?}");
    Ok(())
}

fn connect(outside: &Netns, to: SocketAddr) -> Result<TcpStream> {
    Ok(outside.run(|| TcpStream::connect_timeout(&to, PATIENCE))??)
}
