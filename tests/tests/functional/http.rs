//! Requests to the API of a host, as people make them with curl.

use std::collections::BTreeMap;

use fleet_tests::Host;
use serde_json::{Value, json};

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        Self { status, headers: headers.collect(), body: body.trim_end().to_owned() }
    }

    /// The request was answered with this status, in JSON.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// The request was refused with this status and this sentence, in 1.0's envelope.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, message: &str) {
        let expected = json!({"error": {"code": status, "message": message}});
        assert_eq!(self.json(status), expected);
    }
}

/// Asks the API of a host for what is at `path`.
#[track_caller]
pub(crate) fn get(host: &Host, path: &str) -> Answer {
    request(host, "GET", path, &[], "")
}

/// Sends JSON to the API of a host.
#[track_caller]
pub(crate) fn send(host: &Host, method: &str, path: &str, body: &Value) -> Answer {
    let json = ["--header", "Content-Type: application/json", "--data-binary", "@-"];
    request(host, method, path, &json, &body.to_string())
}

#[track_caller]
fn request(host: &Host, method: &str, path: &str, more: &[&str], body: &str) -> Answer {
    let url = format!("http://fleet{path}");
    let curl = ["curl", "--silent", "--show-error", "--include", "--unix-socket"];
    let line = [&curl[..], &["/run/fleet.sock", "--request", method, &url], more].concat();
    let output = host.output(line, body.as_bytes()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Answer::parse(&text)
}
