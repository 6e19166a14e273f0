//! The HTTP API: version 1 as fleet 1.0 spoke it, and what came since beside it under
//! `/fleet/v2`. Reads look at a view of the registry; writes compare revisions in the store. It
//! knows nothing of engine and agent: what they do shows in the registry.

use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::error;

mod body;
mod change;
mod error;
mod listen;
mod metadata;
mod once;
mod plan;
mod present;
mod routes;
mod scene;
#[cfg(test)]
mod tests;
mod tls;
mod v1;
mod v2;
mod view;
mod why;
mod write;

pub use error::{ApiError, Unavailable};
pub use listen::{ListenError, Listener, TcpAccess};
pub use tls::{Tls, TlsError, TlsFiles};

use crate::metrics::{self, Metrics};
use crate::registry::key::KeyPrefix;
use crate::store::Store;

/// Tells clients and people what answers.
const SERVER: &str = concat!("fleetd/", env!("CARGO_PKG_VERSION"));

/// How long after the start of fleetd requests wait for the machine to be registered: a request is
/// often what has started it. Clients wait a second longer.
const WARM_UP: Duration = Duration::from_secs(2);

/// What the API needs to know.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// What all keys of this cluster begin with.
    pub prefix: KeyPrefix,
    /// Entries in one page.
    pub token_limit: NonZeroU16,
    /// Figures to tell whoever asks.
    pub metrics: Arc<Metrics>,
}

/// Whether requests are served: none while this machine is not registered.
pub type Readiness = watch::Receiver<Result<(), Unavailable>>;

/// Opens the sockets to serve on: those that systemd passed in, else one of our own at `path`.
///
/// # Errors
///
/// If any of them cannot be used, or lets in more people than `tcp` allows.
pub fn listen(path: &Path, tcp: TcpAccess) -> Result<Vec<Listener>, ListenError> {
    listen::open(path, tcp)
}

/// How requests come in.
#[derive(Debug)]
pub struct Doors {
    /// The sockets.
    pub listeners: Vec<Listener>,
    /// Certificates for the TCP sockets among them; without any they speak no TLS.
    pub tls: Option<watch::Receiver<Tls>>,
}

/// Serves on all sockets until it is told to stop. Its tasks run on the tracker; they end once
/// the requests under way are answered.
pub fn serve<S: Store>(
    settings: ApiSettings,
    store: S,
    readiness: Readiness,
    doors: Doors,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) {
    let (view, viewer) = view::View::new(store.clone(), settings.prefix.clone());
    tracker.spawn(viewer.run(stop.clone()));
    let ApiSettings { prefix, token_limit, metrics } = settings;
    let warm = Instant::now() + WARM_UP;
    let rehearsing = Arc::new(Semaphore::new(1));
    let api =
        Arc::new(Api { prefix, token_limit, store, view, readiness, warm, metrics, rehearsing });
    let Doors { listeners, tls } = doors;
    for listener in listeners {
        let routes = router(Arc::clone(&api));
        match (listener, &tls) {
            (Listener::Unix(listener), _) => attend(listener, routes, tracker, stop),
            (Listener::Tcp(listener), None) => {
                let listener = listener.tap_io(|stream| listen::keep_alive(stream));
                attend(listener, routes, tracker, stop);
            }
            (Listener::Tcp(listener), Some(tls)) => {
                let listener = tls::TlsListener::new(listener, tls.clone(), tracker, stop);
                attend(listener, routes, tracker, stop);
            }
        }
    }
}

fn attend<L>(listener: L, routes: Router, tracker: &TaskTracker, stop: &CancellationToken)
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
{
    let stopped = stop.clone().cancelled_owned();
    tracker.spawn(async move {
        if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(stopped).await {
            error!(%error, "Stopped serving on a socket");
        }
    });
}

/// What all handlers share.
#[derive(Debug)]
struct Api<S> {
    prefix: KeyPrefix,
    token_limit: NonZeroU16,
    store: S,
    view: view::View,
    readiness: Readiness,
    /// When requests stop waiting for the readiness.
    warm: Instant,
    metrics: Arc<Metrics>,
    /// One permit: for the rehearsal under way.
    rehearsing: Arc<Semaphore>,
}

impl<S: Store> Api<S> {
    /// Says whether a request is served, as soon as that is known or `warm` has come.
    async fn admit(&self) -> Result<(), Unavailable> {
        let mut readiness = self.readiness.clone();
        let known = readiness.wait_for(|now| *now != Err(Unavailable::Pending));
        let _late_or_stopping = timeout_at(self.warm, known).await.is_err();
        self.readiness.borrow().clone()
    }

    fn writer(&self) -> write::Writer<S> {
        let (store, prefix, view) = (self.store.clone(), self.prefix.clone(), self.view.clone());
        write::Writer { store, prefix, view }
    }
}

fn router<S: Store>(api: Arc<Api<S>>) -> Router {
    let mut routes = routes::router();
    for address in ["/", "/fleet/v1", "/v1-alpha"] {
        routes = routes.route(address, axum::routing::any(no_method));
    }
    routes
        .fallback(not_found)
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&api), gate))
        .merge(routes::ungated())
        .method_not_allowed_fallback(no_method)
        .layer(middleware::map_response(sign))
        .with_state(api)
}

async fn not_found(uri: Uri) -> ApiError {
    ApiError::NotFound(uri.path().to_owned())
}

/// Figures of this fleetd, for Prometheus
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "getMetrics",
    tag = "metrics",
    responses((
        status = 200,
        description = "The figures",
        body = String,
        content_type = "application/openmetrics-text"
    ))
)]
async fn figures<S: Store>(State(api): State<Arc<Api<S>>>) -> Response {
    match api.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            error!(%error, "Metrics cannot be told");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn no_method(method: Method) -> ApiError {
    ApiError::Method(method.to_string())
}

/// Lets requests through while there is somebody to answer for the cluster.
async fn gate<S: Store>(State(api): State<Arc<Api<S>>>, request: Request, next: Next) -> Response {
    match api.admit().await {
        Ok(()) => next.run(request).await,
        Err(unavailable) => ApiError::Unavailable(unavailable).into_response(),
    }
}

/// Says who answers.
async fn sign(mut response: Response) -> Response {
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static(SERVER));
    response
}
