//! A container runtime that speaks the Container Network Interface.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::{Daemon, Finished, Host, Place, Program, binary};

/// A network as runtimes have it: a configuration, and the plugin that it names. A container's id is the name of
/// its network namespace, and its interface is `eth0`.
#[derive(Debug, Clone)]
pub struct CniNetwork {
    host: Place,
    path: String,
    config: Value,
}

/// An error that the plugin told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CniFailure {
    /// The specification's code.
    pub code: u64,
    /// What kind of error.
    pub message: String,
    /// What exactly.
    pub details: String,
}

/// Where Debian's plugins are.
const OTHER_PLUGINS: &str = "/usr/lib/cni";

impl CniNetwork {
    /// A network of a daemon, with further fields of its configuration. Its version is 1.1.0 unless they say
    /// otherwise.
    ///
    /// # Errors
    /// If the plugin was not built.
    pub fn new(host: &Host, daemon: &Daemon, name: &str, fields: Value) -> Result<Self> {
        let plugin = binary("vswitch-cni")?;
        let folder = plugin.parent().context("a plugin in no folder")?;
        let mut config = json!({
            "cniVersion": "1.1.0",
            "name": name,
            "type": "vswitch-cni",
            "socket": daemon.socket(),
        });
        merge(&mut config, fields);
        Ok(Self {
            host: host.place(),
            path: format!("{}:{OTHER_PLUGINS}", folder.display()),
            config,
        })
    }

    /// The same with other fields.
    #[must_use]
    pub fn with(&self, fields: Value) -> Self {
        let mut network = self.clone();
        merge(&mut network.config, fields);
        network
    }

    /// A start of the plugin for a container.
    ///
    /// # Errors
    /// If the plugin was not built.
    pub fn call(&self, command: &str, container: &str) -> Result<Program> {
        let program = self.host.program(binary("vswitch-cni")?);
        program
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", format!("/run/netns/{container}"))
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", &self.path)
            .input(&self.config.to_string())
    }

    /// ADD; returns what is answered.
    ///
    /// # Errors
    /// If it fails.
    pub fn add(&self, container: &str) -> Result<Value> {
        let answer = self.call("ADD", container)?.output()?;
        serde_json::from_str(&answer).with_context(|| format!("ADD answered {answer}"))
    }

    /// CHECK with what ADD answered.
    ///
    /// # Errors
    /// If it fails, or says something.
    pub fn check(&self, container: &str, result: &Value) -> Result<()> {
        silent(&self.checking(container, result)?.output()?)
    }

    /// A CHECK that is not run yet.
    ///
    /// # Errors
    /// If the plugin was not built.
    pub fn checking(&self, container: &str, result: &Value) -> Result<Program> {
        self.with(json!({"prevResult": result}))
            .call("CHECK", container)
    }

    /// DEL.
    ///
    /// # Errors
    /// If it fails, or says something.
    pub fn del(&self, container: &str) -> Result<()> {
        silent(&self.call("DEL", container)?.output()?)
    }

    /// GC with the containers that are known.
    ///
    /// # Errors
    /// If it fails, or says something.
    pub fn gc(&self, containers: &[&str]) -> Result<()> {
        let valid = |container: &&str| json!({"containerID": container, "ifname": "eth0"});
        let valid: Vec<_> = containers.iter().map(valid).collect();
        let network = self.with(json!({"cni.dev/valid-attachments": valid}));
        silent(&network.call("GC", "-")?.output()?)
    }
}

impl CniFailure {
    /// Runs a call that must fail, and reads why.
    ///
    /// # Errors
    /// If it does not fail in the specification's way.
    pub fn of(call: Program) -> Result<Self> {
        let Finished { status, stdout, .. } = call.run()?;
        ensure!(!status.success(), "it should fail, and wrote:\n{stdout}");
        let error: Value = serde_json::from_str(&stdout)
            .with_context(|| format!("no error in the specification's way:\n{stdout}"))?;
        Ok(Self {
            code: error["code"].as_u64().context("no code")?,
            message: error["msg"].as_str().unwrap_or_default().to_owned(),
            details: error["details"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

fn silent(answer: &str) -> Result<()> {
    ensure!(
        answer.is_empty(),
        "it should say nothing, and wrote:\n{answer}"
    );
    Ok(())
}

fn merge(config: &mut Value, fields: Value) {
    let fields = match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    for (key, value) in fields {
        config[key] = value;
    }
}
