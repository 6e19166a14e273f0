//! An HTTP server on loopback that answers each request with what a function says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::iter;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What a client asked, names of headers in lower case.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim_end().is_empty() {
                break;
            }
            lines.push(line.trim_end().to_owned());
        }
        let request = Self::parse(&lines)?;
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        reader.read_exact(&mut vec![0; length]).ok()?;
        Some(request)
    }

    fn parse(lines: &[String]) -> Option<Self> {
        let (first, rest) = lines.split_first()?;
        let mut words = first.split(' ');
        let method = words.next()?.to_owned();
        let (path, query) =
            words.next().map(|target| target.split_once('?').unwrap_or((target, "")))?;
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let headers = rest.iter().filter_map(|line| line.split_once(':'));
        Some(Self {
            method,
            path: path.to_owned(),
            query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            headers: headers
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect(),
        })
    }
}

/// Stands for a connection that is closed without an answer.
const SILENCE: u16 = 0;

/// What a server says.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn text(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body).with("Content-Type", "text/plain")
    }

    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, body).with("Content-Type", "application/json; charset=utf-8")
    }

    /// None at all: the connection is closed.
    pub(crate) fn silence() -> Self {
        Self::new(SILENCE, "")
    }

    /// A page for people, as most services have for an error.
    pub(crate) fn page(status: u16, title: &str) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html><head><title>{status} - {title}</title></head>\
             <body><h1>{status} - {title}</h1></body></html>\n"
        );
        Self::new(status, body).with("Content-Type", "text/html")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In pieces of a few bytes, as a server sends what it does not know the length of.
    pub(crate) fn chunked(mut self) -> Self {
        let pieces = self
            .body
            .chunks(7)
            .map(|piece| [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat());
        self.body = pieces.chain([b"0\r\n\r\n".to_vec()]).flatten().collect();
        self.with("Transfer-Encoding", "chunked")
    }

    fn write(&self, mut stream: &TcpStream) {
        if self.status == SILENCE {
            return;
        }
        let first = format!("HTTP/1.1 {} {}", self.status, reason(self.status));
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}"));
        let is_chunked = self.headers.iter().any(|(name, _)| name == "Transfer-Encoding");
        let length = (!is_chunked).then(|| format!("Content-Length: {}", self.body.len()));
        let lines = iter::once(first).chain(headers).chain(length);
        let lines = lines.chain(["Connection: close".to_owned()]);
        let head = lines.collect::<Vec<_>>().join("\r\n") + "\r\n\r\n";
        // A client may have gone.
        drop(stream.write_all(&[head.as_bytes(), &self.body].concat()));
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        other => panic!("no reason is known for status {other}"),
    }
}

/// A server that answers until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(answer: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let serve = {
            let (asked, stop) = (Arc::clone(&asked), Arc::clone(&stop));
            move || serve(&listener, &asked, &stop, answer)
        };
        Self { address, asked, stop, thread: Some(thread::spawn(serve)) }
    }

    /// The root of the service, as for `--metadata-url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Each request so far: method, path and status of the answer.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn serve(
    listener: &TcpListener,
    asked: &Mutex<Vec<String>>,
    stop: &AtomicBool,
    mut answer: impl FnMut(&Request) -> Answer,
) {
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        if let Some(request) = Request::read(&stream) {
            let answer = answer(&request);
            let line = format!("{} {} {}", request.method, request.path, answer.status);
            asked.lock().unwrap().push(line);
            answer.write(&stream);
        }
    }
}
