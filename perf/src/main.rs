//! `perf lab`: the same traffic through the switch and through its peers, side by side.

mod connections;
mod lab;
mod naive_forwarder;
mod ping_pong;

use std::net::SocketAddr;

use clap::{Parser, Subcommand};

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
    /// Forwards frames between two new TAPs (a peer in the lab)
    #[command(hide = true)]
    NaiveForwarder { left: String, right: String },
    /// Answers messages (the far end of the lab's ping-pong)
    #[command(hide = true)]
    PingPongServer { listen: SocketAddr },
    /// Measures the time to an answer (the near end of the lab's ping-pong)
    #[command(hide = true)]
    PingPong { server: SocketAddr, seconds: u64 },
    /// Answers connections (the far end of the lab's connections)
    #[command(hide = true)]
    ConnectionsServer { listen: SocketAddr },
    /// Counts the connections it can make (the near end of the lab's connections)
    #[command(hide = true)]
    Connections { server: SocketAddr, seconds: u64 },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Lab(arguments) => lab::run(&arguments),
        Command::NaiveForwarder { left, right } => naive_forwarder::run(&left, &right),
        Command::PingPongServer { listen } => ping_pong::serve(listen),
        Command::PingPong { server, seconds } => ping_pong::measure(server, seconds),
        Command::ConnectionsServer { listen } => connections::serve(listen),
        Command::Connections { server, seconds } => connections::measure(server, seconds),
    }
}
