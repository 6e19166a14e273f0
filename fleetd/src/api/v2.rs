//! What stands beside version 1: details, many units in one request, whole lists, a stream of
//! changes, and what is wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fleet_units::UnitName;
use fleet_units::api::v2::{
    BatchOutcome, BatchReply, BatchRequest, BatchUnit, Health, StateList, UnitDetail, Update,
};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use super::change::Request;
use super::error::ApiError;
use super::v1::{self, QueryPairs};
use super::view::View;
use super::write::{Order, Outcome};
use super::{Api, body, present};
use crate::registry::key::Key;
use crate::store::Store;

/// A batch has room for one unit of the largest size, as text and as options, and for many small
/// ones.
const MAX_BATCH: usize = 4 * 1024 * 1024;
/// Each unit may cost the store a request of its own. fleetctl's largest requests have half of it.
const MAX_UNITS: usize = 20_000;
/// An empty line so often shows both sides that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Details of units.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Details {
    units: Vec<UnitDetail>,
}

/// Details of the units that the query names
#[utoipa::path(
    get,
    path = "/units",
    operation_id = "getDetails",
    tag = "v2",
    params(("name" = Option<Vec<UnitName>>, Query, description = "Name of a unit (can be repeated)")),
    responses(
        (status = 200, description = "Those that there are", body = Details),
        (status = 400, description = "The query is none")
    )
)]
pub(super) async fn details<S: Store>(
    State(api): State<Arc<Api<S>>>,
    query: QueryPairs,
) -> Result<Json<Details>, ApiError> {
    let names = names(query)?.unwrap_or_default();
    let units = api.view.read(move |scene| scene.details(&names)).await?;
    Ok(Json(Details { units }))
}

/// What is wrong in the cluster
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "getHealth",
    tag = "v2",
    responses(
        (status = 200, description = "What is wrong", body = Health)
    )
)]
pub(super) async fn health<S: Store>(
    State(api): State<Arc<Api<S>>>,
) -> Result<Json<Health>, ApiError> {
    let key = api.prefix.encode(&Key::Hold);
    Ok(Json(api.view.read(|scene| present::health(&scene.mirror, key)).await?))
}

/// All unit states and machines, as of one revision
#[utoipa::path(
    get,
    path = "/states",
    operation_id = "listAllStates",
    tag = "v2",
    responses(
        (status = 200, description = "All of them", body = StateList)
    )
)]
pub(super) async fn states<S: Store>(State(api): State<Arc<Api<S>>>) -> Result<Response, ApiError> {
    // A list of ten thousand takes one request, and no part of it is older than another.
    let key = api.prefix.encode(&Key::Hold);
    let body = api.view.read(|scene| present::state_list(&scene.mirror, key)).await?;
    Ok(match body {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        // Text and numbers always are JSON.
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    })
}

