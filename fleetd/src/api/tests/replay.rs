//! Requests as the clients of 1.0 make them, and the responses that they get: `v1.replay` has both,
//! and is played twice, as 1.0 has two prefixes for the same.

use super::harness::Fixture;
use crate::api::Unavailable;

/// Read when the test runs, so that whoever edits it need not compile.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/tests/v1.replay");

const DISCOVERY: &str = include_str!("../discovery.json");

/// What the addresses in the file begin with.
const PREFIX: &str = "/fleet/v1";

/// Pages of the first server; `$ pages of N` starts another one.
const PAGE: u16 = 100;

#[tokio::test]
async fn recorded_requests_get_the_recorded_responses() {
    play(PREFIX).await;
}

#[tokio::test]
async fn the_older_prefix_is_served_in_the_same_way() {
    play("/v1-alpha").await;
}

async fn play(prefix: &str) {
    let recorded = std::fs::read_to_string(RECORDED).unwrap();
    let mut fixture = Fixture::new(PAGE);
    let mut different = Vec::new();
    for block in recorded.split("\n\n") {
        let lines = |sign: &str| -> Vec<&str> {
            block.lines().filter_map(|line| line.strip_prefix(sign)?.strip_prefix(' ')).collect()
        };
        for words in lines("$") {
            prepare(&mut fixture, words).await;
        }
        let (request, response) = (lines(">"), lines("<").join("\n"));
        let response = response.replace("@discovery.json", DISCOVERY.trim_end());
        let Some((line, rest)) = request.split_first() else { continue };
        let given = ask(&fixture, &line.replace(PREFIX, prefix), rest).await;
        // What is not there is told with its whole address.
        let given = given.replace(&format!("served at {prefix}"), &format!("served at {PREFIX}"));
        if given != response {
            different.push(format!("{block}\n--- but the response was\n{given}\n"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Brings the cluster about that the requests after this find.
async fn prepare(fixture: &mut Fixture, words: &str) {
    match *words.split(' ').collect::<Vec<_>>() {
        ["pages", "of", length] => *fixture = Fixture::new(length.parse().unwrap()),
        ["machine", id] => fixture.join(id, None, &[]).await,
        ["machine", id, address, metadata] => {
            let metadata = metadata.split_once('=').unwrap();
            fixture.join(id, Some(address), &[metadata]).await;
        }
        [unit, "runs", "on", machine] => fixture.run_unit(unit, machine).await,
        ["not", "registered"] => {
            drop(fixture.readiness.send_replace(Err(Unavailable::Pending)));
            fixture.warm_up().await;
        }
        _ => panic!("no such preparation: {words}"),
    }
}

/// Sends a request: header lines until one that is none, then the body.
async fn ask(fixture: &Fixture, line: &str, rest: &[&str]) -> String {
    let is_header =
        |line: &&&str| line.split(": ").next().is_some_and(is_token) && line.contains(": ");
    let headers: String =
        rest.iter().take_while(is_header).map(|line| format!("{line}\r\n")).collect();
    let body: Vec<_> = rest.iter().skip_while(is_header).copied().collect();
    written(&fixture.whole(line, &headers, body.join("\n").as_bytes()).await)
}

fn is_token(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// A response as the file has it: what each one has to have is checked, and left out.
fn written(response: &str) -> String {
    let mut lines = response.lines().filter(|line| !line.is_empty());
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let server = concat!("server: fleetd/", env!("CARGO_PKG_VERSION"));
    let lines: Vec<_> = lines.collect();
    assert!(lines.contains(&server), "{response}");
    let mut written = vec![status];
    written.extend(lines.into_iter().filter(|line| *line != server));
    written.join("\n")
}
