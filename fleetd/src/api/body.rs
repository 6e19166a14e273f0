//! Bodies of requests: JSON, of a bounded size, whose keys may be in any case.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::error::ApiError;

/// Read and thrown away beyond the limit: a client that is cut off while it writes never reads why.
const DRAINED: usize = 16 * 1024 * 1024;

/// A client that sends nothing for so long has gone away.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a body as JSON.
pub(super) async fn decode<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<T, ApiError> {
    check_content_type(headers)?;
    read_json(body, limit).await
}

/// Reads a body as JSON, whatever the headers say.
pub(super) async fn read_json<T: DeserializeOwned>(
    body: Body,
    limit: usize,
) -> Result<T, ApiError> {
    let bytes = read(body, limit).await?;
    fleet_units::api::from_json(&bytes).map_err(ApiError::Body)
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let types: Vec<_> = headers.get_all(header::CONTENT_TYPE).iter().collect();
    let [media_type] = types[..] else { return Err(ApiError::ContentTypes(types.len())) };
    let media_type = media_type.to_str().unwrap_or_default();
    let essence = media_type.split_once(';').map_or(media_type, |(essence, _)| essence);
    if essence.trim().eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(ApiError::ContentType)
    }
}

async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let mut seen = 0_usize;
    while let Some(frame) = timeout(PATIENCE, body.frame()).await.map_err(|_| ApiError::Slow)? {
        let frame = frame.map_err(ApiError::Broken)?;
        let Some(part) = frame.data_ref() else { continue };
        seen = seen.saturating_add(part.len());
        if seen <= limit {
            bytes.extend_from_slice(part);
        } else if seen > DRAINED {
            break;
        }
    }
    if seen > limit { Err(ApiError::TooLarge(limit)) } else { Ok(bytes) }
}
