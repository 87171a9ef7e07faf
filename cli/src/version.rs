//! What runs: `version`.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use vswitch_api::{Client, Version};

use crate::output::Output;
use crate::table::{Align, Table};

/// For `vsctl --version`.
pub(crate) const LONG: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("VSWITCH_COMMIT"), ")");

/// Show version and commit of vsctl and of the daemon
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  vsctl version
  vsctl --version                        without asking the daemon")]
pub(crate) struct ShowVersion {}

/// `version` with `--json`.
#[derive(Debug, Serialize)]
struct Versions {
    client: Version,
    /// None if the daemon could not be asked.
    daemon: Option<Version>,
}

impl ShowVersion {
    /// What can be said is said before the daemon's absence is an error.
    pub(crate) async fn run(self, client: &Client, output: &Output) -> anyhow::Result<ExitCode> {
        let own = Version {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("VSWITCH_COMMIT").to_owned(),
        };
        let (daemon, error) = match client.version().await {
            Ok(version) => (Some(version), None),
            Err(error) => (None, Some(error)),
        };
        let versions = Versions {
            client: own,
            daemon,
        };
        if output.is_json() {
            output.json(&versions)?;
        } else {
            output.text(&output.table(&versions.table()))?;
        }
        match error {
            None => Ok(ExitCode::SUCCESS),
            Some(error) => Err(error.into()),
        }
    }
}

impl Versions {
    fn table(&self) -> Table {
        let mut table = Table::new(&[
            ("PROGRAM", Align::Left),
            ("VERSION", Align::Left),
            ("COMMIT", Align::Left),
        ]);
        let programs = [
            ("vsctl", Some(&self.client)),
            ("vswitchd", self.daemon.as_ref()),
        ];
        for (program, version) in programs {
            if let Some(Version { version, commit }) = version {
                table.row([program.to_owned(), version.clone(), commit.clone()]);
            }
        }
        table
    }
}
