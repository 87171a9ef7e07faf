//! Docker's plugin protocol on the wire: one request of HTTP, and its answer.

use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// A request, as wrong as one likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// `/NetworkDriver.Join`.
    pub path: String,
    /// Name and value.
    pub headers: Vec<(String, String)>,
    /// What follows the headers.
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 is good.
    pub status: u16,
    /// JSON, if all is well.
    pub body: Vec<u8>,
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Docker's.
    pub request: Request,
    /// The plugin's.
    pub reply: Reply,
}

/// Longer than a good plugin takes.
const PATIENCE: Duration = Duration::from_secs(20);
const LENGTH: &str = "Content-Length";

impl Request {
    /// As Docker asks: without a type, and for a plugin rather than for a host.
    #[must_use]
    pub fn of_docker(method: &str, body: impl Into<Vec<u8>>) -> Self {
        let accept = "application/vnd.docker.plugins.v1.2+json";
        Self {
            method: "POST".to_owned(),
            path: format!("/{method}"),
            headers: vec![
                ("Host".to_owned(), String::new()),
                ("User-Agent".to_owned(), "Go-http-client/1.1".to_owned()),
                ("Accept".to_owned(), accept.to_owned()),
            ],
            body: body.into(),
        }
    }

    /// The method of the protocol: `NetworkDriver.Join`.
    #[must_use]
    pub fn called(&self) -> &str {
        self.path.trim_start_matches('/')
    }

    /// The body, or null if it is none of JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn write_to(&self, stream: &mut impl Write) -> Result<()> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if length(&self.headers).is_none() {
            head.push_str(&format!("{LENGTH}: {}\r\n", self.body.len()));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(&self.body)?;
        Ok(())
    }

    /// The next request of a connection; none at its end.
    pub(super) fn read_from(stream: &mut impl BufRead) -> Result<Option<Self>> {
        let Some((line, headers, body)) = read_message(stream)? else {
            return Ok(None);
        };
        let mut words = line.split(' ').map(str::to_owned);
        Ok(Some(Self {
            method: words.next().context("no method")?,
            path: words.next().context("no path")?,
            headers,
            body,
        }))
    }
}

impl Reply {
    /// The body, or null if it is none of JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn read_from(stream: &mut impl BufRead) -> Result<Self> {
        let (line, _, body) = read_message(stream)?.context("the connection ended")?;
        let status = line.split(' ').nth(1).context("no status")?;
        Ok(Self {
            status: status.parse()?,
            body,
        })
    }

    pub(super) fn write_to(&self, stream: &mut impl Write) -> Result<()> {
        let (status, length) = (self.status, self.body.len());
        let head = format!("HTTP/1.1 {status} -\r\n{LENGTH}: {length}\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(&self.body)?;
        Ok(())
    }
}

impl Exchange {
    /// To be kept: what of it means something.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let headers = self.request.headers.iter();
        let headers = headers.filter(|(name, _)| ![LENGTH, "User-Agent"].contains(&name.as_str()));
        let headers: Vec<_> = headers.map(|(name, value)| json!([name, value])).collect();
        json!({
            "method": self.request.method,
            "path": self.request.path,
            "headers": headers,
            "body": self.request.json(),
            "status": self.reply.status,
            "answer": self.reply.json(),
        })
    }

    /// What was kept.
    ///
    /// # Errors
    /// If it is not what [`Exchange::to_json`] makes.
    pub fn from_json(kept: &Value) -> Result<Self> {
        let text = |value: &Value| -> Result<String> {
            Ok(value.as_str().context("not a text")?.to_owned())
        };
        let headers = kept["headers"].as_array().context("no headers")?.iter();
        let headers = headers.map(|pair| Ok((text(&pair[0])?, text(&pair[1])?)));
        let body = match &kept["body"] {
            Value::Null => Vec::new(),
            // Go's encoder ends what it writes with a line.
            body => format!("{body}\n").into_bytes(),
        };
        Ok(Self {
            request: Request {
                method: text(&kept["method"])?,
                path: text(&kept["path"])?,
                headers: headers.collect::<Result<_>>()?,
                body,
            },
            reply: Reply {
                status: u16::try_from(kept["status"].as_u64().context("no status")?)?,
                body: kept["answer"].to_string().into_bytes(),
            },
        })
    }
}

/// Asks a plugin on a connection of its own.
///
/// # Errors
/// If no answer comes.
pub fn send(socket: &Path, request: &Request) -> Result<Reply> {
    let mut stream =
        UnixStream::connect(socket).with_context(|| format!("connect to {}", socket.display()))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // It may have answered, and read no further.
    let sent = request.write_to(&mut stream);
    if length(&request.headers) > Some(request.body.len()) {
        // That was all, whatever was announced.
        stream.shutdown(Shutdown::Write)?;
    }
    let reply = Reply::read_from(&mut BufReader::new(stream));
    reply.with_context(|| format!("after {}, sent {sent:?}", request.path))
}

/// First line, headers, body.
type Message = (String, Vec<(String, String)>, Vec<u8>);

fn read_message(stream: &mut impl BufRead) -> Result<Option<Message>> {
    let Some(first) = read_line(stream)? else {
        return Ok(None);
    };
    let mut headers = Vec::new();
    loop {
        let line = read_line(stream)?.context("the headers end early")?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').context("a strange header")?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let encoded = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("Transfer-Encoding"));
    ensure!(!encoded, "an encoded body: {first}");
    let mut body = vec![0; length(&headers).unwrap_or(0)];
    stream
        .read_exact(&mut body)
        .context("the body ends early")?;
    Ok(Some((first, headers, body)))
}

fn read_line(stream: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = String::new();
    let length = stream.read_line(&mut line)?;
    Ok((length > 0).then(|| line.trim_end().to_owned()))
}

fn length(headers: &[(String, String)]) -> Option<usize> {
    let mut headers = headers.iter();
    let found = headers.find(|(name, _)| name.eq_ignore_ascii_case(LENGTH))?;
    found.1.parse().ok()
}
