//! A scripted server on a socket of its own, in place of fleetd.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use tempfile::TempDir;

/// What the server says.
#[derive(Default)]
pub(crate) struct Script {
    /// Status and body, by method and path; one with a query goes before one without.
    answers: BTreeMap<String, (u16, String)>,
    /// Lines of the stream of changes: those of the beginning, and those after the first write.
    events: Option<(Vec<String>, Vec<String>)>,
    hangs_up: bool,
    /// What answers after the first PUT or DELETE, after the second and so on.
    later: Vec<Self>,
    /// Bodies that come one after the other, by path; the last comes again and again.
    in_turn: BTreeMap<String, Vec<String>>,
    /// What has to have been asked for before the later lines come; else it is a write.
    cue: Option<String>,
}

impl Script {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Answers `METHOD PATH` with a status and a body.
    pub(crate) fn on(mut self, request: &str, status: u16, body: &str) -> Self {
        self.answers.insert(request.to_owned(), (status, body.to_owned()));
        self
    }

    /// Answers `METHOD PATH` with another body each time, until the last.
    pub(crate) fn in_turn(mut self, request: &str, bodies: &[&str]) -> Self {
        let bodies = bodies.iter().map(ToString::to_string).collect();
        self.in_turn.insert(request.to_owned(), bodies);
        self
    }

    /// Streams the later lines once this was asked for, not once something was written.
    pub(crate) fn after(self, request: &str) -> Self {
        Self { cue: Some(request.to_owned()), ..self }
    }

    /// Streams some lines at once, and others once something was written.
    pub(crate) fn events(mut self, first: &[&str], later: &[&str]) -> Self {
        let owned = |lines: &[&str]| lines.iter().map(ToString::to_string).collect();
        self.events = Some((owned(first), owned(later)));
        self
    }

    /// Answers as it is recorded before the first session, and then in one session: requests
    /// behind `> `, statuses and bodies behind `< `. What is not asked again after a write is as
    /// it was before.
    pub(crate) fn recorded(recording: &str, session: &str) -> Self {
        let mut sessions = recording.split("\n= ");
        let common = sessions.next().unwrap();
        let session = sessions.find_map(|text| text.strip_prefix(session)?.strip_prefix('\n'));
        let mut phases = vec![BTreeMap::new()];
        for exchange in common.split("\n\n").chain(session.unwrap_or_default().split("\n\n")) {
            let mut said = exchange.lines().filter_map(|line| line.strip_prefix("< "));
            let Some(request) = exchange.lines().find_map(|line| line.strip_prefix("> ")) else {
                continue;
            };
            let status = said.next().unwrap().parse().unwrap();
            let phase = phases.last_mut().unwrap();
            phase.insert(request.to_owned(), (status, said.next().unwrap_or_default().to_owned()));
            if !request.starts_with("GET ") {
                let before = phase.clone();
                phases.push(before);
            }
        }
        let mut scripts = phases.into_iter().map(|answers| Self { answers, ..Self::default() });
        let first = scripts.next().unwrap();
        scripts.fold(first, Self::then)
    }

    /// Closes each connection after an answer, without having said so.
    pub(crate) fn hanging_up(self) -> Self {
        Self { hangs_up: true, ..self }
    }

    /// Answers as another script does after one more PUT or DELETE.
    pub(crate) fn then(mut self, next: Self) -> Self {
        self.later.push(next);
        self
    }

    pub(crate) fn serve(self) -> Server {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let state = Arc::new(State { script: self, ..State::default() });
        let serving = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, state) = (stream.unwrap(), Arc::clone(&serving));
                // A client that hangs up early is no concern of the script.
                thread::spawn(move || state.converse(&stream).ok());
            }
        });
        Server { path, state, _directory: directory }
    }
}

/// A server that runs for as long as the test.
pub(crate) struct Server {
    path: PathBuf,
    state: Arc<State>,
    _directory: TempDir,
}

impl Server {
    pub(crate) fn endpoint(&self) -> String {
        format!("unix://{}", self.path.display())
    }

