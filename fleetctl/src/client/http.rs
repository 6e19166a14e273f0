//! One request on one connection, over whatever stream the endpoint is.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::endpoint::Endpoint;
use super::error::ClientError;

/// An answer whose body was read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: StatusCode,
    /// The body.
    pub(super) body: Bytes,
}

/// An answer whose body goes on.
#[derive(Debug)]
pub(super) struct Streaming {
    /// The status.
    pub(super) status: StatusCode,
    /// The body so far unread.
    pub(super) body: Incoming,
    /// Moves bytes between the body and the socket for as long as this lives.
    _driver: JoinSet<()>,
}

/// A request, all but its address.
#[derive(Debug)]
pub(super) struct Asking {
    /// The method.
    pub(super) method: Method,
    /// Path and query, percent-encoded.
    pub(super) path: String,
    /// A JSON body.
    pub(super) body: Option<Vec<u8>>,
    /// How long the whole exchange may take; of a stream, its first answer.
    pub(super) patience: Duration,
}

/// Asks and reads the whole answer.
pub(super) async fn exchange(endpoint: &Endpoint, asking: Asking) -> Result<Answer, ClientError> {
    let patience = asking.patience;
    let whole = async {
        let streaming = converse(endpoint, asking).await?;
        let body = streaming.body.collect().await;
        let body = body.map_err(|error| ClientError::exchange(endpoint, &error))?.to_bytes();
        Ok(Answer { status: streaming.status, body })
    };
    within(endpoint, patience, whole).await
}

/// Asks and hands back the answer as soon as its head is there.
pub(super) async fn stream(endpoint: &Endpoint, asking: Asking) -> Result<Streaming, ClientError> {
    within(endpoint, asking.patience, converse(endpoint, asking)).await
}

async fn within<T>(
    endpoint: &Endpoint,
    patience: Duration,
    exchange: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let silent = || ClientError::Silent { endpoint: endpoint.clone(), after: patience };
    timeout(patience, exchange).await.unwrap_or_else(|_| Err(silent()))
}

async fn converse(endpoint: &Endpoint, asking: Asking) -> Result<Streaming, ClientError> {
    let mut driver = JoinSet::new();
    let mut sender = match endpoint {
        Endpoint::Unix(path) => {
            let connected = UnixStream::connect(path).await;
            handshake(endpoint, connected, &mut driver).await?
        }
        Endpoint::Tcp { host, port } => {
            let connected = TcpStream::connect((host.as_str(), *port)).await;
            // A request is one small packet; waiting for more only delays it.
            let connected = connected.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
            handshake(endpoint, connected, &mut driver).await?
        }
        Endpoint::Piped(pipe) => handshake(endpoint, pipe.connect(), &mut driver).await?,
    };
    let request = request(endpoint, asking)?;
    let answer = sender.send_request(request).await;
    let (head, body) =
        answer.map_err(|error| ClientError::exchange(endpoint, &error))?.into_parts();
    Ok(Streaming { status: head.status, body, _driver: driver })
}

async fn handshake<S>(
    endpoint: &Endpoint,
    connected: io::Result<S>,
    driver: &mut JoinSet<()>,
) -> Result<SendRequest<Full<Bytes>>, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(connected.map_err(|error| ClientError::connect(endpoint, error))?);
    let (sender, connection) =
        http1::handshake(io).await.map_err(|error| ClientError::exchange(endpoint, &error))?;
    driver.spawn(async move {
        // What goes wrong here, the request or the body that waits for it tells as well.
        connection.await.ok();
    });
    Ok(sender)
}

fn request(endpoint: &Endpoint, asking: Asking) -> Result<Request<Full<Bytes>>, ClientError> {
    let request = Request::builder()
        .method(asking.method)
        .uri(asking.path)
        .header(header::HOST, endpoint.authority())
        .header(header::USER_AGENT, concat!("fleetctl/", env!("CARGO_PKG_VERSION")));
    let request = match asking.body {
        Some(body) => {
            request.header(header::CONTENT_TYPE, "application/json").body(Full::from(body))
        }
        None => request.body(Full::default()),
    };
    request.map_err(|error| ClientError::unaskable(endpoint, &error))
}
