//! Servers that do not do what they should.

use std::time::Duration;

use super::super::attempt::{Absent, Patience};
use super::super::http::{Http, HttpError, Method, without_secrets};
use super::server::{Reply, TestServer, body, status};
use crate::clock::TestClock;

const TOTAL: Duration = Duration::from_secs(60);

fn http(clock: &TestClock) -> Http<'_> {
    Http::new(clock, TOTAL, Duration::from_secs(10), Patience::Wait)
}

/// What is at a URL, asked as often as is worth it.
fn get(http: &Http<'_>, url: &str) -> Result<Option<Vec<u8>>, HttpError> {
    http.persist(Absent::Stays, || http.once(Method::Get, url, &[]))
}

/// What is told of a server that gives one answer, without its address.
fn told(reply: Reply) -> Result<Option<Vec<u8>>, String> {
    let clock = TestClock::default();
    // Only a server that stalls is waited for until the end.
    let limit = match reply {
        Reply::Stall(_) => Duration::from_millis(200),
        _ => Duration::from_secs(10),
    };
    let server = TestServer::start(&[], &[("GET /x?key=secret", &[reply])]);
    let http = Http::new(&clock, TOTAL, limit, Patience::Once);
    let got = get(&http, &format!("{}x?key=secret", server.url));
    got.map_err(|error| error.to_string().replace(&server.url, "/"))
}

fn raw(text: &str) -> Reply {
    Reply::Raw(text.as_bytes().to_vec())
}

#[test]
fn a_server_that_comes_up_late_is_waited_for() {
    let replies = [status(404), status(503), status(500), status(429), body("yes")];
    let server = TestServer::start(&[], &[("GET /", &replies)]);
    let clock = TestClock::default();
    let http = http(&clock);

    let got = http.persist(Absent::MayCome, || http.once(Method::Get, &server.url, &[]));

    assert_eq!(got, Ok(Some(b"yes".to_vec())));
    assert_eq!(
        clock.slept().iter().map(Duration::as_millis).collect::<Vec<_>>(),
        [100, 200, 400, 800]
    );
}

#[test]
fn a_server_that_wants_a_wait_gets_it() {
    let replies = [Reply::Status(429, "Retry-After: 7"), body("yes")];
    let server = TestServer::start(&[], &[("GET /", &replies)]);
    let clock = TestClock::default();

    let got = get(&http(&clock), &server.url);

    assert_eq!((got, clock.slept()), (Ok(Some(b"yes".to_vec())), vec![Duration::from_secs(7)]));
}

#[test]
fn a_server_that_stays_broken_is_told_at_the_deadline() {
    let server = TestServer::start(&[], &[("GET /", &[status(503)])]);
    let clock = TestClock::default();

    let told = get(&http(&clock), &server.url).unwrap_err().to_string();

    let times = clock.slept().len() + 1;
    assert_eq!(told, format!("{} answers with status 503 (tried {times} times)", server.url));
    let slept: Duration = clock.slept().iter().sum();
    assert!(slept > TOTAL - Duration::from_secs(6) && slept < TOTAL, "{slept:?}");
}

#[test]
fn what_a_server_said_counts_more_than_that_time_ran_out() {
    for (first, expected) in [(status(404), None), (status(503), Some("503 (tried 2 times)"))] {
        let server = TestServer::start(&[], &[("GET /", &[first, Reply::Stall("")])]);
        let clock = TestClock::default();
        let http = Http::new(&clock, Duration::from_millis(250), TOTAL, Patience::Wait);

        let got = http.persist(Absent::MayCome, || http.once(Method::Get, &server.url, &[]));

        let expected = expected
            .map_or(Ok(None), |told| Err(format!("{} answers with status {told}", server.url)));
        assert_eq!(got.map_err(|error| error.to_string()), expected);
        assert_eq!(server.asked().len(), 2);
    }
}

#[test]
fn a_refusal_is_not_asked_again() {
    for code in [400, 401, 403, 410, 418, 501] {
        let server = TestServer::start(&[], &[("GET /", &[status(code)])]);
        let clock = TestClock::default();

        let told = get(&http(&clock), &server.url).unwrap_err().to_string();

        assert_eq!(told, format!("{} answers with status {code}", server.url));
        assert_eq!(server.asked().len(), 1, "{code}");
    }
}

#[test]
fn what_is_wrong_is_told_in_words() {
    let told = |reply| told(reply).unwrap_err();

    for start in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n#cloud"] {
        assert_eq!(told(Reply::Stall(start)), "/x does not answer in time", "{start}");
    }
    assert_eq!(
        told(Reply::Status(302, "Location: /x?key=secret")),
        "/x redirects more than 5 times"
    );
    for page in ["<!DOCTYPE html>\n<p>", " \n<HTML>", "\u{feff}<html lang=en>"] {
        assert_eq!(
            told(body(page)),
            "/x answers with a web page (HTML), not with data: is that the right server?"
        );
    }
    let large = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(10_000_001));
    assert_eq!(told(raw(&large)), "/x answers with more than 10 MB");
    let begins = "/x answers with something that is not HTTP: ";
    let not_http = told(raw("220 mail.example ESMTP\r\n\r\n"));
    assert!(not_http.starts_with(begins), "{not_http}");
}

#[test]
fn an_answer_that_ends_early_is_no_answer() {
    let told =
        told(raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n#cloud-config\n")).unwrap_err();

    assert!(told.starts_with("/x cannot be reached: "), "{told}");
}

#[test]
fn a_server_that_hangs_up_is_asked_again() {
    for start in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n#cloud"] {
        let replies = [raw(start), body("yes")];
        let server = TestServer::start(&[], &[("GET /", &replies)]);
        let clock = TestClock::default();

        assert_eq!(get(&http(&clock), &server.url), Ok(Some(b"yes".to_vec())), "{start}");
    }
}

#[test]
fn ten_megabytes_are_not_too_many() {
    let large = Reply::Body(vec![b'x'; 10_000_000]);

    assert_eq!(told(large).map(|body| body.map(|body| body.len())), Ok(Some(10_000_000)));
}

#[test]
fn a_server_that_nobody_runs_is_told() {
    let clock = TestClock::default();
    let http = Http::new(&clock, TOTAL, TOTAL, Patience::Once);
    // Nobody listens on a port that was just given back.
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };

    let told = get(&http, &url).unwrap_err().to_string();

    assert!(told.starts_with(&format!("{url} cannot be reached: ")), "{told}");
}

#[test]
fn what_is_no_url_is_told() {
    let clock = TestClock::default();
    for url in ["", "x", "file:///etc/shadow", "ftp://x/", "http:/x", "http://"] {
        let told = get(&http(&clock), url).unwrap_err().to_string();

        let expected = "is no URL: write http:// or https://, a host and a path";
        assert_eq!(told, format!("{url} {expected}"), "{url:?}");
    }
}

#[test]
fn nothing_is_asked_after_the_deadline() {
    let clock = TestClock::default();
    let http = Http::new(&clock, Duration::ZERO, TOTAL, Patience::Wait);

    let told = get(&http, "http://127.0.0.1:1/").unwrap_err().to_string();

    assert_eq!(told, "http://127.0.0.1:1/ was not asked: there was no time left");
}

#[test]
fn urls_are_told_without_passwords_and_queries() {
    for (url, told) in [
        ("http://jane:secret@x/a?token=secret", "http://x/a"),
        ("https://x/a@b#c", "https://x/a@b"),
        ("http://x?secret", "http://x"),
        ("x", "x"),
    ] {
        assert_eq!(without_secrets(url), told, "{url}");
    }
}
