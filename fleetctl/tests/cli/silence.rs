//! Addresses where fleet is not.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::commands::all;
use crate::program::Fleetctl;
use crate::server::Script;

/// A page of each list, behind which the same comes.
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n\
    {\"machines\":[],\"states\":[],\"units\":[],\"nextPageToken\":\"ZAABAA==\"}";

/// What somebody who is not fleet does once it was asked.
#[derive(Clone, Copy)]
enum Manner {
    /// Says this and closes the connection.
    Says(&'static str),
    /// Says this and keeps the connection open.
    SaysAndStays(&'static str),
}

/// Lets somebody answer each connection; gives the endpoint.
fn somebody(manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            // A client that hangs up early is no concern of a stranger.
            thread::spawn(move || behave(stream, manner).ok());
        }
    });
    format!("http://127.0.0.1:{port}")
}

/// An endpoint that never answers.
pub(crate) fn mute() -> String {
    somebody(Manner::SaysAndStays(""))
}

fn behave(mut stream: TcpStream, manner: Manner) -> std::io::Result<()> {
    let mut head = [0; 4096];
    let _read = stream.read(&mut head)?;
    match manner {
        Manner::Says(answer) => stream.write_all(answer.as_bytes()),
        Manner::SaysAndStays(answer) => {
            stream.write_all(answer.as_bytes())?;
            stream.read_to_end(&mut Vec::new()).map(|_| ())
        }
    }
}

/// Runs in a directory with a unit; a command that does not end fails the test.
fn run(endpoint: &str, patience: &str, words: &[&str]) -> String {
    let flags = ["--endpoint", endpoint, "--request-timeout", patience];
    let words = [&flags, words].concat();
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.service"), "[Service]\nExecStart=/bin/a\n").unwrap();
    let fleetctl = Fleetctl::new(&words).in_directory(directory.path());
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(fleetctl.run().to_string()).unwrap());
    let ended = end.recv_timeout(Duration::from_secs(30));
    let ended = ended.unwrap_or_else(|_| panic!("{words:?} does not end"));
    ended.replace(endpoint, "ENDPOINT")
}

/// The commands that ask fleet, each with the words that it needs.
fn asking() -> Vec<Vec<String>> {
    let needs_none = ["completion", "fd-forward", "help", "verify", "version"];
    let asking = all().into_iter().filter(|command| !needs_none.contains(&command.as_str()));
    let words = |command: String| {
        if command.starts_with("list-") { vec![command] } else { vec![command, "a".to_owned()] }
    };
    asking.map(words).collect()
}

/// What all commands say at an endpoint: each end, below the commands that end so.
fn told(endpoint: &str, patience: &'static str) -> String {
    let runs = asking().into_iter().map(|words| {
        let endpoint = endpoint.to_owned();
        let command = words[0].clone();
        let words =
            move || run(&endpoint, patience, &words.iter().map(String::as_str).collect::<Vec<_>>());
        (command, thread::spawn(words))
    });
    let mut ends: Vec<(String, Vec<String>)> = Vec::new();
    for (command, running) in runs.collect::<Vec<_>>() {
        let ended = running.join().unwrap();
        match ends.iter_mut().find(|(end, _)| *end == ended) {
            Some((_, commands)) => commands.push(command),
            None => ends.push((ended, vec![command])),
        }
    }
    let ends = ends.iter().map(|(end, commands)| format!("$ {}\n{end}\n", commands.join(", ")));
    ends.collect()
}

#[test]
fn somebody_who_hangs_up_on_tls_may_want_to_be_spoken_to_without() {
    let endpoint = somebody(Manner::Says("")).replace("http:", "https:");
    let words = ["--endpoint", &endpoint, "--request-timeout=30", "list-units"];
    let ended = Fleetctl::new(&words).run().to_string().replace(&endpoint, "ENDPOINT");
    assert_eq!(
        ended,
        "! Error retrieving list of units from repository: cannot connect to fleet at ENDPOINT: it \
         hung up when TLS began; write http://HOST:PORT if it speaks none\nexit 1"
    );
}

#[test]
fn each_kind_of_stranger_is_one_sentence_with_the_address_and_exit_1() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let says = |answer| somebody(Manner::Says(answer));
    let stays = |answer| somebody(Manner::SaysAndStays(answer));
    let strangers = [
        ("no socket", "unix:///nonexistent/fleet.sock".to_owned()),
        ("a file", format!("unix://{}", file.path().display())),
        ("nobody", "http://127.0.0.1:1".to_owned()),
        ("no host", "http://nonexistent.invalid:1".to_owned()),
        ("a web page", says("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")),
        ("another service", says("HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found")),
        (
            "another API",
            says("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"status\":\"healthy\"}"),
        ),
        ("a list", says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")),
        ("nothing", says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
        ("elsewhere", says("HTTP/1.1 301 Moved\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n")),
        ("a proxy", says("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 11\r\n\r\nBad Gateway")),
        ("no HTTP", says("SSH-2.0-OpenSSH_9.2\r\n")),
        ("TLS", says("\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{16}")),
        ("hangs up", says("")),
        ("hangs up in a body", says("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{")),
        ("the same page for ever", says(PAGE)),
        ("keeps silent", stays("")),
        ("keeps silent in a head", stays("HTTP/1.1 200 OK\r\nContent-Le")),
        ("keeps silent in a body", stays("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{")),
        ("keeps silent in a refusal", stays("HTTP/1.1 500 No\r\nContent-Length: 13\r\n\r\n{")),
    ];
    for (kind, endpoint) in strangers {
        // A busy machine may take its time for those who say something.
        let mute = ["nothing", "hangs up in a body"].contains(&kind);
        let patience = if mute || kind.starts_with("keeps silent") { "0.3" } else { "25" };
        insta::assert_snapshot!(kind.replace(' ', "-"), told(&endpoint, patience));
    }
}

#[test]
fn a_fleet_that_cannot_answer_says_why() {
    let body = r#"{"error":{"code":503,"message":"fleet server unable to communicate with etcd"}}"#;
    let server = Script::new().on("GET /fleet/v1/machines", 503, body).serve();
    assert_eq!(
        Fleetctl::at(&server, &["list-machines"]).run().to_string(),
        "! Error retrieving list of active machines from fleet API: fleet server unable to communicate with etcd\nexit 1"
    );
}

#[test]
fn requests_are_told_on_demand() {
    let server = Script::new().on("GET /fleet/v1/machines", 200, "{}").serve();
    let words = ["--debug", "list-machines", "--no-legend"];
    insta::assert_snapshot!(Fleetctl::at(&server, &words).run().to_string(), @r#"
    ! DEBUG HTTP GET http://domain-sock/fleet/v1/machines
    ! DEBUG HTTP GET http://domain-sock/fleet/v1/machines 200 OK
    ! DEBUG HTTP GET http://domain-sock/fleet/v2/health
    ! DEBUG HTTP GET http://domain-sock/fleet/v2/health 404 Not Found
    exit 0
    "#);
}

#[test]
fn requests_over_tls_are_told_as_such() {
    let endpoint = somebody(Manner::Says("")).replace("http:", "https:");
    let words = ["--endpoint", &endpoint, "--request-timeout=30", "--debug", "list-machines"];
    let told = Fleetctl::new(&words).run().err();
    assert_eq!(
        told.lines().next(),
        Some(format!("DEBUG HTTP GET {endpoint}/fleet/v1/machines").as_str())
    );
}
