//! A metadata server that answers as a test says.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// An answer to a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Status 200 with a body.
    Body(Vec<u8>),
    /// A status and a header.
    Status(u16, &'static str),
    /// Bytes, and then the connection stays open.
    Stall(&'static str),
    /// Bytes as they are.
    Raw(Vec<u8>),
}

/// A status without a header.
pub(super) fn status(code: u16) -> Reply {
    Reply::Status(code, "X-Nothing: 1")
}

/// Status 200 with a body.
pub(super) fn body(text: &str) -> Reply {
    Reply::Body(text.as_bytes().to_vec())
}

/// What is asked, such as `GET /latest/ X-Token: one`, and the answers in turn; the last one
/// stays.
type Script = BTreeMap<String, Vec<Reply>>;

/// A server on loopback. What is not in its script is answered with 404.
#[derive(Debug)]
pub(super) struct TestServer {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestServer {
    /// Serves a script; requests are known by method, path and the headers named in `headers`.
    pub(super) fn start(headers: &'static [&'static str], script: &[(&str, &[Reply])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let mut script: Script =
            script.iter().map(|(key, replies)| ((*key).to_owned(), replies.to_vec())).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        // It ends with the process of the tests.
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let Some(request) = request(&stream, headers) else { continue };
                let replies = script.get_mut(&request);
                log.lock().unwrap().push(request);
                let reply = match replies {
                    Some(replies) if replies.len() > 1 => replies.remove(0),
                    Some(replies) => replies[0].clone(),
                    None => status(404),
                };
                silent.extend(answer(stream, &reply));
            }
        });
        Self { url, asked }
    }

    /// Serves bodies.
    pub(super) fn of_bodies(bodies: &[(&str, &str)]) -> Self {
        let script: Vec<(String, [Reply; 1])> =
            bodies.iter().map(|(path, text)| (format!("GET /{path}"), [body(text)])).collect();
        let script: Vec<(&str, &[Reply])> =
            script.iter().map(|(key, replies)| (key.as_str(), replies.as_slice())).collect();
        Self::start(&[], &script)
    }

    /// What was asked until now.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn request(stream: &TcpStream, headers: &[&str]) -> Option<String> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut key = first.rsplit_once(' ')?.0.to_owned();
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        if let Some(header) = headers.iter().find(|header| header.eq_ignore_ascii_case(name)) {
            key = format!("{key} {header}: {value}");
        }
    }
    Some(key)
}

/// Answers; gives the connection back if it stays open.
fn answer(mut stream: TcpStream, reply: &Reply) -> Option<TcpStream> {
    let head = |code: u16, header: &str, length: usize| {
        format!(
            "HTTP/1.1 {code} Status\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )
    };
    let bytes = match reply {
        Reply::Body(body) => [head(200, "X-Nothing: 1", body.len()).as_bytes(), body].concat(),
        Reply::Status(code, header) => head(*code, header, 0).into_bytes(),
        Reply::Raw(bytes) => bytes.clone(),
        Reply::Stall(bytes) => bytes.as_bytes().to_vec(),
    };
    // A client that had enough hangs up.
    stream.write_all(&bytes).ok();
    matches!(reply, Reply::Stall(_)).then_some(stream)
}