/// Changes many units; each change stands for itself
#[utoipa::path(
    post,
    path = "/units",
    operation_id = "changeUnits",
    tag = "v2",
    request_body(
        content = BatchRequest,
        example = json!({"units": [{"name": "hello.service", "desiredState": "launched"}]})
    ),
    responses(
        (status = 200, description = "What became of each", body = BatchReply),
        (status = 400, description = "The body is none"),
        (status = 413, description = "The body is too large, or has too many units"),
        (status = 415, description = "The body is said to be something else than JSON")
    )
)]
pub(super) async fn batch<S: Store>(
    State(api): State<Arc<Api<S>>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<BatchReply>, ApiError> {
    let request = decode_batch(&headers, body).await?;
    let names: Vec<_> = request.units.iter().map(|unit| unit.name.clone()).collect();
    let mut orders = Vec::new();
    let mut refused = Vec::new();
    for unit in request.units {
        match order(unit) {
            Ok(order) => {
                orders.push(order);
                refused.push(None);
            }
            Err(error) => refused.push(Some(error)),
        }
    }
    let mut carried_out = api.writer().many(orders).await?.into_iter();
    let outcomes = names.into_iter().zip(refused).map(|(name, refused)| {
        let outcome = match refused {
            Some(error) => Err(error),
            None => carried_out.next().unwrap_or(Err(ApiError::Contended)),
        };
        told(name, outcome)
    });
    Ok(Json(BatchReply { units: outcomes.collect() }))
}

pub(super) async fn decode_batch(
    headers: &HeaderMap,
    body: Body,
) -> Result<BatchRequest, ApiError> {
    let request: BatchRequest = body::decode(headers, body, MAX_BATCH).await?;
    match request.units.len() {
        count if count > MAX_UNITS => Err(ApiError::TooMany { count, most: MAX_UNITS }),
        _ => Ok(request),
    }
}

pub(super) fn order(unit: BatchUnit) -> Result<Order, ApiError> {
    let name: UnitName = unit.name.parse()?;
    if unit.delete {
        return Ok(Order::Delete(name));
    }
    let request = Request {
        name,
        contents: v1::contents(unit.options, unit.text)?,
        desired: unit.desired_state,
        raise_only: unit.raise_only,
        restart: unit.restart,
    };
    Ok(if unit.once { Order::Once(request) } else { Order::Put(request) })
}

fn told(name: String, outcome: Outcome) -> BatchOutcome {
    match outcome {
        Ok(written) => {
            let status =
                if written.is_created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
            BatchOutcome {
                name,
                status: status.as_u16(),
                message: None,
                uid: Some(written.uid),
                generation: Some(written.generation),
                warnings: written.warnings,
                kept: written.is_kept,
            }
        }
        Err(error) => BatchOutcome {
            name,
            status: error.status().as_u16(),
            message: Some(error.to_string()),
            ..BatchOutcome::default()
        },
    }
}

/// What becomes of units, as it happens
///
/// Lines of JSON: the first tells all that is known, each later one what has changed since. An
/// empty line says that the server is still there.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "followEvents",
    tag = "v2",
    params(("name" = Option<Vec<UnitName>>, Query, description = "Name of a unit (can be repeated)")),
    responses(
        (
            status = 200,
            description = "Updates, until somebody hangs up",
            body = Update,
            content_type = "application/x-ndjson"
        ),
        (status = 400, description = "The query is none")
    )
)]
pub(super) async fn events<S: Store>(
    State(api): State<Arc<Api<S>>>,
    query: QueryPairs,
) -> Result<Response, ApiError> {
    let names = names(query)?;
    let view = api.view.clone();
    let (id, woken) = view.read(move |scene| scene.follow(names)).await?;
    let following = Following { view, id, woken, is_first: true };
    let lines = stream::unfold(following, |mut following| async move {
        let line = following.next().await?;
        Some((Ok::<_, std::convert::Infallible>(line), following))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

struct Following {
    view: View,
    id: u64,
    woken: watch::Receiver<()>,
    is_first: bool,
}

impl Following {
    /// The next line; none once the view is closed.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match timeout(KEEP_ALIVE, self.woken.changed()).await {
                Err(_) => return Some(Bytes::from_static(b"\n")),
                Ok(Err(_)) => return None,
                Ok(Ok(())) => {}
            }
            let id = self.id;
            let taken = self.view.peek(move |scene| scene.take(id, Instant::now())).await;
            let update = taken.ok()??;
            let is_empty =
                update.units.is_empty() && update.gone.is_empty() && update.machines.is_none();
            if is_empty && !std::mem::take(&mut self.is_first) {
                continue;
            }
            self.is_first = false;
            let mut line = serde_json::to_vec(&update).ok()?;
            line.push(b'\n');
            return Some(line.into());
        }
    }
}

/// The units that a query names; none if it names none. What is no name is the name of no unit.
pub(super) fn names(query: QueryPairs) -> Result<Option<BTreeSet<UnitName>>, ApiError> {
    let pairs = v1::pairs(query)?;
    let named: Vec<_> = pairs.iter().filter(|(key, _)| key == "name").collect();
    if named.is_empty() {
        return Ok(None);
    }
    Ok(Some(named.into_iter().filter_map(|(_, name)| name.parse().ok()).collect()))
}
