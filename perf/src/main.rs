//! `perf lab`: the same traffic through the switch and through its peers, side by side.

mod api;
mod attach;
mod connections;
mod lab;
mod naive_forwarder;
mod ping_pong;
mod quic_like;
mod requests;
mod trickle;
mod veth;
mod wiring;

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
    /// Shows labs that were stored as JSON again, as tables or as a plot
    Report(lab::Stored),
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
    /// Answers requests (the far end of the lab's requests)
    #[command(hide = true)]
    RequestsServer { listen: SocketAddr },
    /// Counts the requests that are answered (the near end of the lab's requests)
    #[command(hide = true)]
    Requests { server: SocketAddr, seconds: u64 },
    /// Acknowledges datagrams (the far end of the lab's QUIC-like sender)
    #[command(hide = true)]
    QuicLikeServer { listen: SocketAddr },
    /// Sends datagrams as QUIC does (the near end of the lab's QUIC-like sender)
    #[command(hide = true)]
    QuicLike { server: SocketAddr, seconds: u64 },
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
        Command::PingPongServer { listen } => ping_pong::serve(listen),
        Command::PingPong { server, seconds } => ping_pong::measure(server, seconds),
        Command::ConnectionsServer { listen } => connections::serve(listen),
        Command::Connections { server, seconds } => connections::measure(server, seconds),
        Command::RequestsServer { listen } => requests::serve(listen),
        Command::Requests { server, seconds } => requests::measure(server, seconds),
        Command::QuicLikeServer { listen } => quic_like::serve(listen),
        Command::QuicLike { server, seconds } => quic_like::measure(server, seconds),
        Command::Attach(arguments) => attach::run(&arguments),
        Command::Trickle(arguments) => trickle::run(&arguments),
    }
}
