//! One function per request: from HTTP to a command, and from its result to HTTP.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use vswitch_api as api;

use super::HttpError;
use super::extract::{Asked, Body, Named};
use crate::control::{Control, ControlError, Handle};
use crate::{metrics, version};

type Answer<T> = Result<Json<T>, HttpError>;
type Created<T> = Result<(StatusCode, Json<T>), HttpError>;
type Done = Result<StatusCode, HttpError>;

pub(super) async fn networks(State(control): State<Handle>) -> Answer<Vec<api::NetworkSummary>> {
    Ok(Json(control.run(|c| c.list_networks()).await?))
}

pub(super) async fn create_network(
    State(control): State<Handle>,
    Body(request): Body<api::NetworkCreate>,
) -> Created<api::NetworkCreated> {
    let created = control
        .complete(|c| c.begin_create_network(request))
        .await?;
    Ok((StatusCode::CREATED, Json(created)))
}

pub(super) async fn network(
    State(control): State<Handle>,
    Named(network): Named,
) -> Answer<api::NetworkInspect> {
    let inspect = command(&control, move |c| c.inspect_network(&network)).await?;
    Ok(Json(inspect))
}

pub(super) async fn remove_network(
    State(control): State<Handle>,
    Named(network): Named,
    Asked(query): Asked<api::RemoveNetworkQuery>,
) -> Done {
    control
        .complete(move |c| c.begin_remove_network(&network, query.force))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn attach(
    State(control): State<Handle>,
    Named(network): Named,
    Body(request): Body<api::Attach>,
) -> Created<api::Endpoint> {
    let endpoint = control
        .complete(move |c| c.begin_attach(&network, request))
        .await?;
    Ok((StatusCode::CREATED, Json(endpoint)))
}

pub(super) async fn detach(
    State(control): State<Handle>,
    Named(network): Named,
    Asked(query): Asked<api::DetachQuery>,
) -> Done {
    control
        .complete(move |c| c.begin_detach(&network, &query.sandbox))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn publish(
    State(control): State<Handle>,
    Named((network, sandbox)): Named<(String, String)>,
    Body(request): Body<api::Publish>,
) -> Answer<Vec<api::PublishedPort>> {
    let ports = command(&control, move |c| c.publish(&network, &sandbox, &request)).await?;
    Ok(Json(ports))
}

pub(super) async fn unpublish(
    State(control): State<Handle>,
    Named((network, sandbox)): Named<(String, String)>,
    Body(request): Body<api::Publish>,
) -> Answer<Vec<api::PublishedPort>> {
    let ports = command(&control, move |c| c.unpublish(&network, &sandbox, &request)).await?;
    Ok(Json(ports))
}

pub(super) async fn vteps(
    State(control): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Answer<Vec<api::Vtep>> {
    let vteps = command(&control, move |c| c.vteps(query.network.as_deref())).await?;
    Ok(Json(vteps))
}

pub(super) async fn add_vtep(
    State(control): State<Handle>,
    Named(network): Named,
    Body(request): Body<api::VtepCreate>,
) -> Done {
    command(&control, move |c| c.add_vtep(&network, &request)).await?;
    Ok(StatusCode::CREATED)
}

pub(super) async fn remove_vtep(
    State(control): State<Handle>,
    Named((network, address)): Named<(String, String)>,
) -> Done {
    command(&control, move |c| c.remove_vtep(&network, &address)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn remotes(
    State(control): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Answer<Vec<api::Remote>> {
    let remotes = command(&control, move |c| c.remotes(query.network.as_deref())).await?;
    Ok(Json(remotes))
}

pub(super) async fn add_remote(
    State(control): State<Handle>,
    Named(network): Named,
    Body(request): Body<api::Remote>,
) -> Done {
    command(&control, move |c| c.add_remote(&network, request)).await?;
    Ok(StatusCode::CREATED)
}

pub(super) async fn remove_remote(
    State(control): State<Handle>,
    Named((network, mac)): Named<(String, String)>,
) -> Done {
    command(&control, move |c| c.remove_remote(&network, &mac)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn leases(
    State(control): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Answer<Vec<api::Lease>> {
    let leases = command(&control, move |c| c.leases(query.network.as_deref())).await?;
    Ok(Json(leases))
}

pub(super) async fn ports(
    State(control): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Answer<Vec<api::PublishedPort>> {
    let ports = command(&control, move |c| c.ports(query.network.as_deref())).await?;
    Ok(Json(ports))
}

pub(super) async fn conntrack(
    State(control): State<Handle>,
    Asked(query): Asked<api::ConntrackQuery>,
) -> Answer<Vec<api::Session>> {
    Ok(Json(command(&control, move |c| c.conntrack(&query)).await?))
}

pub(super) async fn flush_conntrack(
    State(control): State<Handle>,
    Asked(query): Asked<api::FlushQuery>,
) -> Done {
    command(&control, move |c| c.flush_conntrack(&query)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn nat_stats(State(control): State<Handle>) -> Answer<api::NatStats> {
    Ok(Json(control.run(|c| c.nat_stats()).await?))
}

pub(super) async fn sandboxes(State(control): State<Handle>) -> Answer<Vec<api::Sandbox>> {
    Ok(Json(control.run(|c| c.list_sandboxes()).await?))
}

pub(super) async fn create_sandbox(
    State(control): State<Handle>,
    Body(request): Body<api::SandboxCreate>,
) -> Created<api::Sandbox> {
    let sandbox = command(&control, move |c| c.create_sandbox(&request.name)).await?;
    Ok((StatusCode::CREATED, Json(sandbox)))
}

pub(super) async fn sandbox(
    State(control): State<Handle>,
    Named(sandbox): Named,
) -> Answer<api::Sandbox> {
    let sandbox = command(&control, move |c| c.inspect_sandbox(&sandbox)).await?;
    Ok(Json(sandbox))
}

pub(super) async fn remove_sandbox(State(control): State<Handle>, Named(sandbox): Named) -> Done {
    command(&control, move |c| c.remove_sandbox(&sandbox)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn fdb(
    State(control): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Answer<Vec<api::FdbEntry>> {
    let network = query.network;
    let rows = command(&control, move |c| c.fdb(network.as_deref())).await?;
    Ok(Json(rows))
}

pub(super) async fn neighbours(
    State(control): State<Handle>,
    Asked(query): Asked<api::NetworkQuery>,
) -> Answer<Vec<api::NeighbourEntry>> {
    let network = query.network;
    let rows = command(&control, move |c| c.neighbours(network.as_deref())).await?;
    Ok(Json(rows))
}

pub(super) async fn routes(State(control): State<Handle>) -> Answer<Vec<api::RouteEntry>> {
    Ok(Json(control.run(|c| c.routes()).await?))
}

pub(super) async fn stats(
    State(control): State<Handle>,
    Asked(query): Asked<api::StatsQuery>,
) -> Answer<Vec<api::PortStats>> {
    let rows = command(&control, move |c| c.stats(query.of.as_deref())).await?;
    Ok(Json(rows))
}

pub(super) async fn version() -> Json<api::Version> {
    Json(version::current())
}

pub(super) async fn metrics(State(control): State<Handle>) -> Result<impl IntoResponse, HttpError> {
    let (ports, nat) = command(&control, |c| Ok((c.stats(None)?, c.nat_stats()))).await?;
    let text = metrics::encode(ports, nat)
        .map_err(|_| HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "no metrics"))?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text))
}

async fn command<T: Send + 'static>(
    control: &Handle,
    command: impl FnOnce(&mut Control) -> Result<T, ControlError> + Send + 'static,
) -> Result<T, HttpError> {
    Ok(control.run(command).await??)
}
