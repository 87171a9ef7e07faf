//! One request, one answer, in dockerd's way.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::lab::PATIENCE;

/// A daemon with a plugin socket.
pub(super) struct Plugin {
    pub(super) daemon: Daemon,
    socket: PathBuf,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Plugin {
    pub(super) fn start() -> Self {
        let daemon = Daemon::stopped();
        let socket = daemon.folder().join("docker.sock");
        let mut plugin = Self { daemon, socket };
        plugin.start_again();
        plugin
    }

    /// After [`Daemon::kill`].
    pub(super) fn start_again(&mut self) {
        let socket = self.socket.to_str().unwrap().to_owned();
        self.daemon.start_with(&["--docker-plugin", &socket]);
    }

    /// Sends text as the body of a method.
    pub(super) fn send(&self, method: &str, body: &str) -> Answer {
        self.request("POST", method, body.as_bytes())
    }

    /// Calls a method, and expects it to succeed.
    pub(super) fn call(&self, method: &str, body: &Value) -> Value {
        let answer = self.send(method, &format!("{body}\n"));
        assert_eq!(answer.status, 200, "{method} {body}: {answer:?}");
        answer.body
    }

    /// Calls a method, and expects it not to. Returns the message.
    pub(super) fn refused(&self, method: &str, body: &Value) -> String {
        let answer = self.send(method, &format!("{body}\n"));
        answer.message(500)
    }

    /// Calls a method without waiting for the answer, which is lost if the connection is dropped.
    pub(super) fn begin(&self, method: &str, body: &Value) -> UnixStream {
        self.open("POST", method, format!("{body}\n").as_bytes())
    }

    /// With dockerd's headers: an empty `Host`, no `Content-Type`.
    pub(super) fn request(&self, verb: &str, method: &str, body: &[u8]) -> Answer {
        let mut stream = self.open(verb, method, body);
        let mut answer = Vec::new();
        // A connection that is reset behind the answer has brought it.
        let _ = stream.read_to_end(&mut answer);
        parse(&String::from_utf8(answer).unwrap())
    }

    fn open(&self, verb: &str, method: &str, body: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{verb} /{method} HTTP/1.1\r\nHost: \r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {}\r\n\
             Accept: application/vnd.docker.plugins.v1.2+json\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Whoever refuses a body need not read it.
        let _ = stream.write_all(body);
        stream
    }
}

impl Answer {
    /// The message of a refusal with that status, in the form that all versions of Docker understand.
    pub(super) fn message(&self, status: u16) -> String {
        let message = self.body["Err"].as_str().unwrap_or_default().to_owned();
        let expected = Self {
            status,
            body: json!({"Err": message, "Error": message}),
        };
        assert_eq!(self, &expected);
        assert!(
            !message.is_empty() && !message.contains('\n'),
            "{message:?}"
        );
        message
    }
}

fn parse(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("content-type: application/vnd.docker.plugins.v1.2+json"),
        "{answer}"
    );
    let status = head.split(' ').nth(1).unwrap();
    Answer {
        status: status.parse().unwrap(),
        body: serde_json::from_str(body).unwrap(),
    }
}
