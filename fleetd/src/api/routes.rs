//! What is served at which address, and the OpenAPI document of it. A route comes with its
//! description and in no other way, so what is served is described.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::MethodRouter;
use axum::{Json, Router};
use fleet_units::api::ErrorBody;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Content, Ref, RefOr, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Api, metadata, plan, v1, v2, why};
use crate::store::Store;

/// What the document says before it comes to addresses.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "fleet",
        description = "The API of fleetd. `/fleet/v1` is that of fleet 1.0 and served under \
                       `/v1-alpha`, too; `/fleet/v2` has what came since. Keys of request bodies \
                       may be in any case, `null` is a key that is not there, and unknown keys \
                       are ignored.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/", description = "The unix socket `/run/fleet.sock`, or a TCP socket")),
    components(schemas(ErrorBody))
)]
struct Introduction;

type Routes<S> = OpenApiRouter<Arc<Api<S>>>;

/// As fleet 1.0 had it.
fn version_1<S: Store>() -> Routes<S> {
    OpenApiRouter::new()
        .routes(routes!(v1::discovery))
        .route("/discovery", MethodRouter::new().fallback(v1::only_get))
        .routes(routes!(v1::machines, metadata::patch))
        .routes(routes!(v1::units))
        .routes(routes!(v1::unit, v1::put_unit, v1::delete_unit))
        .routes(routes!(v1::states))
        .routes(routes!(v1::state))
}

/// What came since.
fn version_2<S: Store>() -> Routes<S> {
    OpenApiRouter::new()
        .routes(routes!(v2::details, v2::batch))
        .routes(routes!(v2::states))
        .routes(routes!(v2::events))
        .routes(routes!(v2::health))
        .routes(routes!(why::why))
        .routes(routes!(plan::plan))
        .routes(routes!(document))
}

/// What is wanted most when nothing else is answered.
pub(super) fn ungated<S: Store>() -> Router<Arc<Api<S>>> {
    Router::from(figures())
}

fn figures<S: Store>() -> Routes<S> {
    OpenApiRouter::new().routes(routes!(super::figures))
}

/// All other routes, those that ask for the cluster.
pub(super) fn router<S: Store>() -> Router<Arc<Api<S>>> {
    let older = Router::new().nest("/v1-alpha", version_1().into());
    Router::from(described()).merge(older)
}

fn described<S: Store>() -> Routes<S> {
    let introduction = <Introduction as utoipa::OpenApi>::openapi();
    OpenApiRouter::with_openapi(introduction)
        .nest("/fleet/v1", version_1())
        .nest("/fleet/v2", version_2())
}

/// This document
///
/// It is generated from the code that serves the requests.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDocument",
    tag = "v2",
    responses((status = 200, description = "The document", body = serde_json::Value))
)]
async fn document<S: Store>(_: State<Arc<Api<S>>>) -> Json<utoipa::openapi::OpenApi> {
    Json(openapi::<S>())
}

/// Describes all routes. Made when somebody asks, as that is seldom.
pub(super) fn openapi<S: Store>() -> utoipa::openapi::OpenApi {
    let mut document = described::<S>().merge(figures()).into_openapi();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        complete(operation);
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// Adds what holds for every route: it may be answered that nothing can be said at the moment,
/// and whatever is wrong is told in the same envelope.
fn complete(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let always = [("500", "The store failed"), ("503", "The cluster cannot be reached")];
    for (status, description) in always {
        responses.insert(status.to_owned(), Response::new(description).into());
    }
    for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with(['4', '5'])) {
        if let RefOr::T(response) = response {
            let envelope = Content::new(Some(Ref::from_schema_name("ErrorBody")));
            response.content.insert("application/json".to_owned(), envelope.into());
        }
    }
}
