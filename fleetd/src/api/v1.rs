//! Version 1 of the API, on the wire as in fleet 1.0.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use fleet_units::api::{self, MachinePage, PageToken, UnitPage, UnitState, UnitStatePage};
use fleet_units::{ParseError, UnitFile, UnitName, UnitOption};

use super::change::{Contents, Request};
use super::error::{ApiError, MAX_BODY};
use super::write::Order;
use super::{Api, body, present};
use crate::store::Store;

pub(super) type QueryPairs = Result<Query<Vec<(String, String)>>, QueryRejection>;
type Name = Result<Path<String>, PathRejection>;
type Answer<T> = Result<Json<T>, ApiError>;

const PAGE_TOKEN: &str = "nextPageToken";

/// What 1.0's own client, and Google's tools, are generated from.
const DISCOVERY: &str = include_str!("discovery.json");

/// The Google API discovery document of version 1
#[utoipa::path(
    get,
    path = "/discovery",
    operation_id = "getDiscovery",
    tag = "v1",
    responses(
        (status = 200, description = "The document", body = serde_json::Value)
    )
)]
pub(super) async fn discovery() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], DISCOVERY)
}

pub(super) async fn only_get() -> ApiError {
    ApiError::OnlyGet
}

/// A page of the machines that are present, by id
#[utoipa::path(
    get,
    path = "/machines",
    operation_id = "listMachines",
    tag = "v1",
    params(
        ("nextPageToken" = Option<PageToken>, Query, description = "Which page; none for the first")
    ),
    responses(
        (status = 200, description = "A page", body = MachinePage),
        (status = 400, description = "The page token is none of this server")
    )
)]
pub(super) async fn machines<S: Store>(
    State(api): State<Arc<Api<S>>>,
    query: QueryPairs,
) -> Answer<MachinePage> {
    let token = page(&pairs(query)?, api.token_limit.get())?;
    let machines = api.view.read(|scene| present::machines(&scene.mirror)).await?;
    let (machines, next) = token.slice(&machines);
    Ok(Json(MachinePage { machines: machines.to_vec(), next_page_token: next.map(encode) }))
}

/// A page of the units, by name
#[utoipa::path(
    get,
    path = "/units",
    operation_id = "listUnits",
    tag = "v1",
    params(
        ("nextPageToken" = Option<PageToken>, Query, description = "Which page; none for the first")
    ),
    responses(
        (status = 200, description = "A page", body = UnitPage),
        (status = 400, description = "The page token is none of this server")
    )
)]
pub(super) async fn units<S: Store>(
    State(api): State<Arc<Api<S>>>,
    query: QueryPairs,
) -> Answer<UnitPage> {
    let token = page(&pairs(query)?, api.token_limit.get())?;
    let look = move |mirror: &crate::registry::mirror::Mirror| {
        let names: Vec<_> = mirror.units.keys().collect();
        let (names, next) = token.slice(&names);
        let units = names.iter().filter_map(|name| present::unit(mirror, name)).collect();
        UnitPage { units, next_page_token: next.map(encode) }
    };
    Ok(Json(api.view.read(move |scene| look(&scene.mirror)).await?))
}

/// A unit, with its text
#[utoipa::path(
    get,
    path = "/units/{name}",
    operation_id = "getUnit",
    tag = "v1",
    params(("name" = UnitName, Path, description = "Name of the unit")),
    responses(
        (status = 200, description = "The unit", body = api::Unit),
        (status = 400, description = "The name is no text"),
        (status = 404, description = "There is no such unit")
    )
)]
pub(super) async fn unit<S: Store>(
    State(api): State<Arc<Api<S>>>,
    name: Name,
) -> Answer<api::Unit> {
    // A text that is no name is the name of no unit.
    let Ok(name) = text(name)?.parse::<UnitName>() else { return Err(ApiError::NoUnit) };
    let unit = api.view.read(move |scene| present::whole_unit(&scene.mirror, &name)).await?;
    unit.map(Json).ok_or(ApiError::NoUnit)
}

/// Makes or replaces a unit, or sets its desired state
///
/// Other contents than the stored ones replace the unit, and its state with `desiredState`; with
/// the same contents or none, `desiredState` has to be given.
#[utoipa::path(
    put,
    path = "/units/{name}",
    operation_id = "putUnit",
    tag = "v1",
    params(("name" = UnitName, Path, description = "Name of the unit")),
    request_body(
        content = api::Unit,
        example = json!({
            "desiredState": "launched",
            "options": [{"section": "Service", "name": "ExecStart", "value": "/bin/sleep 100"}]
        })
    ),
    responses(
        (status = 201, description = "The unit is new or has new contents", links(
            ("again" = (operation_id = "putUnit", parameters(("name" = "$request.path.name")))),
            ("unit" = (operation_id = "getUnit", parameters(("name" = "$request.path.name")))),
            ("state" = (operation_id = "getState", parameters(("name" = "$request.path.name")))),
            ("end" = (operation_id = "deleteUnit", parameters(("name" = "$request.path.name"))))
        )),
        (status = 204, description = "The unit has the desired state"),
        (status = 400, description = "The name, the contents or the body is none"),
        (status = 409, description = "There is nothing to make a unit of, or nothing to change"),
        (status = 413, description = "The unit is too large"),
        (status = 415, description = "The body is said to be something else than JSON")
    )
)]
pub(super) async fn put_unit<S: Store>(
    State(api): State<Arc<Api<S>>>,
    name: Name,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let url = text(name)?;
    let unit: api::Unit = body::decode(&headers, body, MAX_BODY).await?;
    if !unit.name.is_empty() && unit.name != url {
        return Err(ApiError::NameDiffers { url, body: unit.name });
    }
    let request = Request {
        name: url.parse()?,
        contents: contents(unit.options, unit.text)?,
        desired: unit.desired_state,
        raise_only: false,
        restart: false,
    };
    let written = api.writer().one(Order::Put(request)).await?;
    Ok(if written.is_created { StatusCode::CREATED } else { StatusCode::NO_CONTENT })
}

