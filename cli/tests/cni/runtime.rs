//! A container runtime.

use std::io::Write;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::fake_daemon::FakeDaemon;

/// One start of the plugin.
#[derive(Clone)]
pub(crate) struct Call {
    variables: Vec<(&'static str, String)>,
    config: Value,
}

/// What the plugin said.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    /// Null if nothing was printed.
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

/// A file that is there. It stands for no namespace, which only CHECK looks at.
pub(crate) const NETNS: &str = "/dev/null";

impl Call {
    /// A command with all the variables it may have, for the network `web` in version 1.1.0.
    pub(crate) fn new(command: &str) -> Self {
        let variables = vec![
            ("CNI_COMMAND", command.to_owned()),
            ("CNI_CONTAINERID", "abc".to_owned()),
            ("CNI_NETNS", NETNS.to_owned()),
            ("CNI_IFNAME", "eth0".to_owned()),
            ("CNI_PATH", "/no/such/folder".to_owned()),
        ];
        let config = json!({"cniVersion": "1.1.0", "name": "web", "type": "vswitch-cni"});
        Self { variables, config }
    }

    /// Sets a field of the configuration.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.config[field] = value;
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    /// Unsets a variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self
    }

    /// Runs it with the configuration.
    pub(crate) fn run(self, daemon: &FakeDaemon) -> Answer {
        let config = self.config.to_string();
        self.run_with(daemon, config.as_bytes())
    }

    /// Runs it with other bytes on standard input.
    pub(crate) fn run_with(self, daemon: &FakeDaemon, stdin: &[u8]) -> Answer {
        let mut command = daemon.program(env!("CARGO_BIN_EXE_vswitch-cni"));
        for name in ["COMMAND", "CONTAINERID", "NETNS", "IFNAME", "ARGS", "PATH"] {
            command.env_remove(format!("CNI_{name}"));
        }
        command.envs(self.variables).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that does not read its input has said why.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output().unwrap();
        Answer {
            code: status.code().unwrap(),
            json: match stdout.as_slice() {
                [] => Value::Null,
                printed => serde_json::from_slice(printed).unwrap(),
            },
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

impl Answer {
    /// Nothing said, and all well.
    #[track_caller]
    pub(crate) fn succeeded(&self) {
        assert_eq!((self.code, &self.json), (0, &Value::Null), "{self:?}");
    }

    /// An error of a code, whose details have a text in them.
    #[track_caller]
    pub(crate) fn failed(&self, code: u32, hint: &str) {
        assert_ne!(self.code, 0, "{self:?}");
        assert_eq!(self.json["code"], code, "{self:?}");
        assert!(!self.json["msg"].as_str().unwrap().is_empty(), "{self:?}");
        let details = self.json["details"].as_str().unwrap();
        assert!(details.contains(hint), "{details}");
    }
}
