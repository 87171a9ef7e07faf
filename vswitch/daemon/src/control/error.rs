//! Why a command was not carried out.

use axum::http::StatusCode;
use vswitch_cnm::ErrorKind;
use vswitch_netio::netlink::NetlinkError;
use vswitch_netio::netns::NetnsError;
use vswitch_netio::tap::TapError;

use crate::edge::{EdgeError, SandboxError};
use crate::store::StoreError;

/// Why a command was not carried out. Everything is as before then, as far as the kernel let us.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The model refuses.
    #[error(transparent)]
    Model(#[from] vswitch_cnm::Error),
    /// A text in the request is not what it should be.
    #[error("{0}")]
    Request(String),
    /// A sandbox's namespace is not there.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The kernel refuses.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The state cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The workers refuse.
    #[error("the switch cannot take the port: {0:#}")]
    Dataplane(anyhow::Error),
    /// No random numbers.
    #[error("cannot draw an id: {0}")]
    Random(getrandom::Error),
    /// Statistics of what is neither network nor port.
    #[error("no network or port {0:?}: vsctl stats shows those there are")]
    NothingNamed(String),
}

impl ControlError {
    /// For programs; does not change.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Model(error) => error.code(),
            Self::Request(_) => "bad_request",
            Self::Sandbox(SandboxError::NotFound { .. }) => "sandbox_not_found",
            Self::Sandbox(SandboxError::Netns(_)) => "kernel_refused",
            Self::Edge(error) => edge_code(error),
            Self::Store(_) => "state_not_written",
            Self::Dataplane(_) => "dataplane_refused",
            Self::Random(_) => "internal",
            Self::NothingNamed(_) => "not_found",
        }
    }

    /// For HTTP.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Model(error) => match error.kind() {
                ErrorKind::Invalid => StatusCode::BAD_REQUEST,
                ErrorKind::Forbidden => StatusCode::FORBIDDEN,
                ErrorKind::NotFound => StatusCode::NOT_FOUND,
                ErrorKind::Conflict => StatusCode::CONFLICT,
            },
            Self::Request(_) => StatusCode::BAD_REQUEST,
            Self::Sandbox(SandboxError::NotFound { .. }) | Self::NothingNamed(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Edge(error) if edge_code(error) == "interface_in_use" => StatusCode::CONFLICT,
            Self::Edge(error) if edge_code(error) == "sandbox_exists" => StatusCode::CONFLICT,
            Self::Sandbox(SandboxError::Netns(_))
            | Self::Edge(_)
            | Self::Store(_)
            | Self::Dataplane(_)
            | Self::Random(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

fn edge_code(error: &EdgeError) -> &'static str {
    match error {
        EdgeError::NameTaken { .. } | EdgeError::Tap(TapError::Exists { .. }) => "interface_in_use",
        EdgeError::Netns(NetnsError::Exists { .. }) => "sandbox_exists",
        EdgeError::Netns(NetnsError::NotPermitted { .. })
        | EdgeError::Netlink(NetlinkError::NotPermitted(_))
        | EdgeError::Tap(TapError::NotPermitted { .. }) => "not_permitted",
        EdgeError::Tap(TapError::NoDevice) => "no_tun",
        _ => "kernel_refused",
    }
}
