//! `vswitch-cni`: attaches containers to networks of the switch for engines that speak the Container Network
//! Interface, <https://github.com/containernetworking/cni/blob/main/SPEC.md>, versions 0.3.0 to 1.1.0.
//!
//! A runtime starts it for each command, with parameters in environment variables and the network's configuration
//! on standard input. It asks vswitchd, prints a result or an error in JSON, and ends.

#![forbid(unsafe_code)]

mod add;
mod attachments;
mod check;
mod config;
mod del;
mod delegate;
mod environment;
mod failure;
mod gc;
mod ipam;
mod namespace;
mod network;
mod parameters;
mod result;
mod status;
mod version;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use serde_json::Value;

use config::Config;
use environment::{Command, Environment};
use failure::{Failure, code};
use version::SpecVersion;

/// What is printed, if anything; or why not, and in which version that is said.
type Answer = Result<Option<Value>, (SpecVersion, Failure)>;

fn main() -> ExitCode {
    let (text, mut exit) = match answer() {
        Ok(None) => return ExitCode::SUCCESS,
        Ok(Some(json)) => (json, ExitCode::SUCCESS),
        Err((version, failure)) => (failure.to_json(version), ExitCode::FAILURE),
    };
    // The runtime takes an attachment that it was not told of for one that failed.
    if writeln!(io::stdout(), "{text}").is_err() {
        exit = ExitCode::FAILURE;
    }
    exit
}

fn answer() -> Answer {
    let newest = |failure| (SpecVersion::NEWEST, failure);
    let environment = Environment::read(|name| std::env::var_os(name)).map_err(newest)?;
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(|error| {
        let details = format!("cannot read the configuration from standard input: {error}");
        newest(Failure::new(code::IO, details))
    })?;
    if environment.command == Command::Version {
        let asked = config::version_asked(&bytes).map_err(newest)?;
        return Ok(Some(versions(asked)));
    }
    let config = Config::read(bytes)?;
    let failed = |failure| (config.version, failure);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            let details = format!("cannot set up asynchronous input and output: {error}");
            failed(Failure::new(code::IO, details))
        })?;
    runtime
        .block_on(carry_out(&config, &environment))
        .map_err(failed)
}

async fn carry_out(config: &Config, environment: &Environment) -> Result<Option<Value>, Failure> {
    match &environment.command {
        Command::Add(place) => {
            let success = add::add(config, environment, place).await?;
            return success.to_json(config.version).map(Some);
        }
        Command::Del(attachment) => del::del(config, environment, attachment).await?,
        Command::Check(place) => check::check(config, environment, place).await?,
        Command::Gc => gc::gc(config, environment).await?,
        Command::Status => status::status(config, environment).await?,
        // Answered without a configuration.
        Command::Version => {}
    }
    Ok(None)
}

/// The answer to VERSION, which names the version that was asked with.
fn versions(asked: Option<String>) -> Value {
    serde_json::json!({
        "cniVersion": asked.unwrap_or_else(|| SpecVersion::NEWEST.as_str().to_owned()),
        "supportedVersions": SpecVersion::ALL.map(SpecVersion::as_str),
    })
}
