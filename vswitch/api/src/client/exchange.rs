//! One request and its answer, over a connection of its own.

use std::io;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::target::Target;
use super::{Client, ClientError};
use crate::ErrorBody;

/// The body of requests that have none.
#[derive(Debug, Serialize)]
pub(super) enum NoBody {}

impl Client {
    /// A request whose answer has a body.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        target: Target,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        let answer = self.tell(method, target, body).await?;
        serde_json::from_slice(&answer)
            .map_err(|e| self.malformed(format!("unexpected answer ({e})")))
    }

    /// A request; the body of a successful answer as it came.
    pub(super) async fn tell(
        &self,
        method: Method,
        target: Target,
        body: Option<&impl Serialize>,
    ) -> Result<Bytes, ClientError> {
        let json = match body {
            None => Vec::new(),
            Some(body) => serde_json::to_vec(body)
                .map_err(|e| self.malformed(format!("the request cannot be written ({e})")))?,
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target.as_str())
            // HTTP/1.1 wants one; a unix socket has no host to name.
            .header(HOST, "vswitchd");
        if !json.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(Bytes::from(json)))
            .map_err(|e| self.malformed(format!("the request cannot be written ({e})")))?;
        let (status, answer) = self.exchange(request).await?;
        if status.is_success() {
            return Ok(answer);
        }
        Err(match serde_json::from_slice::<ErrorBody>(&answer) {
            Ok(ErrorBody { error }) => ClientError::Refused {
                status: status.as_u16(),
                code: error.code,
                message: error.message,
            },
            Err(_) => self.malformed(format!("status {status} without a reason")),
        })
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| self.broken(e))?;
        let exchange = async move {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok((status, body))
        };
        // The exchange drops the sender when it is done, which ends the connection. An error of the
        // connection is the exchange's error too.
        let (answer, _) = tokio::join!(exchange, connection);
        answer.map_err(|e| self.broken(e))
    }

    /// Who listens at the socket.
    pub(super) async fn peer_pid(&self) -> Result<Option<u32>, ClientError> {
        let stream = self.connect().await?;
        let peer = stream.peer_cred().map_err(|e| self.unreachable(e))?;
        // The kernel says 0 for a process that this PID namespace does not see.
        Ok(peer
            .pid()
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|&pid| pid != 0))
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(&self.socket)
            .await
            .map_err(|e| self.unreachable(e))
    }

    fn unreachable(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match source.kind() {
            io::ErrorKind::PermissionDenied => ClientError::NotPermitted { socket },
            _ => ClientError::NoDaemon { socket, source },
        }
    }

    fn broken(&self, source: hyper::Error) -> ClientError {
        if source.is_parse() {
            return self.malformed(format!("not HTTP ({source})"));
        }
        ClientError::Broken {
            socket: self.socket.clone(),
            source,
        }
    }

    fn malformed(&self, detail: String) -> ClientError {
        ClientError::Malformed {
            socket: self.socket.clone(),
            detail,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_of_others_is_told_from_one_without_a_daemon() {
        let client = Client::new("/s");
        let error = client.unreachable(io::ErrorKind::PermissionDenied.into());
        assert_eq!(
            error.to_string(),
            "not allowed to open /s: run as root, or as a member of the group that owns the socket"
        );
        let error = client.unreachable(io::ErrorKind::ConnectionRefused.into());
        assert!(matches!(error, ClientError::NoDaemon { .. }), "{error}");
    }
}
