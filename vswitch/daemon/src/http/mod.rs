//! HTTP: the API on a unix socket, metrics on TCP.

mod error;
mod extract;
mod handlers;
mod router;
mod socket;

pub use error::HttpError;
pub use router::{api, metrics};
pub use socket::{Askers, ListeningSocket, SocketError};