    /// What was asked to be written: method, path and body.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.state.writes.lock().unwrap().clone()
    }

    /// How many connections were made, and what was asked over all of them: method and path.
    pub(crate) fn requests(&self) -> (usize, Vec<String>) {
        self.state.requests.lock().unwrap().clone()
    }
}

#[derive(Default)]
struct State {
    script: Script,
    writes: Mutex<Vec<String>>,
    requests: Mutex<(usize, Vec<String>)>,
    asked: Condvar,
    written: Condvar,
}

impl State {
    /// Answers the requests of a connection.
    fn converse(&self, stream: &UnixStream) -> std::io::Result<()> {
        self.requests.lock().unwrap().0 += 1;
        while let Some(request) = request(stream)? {
            self.answer(stream, request)?;
            if self.script.hangs_up {
                break;
            }
        }
        Ok(())
    }

    fn answer(
        &self,
        mut stream: &UnixStream,
        (method, path, body): (String, String, Vec<u8>),
    ) -> std::io::Result<()> {
        let asked = self.ask(&format!("{method} {path}"));
        let bare = path.split('?').next().unwrap_or_default();
        if let (true, Some((first, later))) = (bare == "/fleet/v2/events", &self.script.events) {
            return self.stream(stream, first, later);
        }
        let puts = |write: &&String| write.starts_with("PUT ") || write.starts_with("DELETE ");
        let puts = self.writes.lock().unwrap().iter().filter(puts).count();
        if method != "GET" {
            let text = String::from_utf8_lossy(&body);
            self.writes
                .lock()
                .unwrap()
                .push(format!("{method} {path} {text}").trim_end().to_owned());
            self.written.notify_all();
        }
        let nothing = (404, r#"{"error":{"code":404,"message":"nothing here"}}"#.to_owned());
        let phases = std::iter::once(&self.script).chain(&self.script.later);
        let answers = &phases.take(puts + 1).last().unwrap_or(&self.script).answers;
        let exact = answers.get(&format!("{method} {path}"));
        let answer = exact.or_else(|| answers.get(&format!("{method} {bare}")));
        let (status, body) = answer.unwrap_or(&nothing);
        let turns = self.script.in_turn.get(&format!("{method} {bare}"));
        let turn = turns.and_then(|turns| turns.get(asked - 1).or(turns.last()));
        let (status, body) = turn.map_or((status, body), |body| (&200, body));
        write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// Notes a request, and says how often it has been made.
    fn ask(&self, request: &str) -> usize {
        let mut requests = self.requests.lock().unwrap();
        requests.1.push(request.to_owned());
        self.asked.notify_all();
        requests.1.iter().filter(|earlier| *earlier == request).count()
    }

    fn await_cue(&self) {
        if let Some(cue) = &self.script.cue {
            let mut requests = self.requests.lock().unwrap();
            while !requests.1.contains(cue) {
                requests = self.asked.wait(requests).unwrap();
            }
            return;
        }
        let mut writes = self.writes.lock().unwrap();
        while writes.is_empty() {
            writes = self.written.wait(writes).unwrap();
        }
    }

    fn stream(
        &self,
        mut stream: &UnixStream,
        first: &[String],
        later: &[String],
    ) -> std::io::Result<()> {
        write!(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        for line in first {
            chunk(stream, line)?;
        }
        self.await_cue();
        for line in later {
            chunk(stream, line)?;
        }
        // The stream stays open: the client is to know by itself when it has seen enough.
        stream.read_to_end(&mut Vec::new()).map(|_| ())
    }
}

/// Sends a line in two pieces, as networks may.
fn chunk(mut stream: &UnixStream, line: &str) -> std::io::Result<()> {
    let (start, end) = line.split_at(line.len() / 2);
    // An empty piece would end the stream.
    for piece in [start, &format!("{end}\n")].into_iter().filter(|piece| !piece.is_empty()) {
        write!(stream, "{:x}\r\n{piece}\r\n", piece.len())?;
    }
    stream.flush()
}

fn request(stream: &UnixStream) -> std::io::Result<Option<(String, String, Vec<u8>)>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((method, path, body)))
}
