//! Requests taken apart, and answers put together, in the protocol's form.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vswitch_plugin::{DecodeError, Empty, Failure, MEDIA_TYPE};

use crate::control::EngineError;

/// The longest body, in bytes: a port map of all ports of all protocols has some 16 MB.
pub(super) const BODY_LIMIT: usize = 16 << 20;

/// A request's body, whatever its content type says.
#[derive(Debug)]
pub(super) struct Asked<T>(pub(super) T);

/// What Docker gets when it was done.
#[derive(Debug)]
pub(super) struct Answer<T>(pub(super) T);

/// What Docker gets when it was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

/// The result of a method.
pub(super) type Outcome<T> = Result<Answer<T>, Refusal>;

/// There is nothing to tell.
pub(super) const DONE: Outcome<Empty> = Ok(Answer(Empty {}));

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// The request itself is wrong.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// What is asked for cannot be had.
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// For people.
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::malformed(error.to_string())
    }
}

impl From<EngineError> for Refusal {
    fn from(error: EngineError) -> Self {
        let message = error.to_string();
        if error.is_request() {
            Self::malformed(message)
        } else {
            Self::refused(message)
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let body = match Bytes::from_request(request, state).await {
            Ok(body) => body,
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("the body has more than {} MiB", BODY_LIMIT >> 20);
                return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message));
            }
            Err(rejection) => return Err(Refusal::malformed(rejection.body_text())),
        };
        Ok(Self(vswitch_plugin::decode(&body)?))
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

/// With itself as an extension, for the log.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json(self.status, &Failure::new(self.message.clone()));
        response.extensions_mut().insert(self);
        response
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => (status, [(header::CONTENT_TYPE, MEDIA_TYPE)], body).into_response(),
        Err(error) => {
            tracing::error!("cannot write an answer: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
