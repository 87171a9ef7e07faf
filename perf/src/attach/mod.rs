//! Attaches containers to a network, one after the other, and takes them off again: once in each way that
//! the lab compares, by a program that runs on the host as an engine or a script would.

mod api;
mod gateway;
mod ip;
mod iptables;
mod libnetwork;
mod netlink;
mod proxy;
mod published;
mod vsctl;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use vswitch_netio::netns::{NamedNetns, Netns};

use crate::lab::container::{Container, GATEWAY, containers};
use crate::stdout;

/// What is to be attached, and how. The namespaces are there, with nothing in them.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Leave out the containers before this one, which are attached already
    #[arg(long)]
    first: usize,
    /// How many to attach
    #[arg(long)]
    count: usize,
    /// Publish TCP port 80 of each at a port of the host's
    #[arg(long)]
    publish: bool,
    #[command(subcommand)]
    way: Way,
}

/// A way to attach containers.
#[derive(Debug, Subcommand)]
enum Way {
    /// To the kernel's bridge, by netlink
    Netlink { bridge: String },
    /// To the kernel's bridge, by netlink, iptables and docker-proxy
    Libnetwork { bridge: String },
    /// To the kernel's bridge, by ip(8)
    Ip { bridge: String },
    /// To this project's switch, by its API
    Api { socket: PathBuf },
    /// To this project's switch, by its command line
    Vsctl { program: PathBuf, socket: PathBuf },
}

/// A container that waits to be attached.
struct Waiting {
    container: Container,
    namespace: Netns,
    /// The host's port that its port 80 is to be published at.
    port: Option<u16>,
}

/// Does it in one way.
trait Hand {
    fn attach(&mut self, waiting: &Waiting) -> Result<()>;
    fn detach(&mut self, waiting: &Waiting) -> Result<()>;
}

/// How long it took; in milliseconds, for all containers together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Times {
    /// Until the last was attached.
    pub(crate) attached: f64,
    /// Until the last had an answer from its gateway.
    pub(crate) answered: f64,
    /// From the begin of detaching until the last was detached.
    pub(crate) detached: f64,
}

/// The port of a container that is published.
const PUBLISHED: u16 = 80;
/// The first container's port of the host's.
const FIRST_PORT: u16 = 20_000;
/// The network that the switch has.
const NETWORK: &str = "lab";

/// Attaches and detaches, and prints [`Times`] as JSON.
///
/// # Errors
/// If a container cannot be attached, or is not connected then.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // Before anything else is opened: docker-proxy wants a descriptor of a certain number.
    let mut hand = hand(&arguments.way)?;
    let waiting = waiting(arguments)?;
    let last = waiting.last().context("nothing to attach")?;

    let start = Instant::now();
    for one in &waiting {
        let name = &one.container.name;
        hand.attach(one).with_context(|| format!("attach {name}"))?;
    }
    let attached = milliseconds(start);
    gateway::answers(&last.namespace, GATEWAY)?;
    let answered = milliseconds(start);

    for one in &waiting {
        gateway::answers(&one.namespace, GATEWAY)?;
        published::reaches(one)?;
    }

    let start = Instant::now();
    for one in &waiting {
        let name = &one.container.name;
        hand.detach(one).with_context(|| format!("detach {name}"))?;
    }
    let times = Times {
        attached,
        answered,
        detached: milliseconds(start),
    };
    stdout::figures(&times)
}

fn hand(way: &Way) -> Result<Box<dyn Hand>> {
    Ok(match way {
        Way::Netlink { bridge } => Box::new(netlink::Netlink::new(bridge)?),
        Way::Libnetwork { bridge } => Box::new(libnetwork::Libnetwork::new(bridge)?),
        Way::Ip { bridge } => Box::new(ip::Ip::new(bridge)),
        Way::Api { socket } => Box::new(api::ByApi::new(socket)?),
        Way::Vsctl { program, socket } => Box::new(vsctl::Vsctl::new(program, socket)),
    })
}

fn waiting(arguments: &Arguments) -> Result<Vec<Waiting>> {
    let all = containers(arguments.first + arguments.count).into_iter();
    let ports = (FIRST_PORT..).map(|port| arguments.publish.then_some(port));
    let waiting = |(container, port): (Container, Option<u16>)| -> Result<Waiting> {
        let namespace = NamedNetns::open(container.name.parse()?)?.netns;
        Ok(Waiting {
            container,
            namespace,
            port,
        })
    };
    let all = all.skip(arguments.first).zip(ports);
    all.map(waiting).collect()
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
