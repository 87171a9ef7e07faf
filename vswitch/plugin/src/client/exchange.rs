//! One request and its answer, over a connection of its own.

use std::io;
use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_LENGTH, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{CallError, Plugin};
use crate::discovery::Address;
use crate::{Failure, MEDIA_TYPE, Method, decode};

/// Of an answer's body, in bytes. The largest that make sense are `EndpointOperInfo`'s, some kilobytes.
const ANSWER_LIMIT: usize = 1 << 20;

/// Of a refusal's raw text, in characters.
const REASON_LIMIT: usize = 512;

/// Between the first two attempts to connect; doubled each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why one attempt failed.
enum Attempt {
    /// The plugin cannot have seen the request.
    NotSent(io::Error),
    Failed(CallError),
}

impl Plugin {
    pub(super) async fn exchange<Q: Serialize, R: DeserializeOwned>(
        &self,
        method: Method,
        request: &Q,
        deadline: Instant,
    ) -> Result<R, CallError> {
        let body = match method.has_body() {
            false => Bytes::new(),
            true => serde_json::to_vec(request)
                .map_err(|e| self.malformed(method, format!("the request cannot be written: {e}")))?
                .into(),
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let reason = match timeout_at(deadline, self.connect()).await {
                Err(_) => return Err(self.unreachable(io::ErrorKind::TimedOut.into())),
                Ok(Err(e)) => e,
                Ok(Ok(stream)) => {
                    let answer = self.ask(stream, method, body.clone());
                    match timeout_at(deadline, answer).await {
                        Err(_) => return Err(self.timed_out(method)),
                        Ok(Ok((status, answer))) => return self.read(method, status, &answer),
                        Ok(Err(Attempt::Failed(e))) => return Err(e),
                        Ok(Err(Attempt::NotSent(e))) => e,
                    }
                }
            };
            // Waiting does not help against permissions.
            if reason.kind() == io::ErrorKind::PermissionDenied || Instant::now() >= deadline {
                return Err(self.unreachable(reason));
            }
            sleep_until(deadline.min(Instant::now() + pause)).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match &self.address {
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Address::Tcp(host, port) => Box::new(TcpStream::connect((host.as_str(), *port)).await?),
        })
    }

    async fn ask(
        &self,
        stream: Box<dyn Stream>,
        method: Method,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), Attempt> {
        let request = Request::post(format!("/{method}"))
            .header(HOST, self.host())
            .header(ACCEPT, MEDIA_TYPE)
            // hyper leaves it out where it is 0. Docker does not (RFC 9110, section 8.6).
            .header(CONTENT_LENGTH, body.len())
            .body(Full::new(body))
            .map_err(|e| {
                Attempt::Failed(
                    self.malformed(method, format!("the request cannot be written: {e}")),
                )
            })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| Attempt::NotSent(io::Error::other(e)))?;
        let exchange = async move {
            let answer = sender.try_send_request(request).await.map_err(|mut e| {
                let unsent = e.take_message().is_some();
                match unsent {
                    true => Attempt::NotSent(io::Error::other(e.into_error())),
                    false => Attempt::Failed(self.broken(method, e.into_error())),
                }
            })?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_LIMIT)
                .collect()
                .await;
            let body = body.map_err(|e| match e.downcast::<hyper::Error>() {
                Ok(e) => Attempt::Failed(self.broken(method, *e)),
                Err(e) => {
                    let detail = match e.is::<LengthLimitError>() {
                        true => format!("more than {ANSWER_LIMIT} bytes"),
                        false => e.to_string(),
                    };
                    Attempt::Failed(self.malformed(method, detail))
                }
            })?;
            Ok((status, body.to_bytes()))
        };
        let (mut exchange, connection) = (pin!(exchange), pin!(connection));
        tokio::select! {
            answer = &mut exchange => answer,
            // Its error is the exchange's too; and an answer may be complete when it ends.
            _ = connection => exchange.await,
        }
    }

    fn read<R: DeserializeOwned>(
        &self,
        method: Method,
        status: StatusCode,
        answer: &[u8],
    ) -> Result<R, CallError> {
        let malformed = |e: crate::DecodeError| self.malformed(method, e.to_string());
        if status == StatusCode::OK {
            let failure: Failure = decode(answer).map_err(malformed)?;
            return match failure.message() {
                Some(message) => Err(self.refused(method, message)),
                None => decode(answer).map_err(malformed),
            };
        }
        let may_be_unknown = matches!(
            method,
            Method::ProgramExternalConnectivity | Method::RevokeExternalConnectivity
        );
        if status == StatusCode::NOT_FOUND && may_be_unknown {
            return decode(b"{}").map_err(malformed);
        }
        let failure: Failure = decode(answer).unwrap_or_default();
        if let Some(message) = failure.message() {
            return Err(self.refused(method, message));
        }
        let text = String::from_utf8_lossy(answer);
        let text: String = text.trim().chars().take(REASON_LIMIT).collect();
        Err(match text.is_empty() {
            true => self.refused(method, &format!("status {status} without a reason")),
            false => self.refused(method, &format!("{text} (status {status})")),
        })
    }

    /// HTTP/1.1 wants one. A unix socket has none; this is what Docker writes for it.
    fn host(&self) -> String {
        match &self.address {
            Address::Unix(_) => "plugin.moby.localhost".to_owned(),
            Address::Tcp(..) => self.address.to_string().replace("tcp://", ""),
        }
    }

    fn refused(&self, method: Method, message: &str) -> CallError {
        CallError::Refused {
            plugin: self.name.clone(),
            method,
            message: message.to_owned(),
        }
    }

    fn unreachable(&self, source: io::Error) -> CallError {
        CallError::Unreachable {
            plugin: self.name.clone(),
            address: self.address.clone(),
            source,
        }
    }

    fn timed_out(&self, method: Method) -> CallError {
        CallError::TimedOut {
            plugin: self.name.clone(),
            method,
            timeout: self.timeout,
        }
    }

    fn broken(&self, method: Method, source: hyper::Error) -> CallError {
        if source.is_parse() {
            return self.malformed(method, format!("not HTTP ({source})"));
        }
        CallError::Broken {
            plugin: self.name.clone(),
            method,
            source,
        }
    }

    fn malformed(&self, method: Method, detail: String) -> CallError {
        CallError::Malformed {
            plugin: self.name.clone(),
            method,
            detail,
        }
    }
}
