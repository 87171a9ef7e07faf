//! `vsctl`: makes networks, attaches sandboxes and shows what the switch does.

#![forbid(unsafe_code)]

mod argument;
mod batch;
mod cell;
mod cli;
mod completions;
mod conntrack;
mod endpoint;
mod exec;
mod fdb;
mod lease;
mod neighbour;
mod network;
mod output;
mod publish;
mod rates;
mod remote;
mod route;
mod sandbox;
mod stats;
mod table;
mod version;
mod vtep;
mod watch;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => output::exit_code(&error),
    }
}
