//! Refusals as HTTP answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use vswitch_api::ErrorBody;

use crate::control::{ControlError, Stopped};

/// A status and the body that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    status: StatusCode,
    body: ErrorBody,
}

impl HttpError {
    /// A refusal with a code for programs and a line for people.
    #[must_use]
    pub fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status,
            body: ErrorBody::new(code, message),
        }
    }

    /// The request itself is wrong.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }
}

impl From<ControlError> for HttpError {
    fn from(error: ControlError) -> Self {
        Self::new(error.status(), error.code(), error.to_string())
    }
}

impl From<Stopped> for HttpError {
    fn from(stopped: Stopped) -> Self {
        Self::new(stopped.status(), stopped.code(), stopped.to_string())
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
