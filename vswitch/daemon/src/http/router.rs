//! Which request goes where.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};

use super::{HttpError, handlers};
use crate::control::Handle;

/// The API, under `/v1`.
pub fn api(control: Handle) -> Router {
    use handlers as h;
    Router::new()
        .route("/v1/networks", get(h::networks).post(h::create_network))
        .route(
            "/v1/networks/{network}",
            get(h::network).delete(h::remove_network),
        )
        .route(
            "/v1/networks/{network}/endpoints",
            post(h::attach).delete(h::detach),
        )
        .route(
            "/v1/networks/{network}/endpoints/{sandbox}/publish",
            post(h::publish),
        )
        .route(
            "/v1/networks/{network}/endpoints/{sandbox}/unpublish",
            post(h::unpublish),
        )
        .route("/v1/networks/{network}/vteps", post(h::add_vtep))
        .route(
            "/v1/networks/{network}/vteps/{address}",
            delete(h::remove_vtep),
        )
        .route("/v1/networks/{network}/remotes", post(h::add_remote))
        .route(
            "/v1/networks/{network}/remotes/{mac}",
            delete(h::remove_remote),
        )
        .route("/v1/vteps", get(h::vteps))
        .route("/v1/remotes", get(h::remotes))
        .route("/v1/leases", get(h::leases))
        .route("/v1/ports", get(h::ports))
        .route(
            "/v1/conntrack",
            get(h::conntrack).delete(h::flush_conntrack),
        )
        .route("/v1/conntrack/stats", get(h::nat_stats))
        .route("/v1/sandboxes", get(h::sandboxes).post(h::create_sandbox))
        .route(
            "/v1/sandboxes/{sandbox}",
            get(h::sandbox).delete(h::remove_sandbox),
        )
        .route("/v1/fdb", get(h::fdb))
        .route("/v1/neighbours", get(h::neighbours))
        .route("/v1/routes", get(h::routes))
        .route("/v1/stats", get(h::stats))
        .route("/v1/version", get(h::version))
        .fallback(async || nothing_there())
        .method_not_allowed_fallback(async || not_that_way())
        .with_state(control)
}

/// `/metrics`, for Prometheus.
pub fn metrics(control: Handle) -> Router {
    Router::new()
        .route("/metrics", get(handlers::metrics))
        .fallback(async || nothing_there())
        .method_not_allowed_fallback(async || not_that_way())
        .with_state(control)
}

fn nothing_there() -> HttpError {
    HttpError::new(
        StatusCode::NOT_FOUND,
        "no_such_path",
        "nothing is at this path: vsctl and vswitchd may be of different versions",
    )
}

fn not_that_way() -> HttpError {
    HttpError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path does not take that method",
    )
}