/// Destroys a unit
#[utoipa::path(
    delete,
    path = "/units/{name}",
    operation_id = "deleteUnit",
    tag = "v1",
    params(("name" = UnitName, Path, description = "Name of the unit")),
    responses(
        (status = 204, description = "It is destroyed"),
        (status = 400, description = "The name is no text"),
        (status = 404, description = "There is no such unit"),
        (status = 409, description = "Others change it all the time")
    )
)]
pub(super) async fn delete_unit<S: Store>(
    State(api): State<Arc<Api<S>>>,
    name: Name,
) -> Result<StatusCode, ApiError> {
    let Ok(name) = text(name)?.parse::<UnitName>() else { return Err(ApiError::NoUnit) };
    api.writer().one(Order::Delete(name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A page of unit states, by unit and machine
#[utoipa::path(
    get,
    path = "/state",
    operation_id = "listStates",
    tag = "v1",
    params(
        ("nextPageToken" = Option<PageToken>, Query, description = "Which page; none for the first"),
        ("machineID" = Option<String>, Query, description = "Only states on this machine"),
        ("unitName" = Option<UnitName>, Query, description = "Only states of this unit")
    ),
    responses(
        (status = 200, description = "A page", body = UnitStatePage),
        (status = 400, description = "The page token is none of this server")
    )
)]
pub(super) async fn states<S: Store>(
    State(api): State<Arc<Api<S>>>,
    query: QueryPairs,
) -> Answer<UnitStatePage> {
    let pairs = pairs(query)?;
    let token = page(&pairs, api.token_limit.get())?;
    let look = move |mirror: &crate::registry::mirror::Mirror| {
        let (machine, unit) = (value(&pairs, "machineID"), value(&pairs, "unitName"));
        let reports = present::reports(mirror, machine, unit);
        let (reports, next) = token.slice(&reports);
        let states = reports.iter().map(present::Report::unit_state).collect();
        UnitStatePage { states, next_page_token: next.map(encode) }
    };
    Ok(Json(api.view.read(move |scene| look(&scene.mirror)).await?))
}

/// The state of a unit on the first of its machines
#[utoipa::path(
    get,
    path = "/state/{name}",
    operation_id = "getState",
    tag = "v1",
    params(("name" = UnitName, Path, description = "Name of the unit")),
    responses(
        (status = 200, description = "The state", body = UnitState),
        (status = 400, description = "The name is no text"),
        (status = 404, description = "No machine reports of such a unit")
    )
)]
pub(super) async fn state<S: Store>(
    State(api): State<Arc<Api<S>>>,
    name: Name,
) -> Answer<UnitState> {
    let name = text(name)?;
    let first = api.view.read(move |scene| {
        let reports = present::reports(&scene.mirror, None, Some(&name));
        reports.first().map(present::Report::unit_state)
    });
    first.await?.map(Json).ok_or(ApiError::NoState)
}

/// The contents that a request brings. Text that does not say what the options say is not
/// believed: 1.0's tools know the options only.
pub(super) fn contents(
    options: Vec<UnitOption>,
    text: Option<String>,
) -> Result<Option<Contents>, ParseError> {
    if options.is_empty() {
        let file = text.map(|text| UnitFile::parse(&text)).transpose()?;
        return Ok(file.filter(|file| !file.options().is_empty()).map(Contents::Text));
    }
    let rendered = UnitFile::from_options(options)?;
    let written = text.and_then(|text| UnitFile::parse(&text).ok());
    Ok(Some(match written.filter(|written| written.hash() == rendered.hash()) {
        Some(written) => Contents::Text(written),
        None => Contents::Options(rendered),
    }))
}

fn text(name: Name) -> Result<String, ApiError> {
    name.map(|Path(name)| name).map_err(|_| ApiError::Address)
}

pub(super) fn pairs(query: QueryPairs) -> Result<Vec<(String, String)>, ApiError> {
    query.map(|Query(pairs)| pairs).map_err(|_| ApiError::Query)
}

/// The value of a filter; an empty one filters nothing.
fn value<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let pair = pairs.iter().find(|(name, _)| name == key);
    pair.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

fn page(pairs: &[(String, String)], limit: u16) -> Result<PageToken, ApiError> {
    let tokens: Vec<_> = pairs.iter().filter(|(name, _)| name == PAGE_TOKEN).collect();
    match tokens[..] {
        [] => Ok(PageToken::first(limit)),
        [(_, token)] => {
            let token = PageToken::decode(token)?;
            token.check(limit)?;
            Ok(token)
        }
        _ => Err(ApiError::Tokens),
    }
}

fn encode(token: PageToken) -> String {
    token.encode()
}
