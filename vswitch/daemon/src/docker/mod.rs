//! The socket of Docker's network and IPAM plugin: its requests as commands to [`Engine`], and what comes of
//! them as Docker wants it told.
//!
//! Nothing is kept here. Docker tries again when a connection breaks, so each method may come twice. What it
//! does not know any more, or we do not, is removed without complaint; Docker ignores
//! what a driver says then anyway.

mod activation;
mod answer;
mod endpoint;
mod ipam;
mod join;
mod name;
mod network;
mod network_options;
mod ports;
mod subnets;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use vswitch_plugin::Method;

use self::answer::{BODY_LIMIT, Refusal};
use crate::control::Engine;

/// All methods of a network and IPAM plugin.
pub fn plugin(engine: Engine) -> Router {
    let routes = Router::new();
    Method::ALL
        .into_iter()
        .fold(routes, |routes, method| {
            routes.route(&format!("/{method}"), handler(method))
        })
        .fallback(async || no_such_method())
        .method_not_allowed_fallback(async || not_that_way())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(log_refusals))
        .with_state(engine)
}

fn handler(method: Method) -> MethodRouter<Engine> {
    match method {
        Method::Activate => post(activation::activate),
        Method::NetworkCapabilities => post(activation::capabilities),
        Method::GwAllocCheck => post(network::needs_gateway),
        Method::AllocateNetwork => post(activation::allocate_network),
        Method::FreeNetwork => post(activation::free_network),
        Method::CreateNetwork => post(network::create),
        Method::DeleteNetwork => post(network::delete),
        Method::CreateEndpoint => post(endpoint::create),
        Method::EndpointOperInfo => post(endpoint::info),
        Method::DeleteEndpoint => post(endpoint::delete),
        Method::Join => post(join::join),
        Method::Leave => post(join::leave),
        Method::ProgramExternalConnectivity => post(ports::publish),
        Method::RevokeExternalConnectivity => post(ports::unpublish),
        Method::DiscoverNew | Method::DiscoverDelete => post(activation::discovered),
        Method::IpamCapabilities => post(ipam::capabilities),
        Method::DefaultAddressSpaces => post(ipam::address_spaces),
        Method::RequestPool => post(ipam::request_pool),
        Method::ReleasePool => post(ipam::release_pool),
        Method::RequestAddress => post(ipam::request_address),
        Method::ReleaseAddress => post(ipam::release_address),
    }
}

/// Docker logs what it does not show, if at all.
async fn log_refusals(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    if let Some(refusal) = response.extensions().get::<Refusal>() {
        tracing::warn!(
            method = path.trim_start_matches('/'),
            "{}",
            refusal.message()
        );
    }
    response
}

/// libnetwork takes 404 for a method that a driver need not have.
fn no_such_method() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        "vswitchd has no such method: it is a network and an IPAM driver of Docker's plugin protocol 1.2",
    )
}

fn not_that_way() -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "methods of a plugin are called by POST",
    )
}
