//! Requests and their answers, over whatever stream the endpoint is. A connection whose answer was
//! read stays open for the next request: a list of many pages takes one.

use std::cell::RefCell;
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

impl Streaming {
    /// Reads the answer to its end, for as long as the patience lasts.
    pub(super) async fn rest(
        self,
        endpoint: &Endpoint,
        patience: Duration,
    ) -> Result<Answer, ClientError> {
        let Self { status, body, _driver } = self;
        within(endpoint, patience, async {
            let body = body.collect().await;
            let body = body.map_err(|error| ClientError::exchange(endpoint, &error))?;
            Ok(Answer { status, body: body.to_bytes() })
        })
        .await
    }
}

/// A request, all but its address.
#[derive(Debug)]
pub(super) struct Asking {
    /// The method.
    pub(super) method: Method,
    /// Path and query, percent-encoded.
    pub(super) path: String,
    /// A JSON body.
    pub(super) body: Option<Bytes>,
    /// How long the whole exchange may take; of a stream, its first answer.
    pub(super) patience: Duration,
}

/// Connections that wait for the next request.
#[derive(Debug, Default)]
pub(super) struct Idle(RefCell<Vec<Connection>>);

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Moves bytes for as long as this lives.
    driver: JoinSet<()>,
}

impl Idle {
    /// Asks and reads the whole answer.
    pub(super) async fn exchange(
        &self,
        endpoint: &Endpoint,
        asking: &Asking,
    ) -> Result<Answer, ClientError> {
        within(endpoint, asking.patience, async {
            if let Some(answer) = self.exchange_on_open(endpoint, asking).await {
                return Ok(answer);
            }
            let mut connection = connect(endpoint).await?;
            let answer = connection.exchange(endpoint, asking).await?;
            self.keep(connection);
            Ok(answer)
        })
        .await
    }

    /// Asks over connections that are open already. They may be closed at any time by the other
    /// side, so what changes nothing may be asked again, and only that is asked here.
    async fn exchange_on_open(&self, endpoint: &Endpoint, asking: &Asking) -> Option<Answer> {
        if asking.method != Method::GET {
            return None;
        }
        let mut connection = self.0.borrow_mut().pop()?;
        connection.sender.ready().await.ok()?;
        let answer = connection.exchange(endpoint, asking).await.ok()?;
        self.keep(connection);
        Some(answer)
    }

    fn keep(&self, connection: Connection) {
        if !connection.sender.is_closed() {
            self.0.borrow_mut().push(connection);
        }
    }
}

impl Connection {
    async fn exchange(
        &mut self,
        endpoint: &Endpoint,
        asking: &Asking,
    ) -> Result<Answer, ClientError> {
        let broken = |error: hyper::Error| ClientError::exchange(endpoint, &error);
        let answer = self.sender.send_request(request(endpoint, asking)?).await.map_err(broken)?;
        let (head, body) = answer.into_parts();
        Ok(Answer { status: head.status, body: body.collect().await.map_err(broken)?.to_bytes() })
    }
}

/// Asks, over a connection of its own, and hands back the answer as soon as its head is there.
pub(super) async fn stream(endpoint: &Endpoint, asking: &Asking) -> Result<Streaming, ClientError> {
    within(endpoint, asking.patience, async {
        let Connection { mut sender, driver } = connect(endpoint).await?;
        let answer = sender.send_request(request(endpoint, asking)?).await;
        let (head, body) =
            answer.map_err(|error| ClientError::exchange(endpoint, &error))?.into_parts();
        Ok(Streaming { status: head.status, body, _driver: driver })
    })
    .await
}

async fn within<T>(
    endpoint: &Endpoint,
    patience: Duration,
    exchange: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    let silent = || ClientError::Silent { endpoint: endpoint.clone(), after: patience };
    timeout(patience, exchange).await.unwrap_or_else(|_| Err(silent()))
}

async fn connect(endpoint: &Endpoint) -> Result<Connection, ClientError> {
    match endpoint {
        Endpoint::Unix(path) => handshake(endpoint, UnixStream::connect(path).await).await,
        Endpoint::Tcp { host, port } => handshake(endpoint, reach(host, *port).await).await,
        Endpoint::Tls { host, port, files } => {
            let secured = async { files.secure(host, reach(host, *port).await?).await };
            handshake(endpoint, secured.await).await
        }
        Endpoint::Piped(pipe) => match pipe.far.as_ref() {
            Endpoint::Tls { host, files, .. } => {
                let secured = async { files.secure(host, pipe.connect()?).await };
                handshake(endpoint, secured.await).await
            }
            Endpoint::Unix(_) | Endpoint::Tcp { .. } | Endpoint::Piped(_) => {
                handshake(endpoint, pipe.connect()).await
            }
        },
    }
}

async fn reach(host: &str, port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((host, port)).await?;
    // A request is one small packet; waiting for more only delays it.
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

async fn handshake<S>(
    endpoint: &Endpoint,
    connected: io::Result<S>,
) -> Result<Connection, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(connected.map_err(|error| ClientError::connect(endpoint, error))?);
    let (sender, connection) =
        http1::handshake(io).await.map_err(|error| ClientError::exchange(endpoint, &error))?;
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        // What goes wrong here, the request or the body that waits for it tells as well.
        connection.await.ok();
    });
    Ok(Connection { sender, driver })
}

fn request(endpoint: &Endpoint, asking: &Asking) -> Result<Request<Full<Bytes>>, ClientError> {
    let request = Request::builder()
        .method(&asking.method)
        .uri(&asking.path)
        .header(header::HOST, endpoint.authority())
        .header(header::USER_AGENT, concat!("fleetctl/", env!("CARGO_PKG_VERSION")));
    let request = match &asking.body {
        Some(body) => {
            request.header(header::CONTENT_TYPE, "application/json").body(Full::new(body.clone()))
        }
        None => request.body(Full::default()),
    };
    request.map_err(|error| ClientError::unaskable(endpoint, &error))
}
