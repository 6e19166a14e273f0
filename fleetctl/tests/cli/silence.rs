//! Addresses where fleet is not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use crate::program::Fleetctl;
use crate::server::Script;

/// Answers each connection with the same bytes, or never; gives the endpoint.
fn somebody(answer: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            match answer {
                Some(answer) => {
                    let mut head = [0; 4096];
                    let _read = stream.read(&mut head).unwrap();
                    stream.write_all(answer.as_bytes()).unwrap();
                }
                None => {
                    thread::spawn(move || stream.read_to_end(&mut Vec::new()).ok());
                }
            }
        }
    });
    format!("http://127.0.0.1:{port}")
}

fn run(endpoint: &str, words: &[&str]) -> String {
    let words = [&["--endpoint", endpoint, "--request-timeout=0.3"], words].concat();
    Fleetctl::new(&words).run().to_string().replace(endpoint, "ENDPOINT")
}

#[test]
fn each_kind_of_stranger_is_one_sentence_with_the_address_and_exit_1() {
    const HTML: &str = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>";
    const GONE: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found";
    let strangers = [
        ("no socket", "unix:///nonexistent/fleet.sock".to_owned()),
        ("nobody", "http://127.0.0.1:1".to_owned()),
        ("a web page", somebody(Some(HTML))),
        ("another service", somebody(Some(GONE))),
        ("no HTTP", somebody(Some("SSH-2.0-OpenSSH_9.2\r\n"))),
        ("hangs up", somebody(Some(""))),
        ("keeps silent", somebody(None)),
    ];
    let told = strangers.map(|(kind, endpoint)| {
        let commands: [&[&str]; 2] = [&["list-units"], &["stop", "a"]];
        let told = commands.map(|words| run(&endpoint, words)).join("\n");
        format!("{kind}:\n{told}")
    });
    insta::assert_snapshot!(told.join("\n"), @r#"
    no socket:
    ! Error retrieving list of units from repository: cannot connect to fleet at ENDPOINT: there is no such socket; does fleetd run on this machine? (--endpoint names another)
    exit 1
    ! Error: cannot connect to fleet at ENDPOINT: there is no such socket; does fleetd run on this machine? (--endpoint names another)
    exit 1
    nobody:
    ! Error retrieving list of units from repository: cannot connect to fleet at ENDPOINT: nobody listens there; does fleetd run?
    exit 1
    ! Error: cannot connect to fleet at ENDPOINT: nobody listens there; does fleetd run?
    exit 1
    a web page:
    ! Error retrieving list of units from repository: ENDPOINT does not answer as fleet does: an HTML page
    exit 1
    ! Error: ENDPOINT does not answer as fleet does: an HTML page
    exit 1
    another service:
    ! Error retrieving list of units from repository: ENDPOINT does not answer as fleet does: status 404 and a body that is not JSON
    exit 1
    ! Error: ENDPOINT does not answer as fleet does: status 404 and a body that is not JSON
    exit 1
    no HTTP:
    ! Error retrieving list of units from repository: ENDPOINT does not answer as fleet does: it speaks no HTTP
    exit 1
    ! Error: ENDPOINT does not answer as fleet does: it speaks no HTTP
    exit 1
    hangs up:
    ! Error retrieving list of units from repository: the connection to fleet at ENDPOINT broke: it was closed before the answer was complete
    exit 1
    ! Error: the connection to fleet at ENDPOINT broke: it was closed before the answer was complete
    exit 1
    keeps silent:
    ! Error retrieving list of units from repository: no answer from fleet at ENDPOINT within 0.3 s
    exit 1
    ! Error: no answer from fleet at ENDPOINT within 0.3 s
    exit 1
    "#);
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
