//! `perf lab`: the same traffic through the switch and through its peers, side by side.

mod api;
mod attach;
mod lab;
mod naive_forwarder;
mod stdout;
mod traffic;
mod trickle;
mod veth;
mod wiring;

use std::net::SocketAddr;

use clap::{Parser, Subcommand};

use traffic::Traffic;

#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compares switches: the same runs through each, in turn, in namespaces of their own
    Lab(lab::Arguments),
    /// Shows labs that were stored as JSON again, as tables or as a plot
    Report(lab::Stored),
    /// Forwards frames between two new TAPs (a peer in the lab)
    #[command(hide = true)]
    NaiveForwarder { left: String, right: String },
    /// Answers traffic (the far end of the lab's own loads)
    #[command(hide = true)]
    Serve {
        traffic: Traffic,
        address: SocketAddr,
    },
    /// Makes traffic and measures it (the near end of the lab's own loads)
    #[command(hide = true)]
    Measure {
        traffic: Traffic,
        server: SocketAddr,
        seconds: u64,
    },
    /// Attaches containers and takes them off again (the lab's engine)
    #[command(hide = true)]
    Attach(attach::Arguments),
    /// Keeps containers busy, but only just (the lab's neighbours)
    #[command(hide = true)]
    Trickle(trickle::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Lab(arguments) => lab::run(&arguments),
        Command::Report(stored) => lab::show(&stored),
        Command::NaiveForwarder { left, right } => naive_forwarder::run(&left, &right),
        Command::Serve { traffic, address } => traffic.serve(address),
        Command::Measure {
            traffic,
            server,
            seconds,
        } => traffic.measure(server, seconds),
        Command::Attach(arguments) => attach::run(&arguments),
        Command::Trickle(arguments) => trickle::run(&arguments),
    }
}
