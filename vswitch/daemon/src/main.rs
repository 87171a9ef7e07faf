//! The program: flags in, exit status out.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser as _;
use vswitchd::config::{Config, Flags};

fn main() -> ExitCode {
    match run(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(
                clippy::print_stderr,
                reason = "the log may not have begun, or be filtered"
            )]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> anyhow::Result<()> {
    let config = Config::load(flags)?;
    vswitchd::log::start(&config.log, config.log_format)?;
    vswitchd::panics::log();
    vswitchd::daemon::run(&config)
}
