//! A daemon that answers what a test tells it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// Listens until the test ends.
pub(crate) struct FakeDaemon {
    directory: TempDir,
}

/// What was asked.
pub(crate) struct Question {
    /// `GET /v1/networks`.
    pub(crate) line: String,
    /// JSON, or nothing.
    pub(crate) body: String,
}

impl FakeDaemon {
    /// Answers each request with a status and a body.
    pub(crate) fn start(answer: impl Fn(&Question) -> (u16, String) + Send + 'static) -> Self {
        let daemon = Self::absent();
        let listener = UnixListener::bind(daemon.socket()).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that went away concerns the test only by what it printed.
                let _ = serve(stream.unwrap(), &answer);
            }
        });
        daemon
    }

    /// Nobody listens.
    pub(crate) fn absent() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("vswitchd.sock")
    }

    /// A program that talks to it, with its standard output and error to be read.
    pub(crate) fn program(&self, path: &str) -> Command {
        let mut command = Command::new(path);
        command
            .env("VSWITCH_SOCKET", self.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

fn serve(stream: UnixStream, answer: &impl Fn(&Question) -> (u16, String)) -> std::io::Result<()> {
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim_end().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, text) = answer(&Question {
        line: line.trim_end().trim_end_matches(" HTTP/1.1").to_owned(),
        body: String::from_utf8(body).unwrap(),
    });
    write!(
        &stream,
        "HTTP/1.1 {status} whatever\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    )
}
