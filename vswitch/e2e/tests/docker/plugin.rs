//! The daemon as Docker's plugin, without Docker.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use vswitch_e2e::{Daemon, DaemonOptions, Host, Reply, Request, send};

use crate::fixture::PLUGIN;

/// A daemon, and nobody but the test talks to it.
pub(crate) struct Plugin {
    pub(crate) daemon: Daemon,
    pub(crate) socket: PathBuf,
}

impl Plugin {
    pub(crate) fn on(host: &Host) -> Result<Self> {
        let options = DaemonOptions {
            flags: vec!["--docker-plugin".to_owned(), PLUGIN.to_owned()],
            show_log: true,
            ..DaemonOptions::default()
        };
        Ok(Self {
            daemon: Daemon::start_with(host, options)?,
            socket: host.path(PLUGIN),
        })
    }

    pub(crate) fn ask(&self, request: &Request) -> Result<Reply> {
        send(&self.socket, request)
    }

    fn call(&self, method: &str, body: &Value) -> Result<Reply> {
        self.ask(&Request::of_docker(method, format!("{body}\n")))
    }

    /// The answer to a good request.
    pub(crate) fn done(&self, method: &str, body: &Value) -> Result<Value> {
        let reply = self.call(method, body)?;
        ensure!(
            reply.status == 200,
            "{method}: {} {}",
            reply.status,
            reply.json()
        );
        Ok(reply.json())
    }

    /// Nothing has come of what was asked, or it is gone.
    pub(crate) fn is_empty(&self, host: &Host) -> Result<()> {
        let networks = self.daemon.json("list-nets")?;
        let names = networks.as_array().context("no list")?.iter();
        let names: Vec<_> = names.map(|row| &row["name"]).collect();
        ensure!(names == ["host", "none"], "{names:?}");
        for list in ["ports", "list-sandboxes"] {
            assert_eq!(self.daemon.json(list)?, json!([]), "{list}");
        }
        let interfaces = host.interfaces()?;
        ensure!(
            !interfaces.iter().any(|name| name.starts_with("vs-")),
            "{interfaces:?}"
        );
        Ok(())
    }

    /// A request that is refused, in the form that Docker reads.
    pub(crate) fn refused(&self, request: &Request) -> Result<String> {
        let reply = self.ask(request)?;
        let answer = reply.json();
        let said = |key: &str| answer[key].as_str().filter(|text| !text.is_empty());
        ensure!(
            (400..=599).contains(&reply.status)
                && said("Err").is_some()
                && said("Err") == said("Error"),
            "{}: {} {}",
            request.called(),
            reply.status,
            String::from_utf8_lossy(&reply.body)
        );
        Ok(said("Err").unwrap_or_default().to_owned())
    }
}
