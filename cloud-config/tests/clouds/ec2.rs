//! Amazon EC2: instance metadata with session tokens (IMDSv2), and services like it without.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fixture::{ED25519, RSA, Tree};
use crate::host::{Host, ask, assert_names};
use crate::server::{Answer, Request, Server};

const TOKEN: &str = "AQAEAKd7Rwb4GmDQ8sYkIQnP0O5eVqU0fXq8bZyFyxE3tW4nZ1jLrQ==";

/// What becomes of requests without a token.
#[derive(Clone, Copy)]
pub(crate) enum Tokens {
    Required,
    Optional,
    /// As services have it that are only like EC2; the status is that of the request for a token.
    Unknown(u16),
}

pub(crate) fn tree() -> Tree {
    Tree::read("ec2")
}

/// The service of one instance; versions `2009-04-04` and `latest`.
pub(crate) fn cloud(tree: Tree, tokens: Tokens) -> impl FnMut(&Request) -> Answer + Send + 'static {
    move |request| match (request.method.as_str(), request.path.as_str(), tokens) {
        ("PUT", "/latest/api/token", Tokens::Unknown(status)) => Answer::page(status, "Error"),
        ("PUT", "/latest/api/token", _) => token(request),
        ("GET", path, _) if allowed(request, tokens) => below(&tree, path),
        ("GET", _, _) => Answer::page(401, "Unauthorized"),
        _ => Answer::page(405, "Method Not Allowed"),
    }
}

fn token(request: &Request) -> Answer {
    let seconds = request.header("x-aws-ec2-metadata-token-ttl-seconds").unwrap_or("");
    match seconds.parse::<u32>() {
        _ if request.header("x-forwarded-for").is_some() => Answer::page(403, "Forbidden"),
        Ok(1..=21600) => Answer::text(TOKEN).with("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", seconds),
        _ => Answer::page(400, "Bad Request"),
    }
}

fn allowed(request: &Request, tokens: Tokens) -> bool {
    match (request.header("x-aws-ec2-metadata-token"), tokens) {
        (Some(token), Tokens::Required | Tokens::Optional) => token == TOKEN,
        (None, Tokens::Required) => false,
        (_, Tokens::Optional | Tokens::Unknown(_)) => true,
    }
}

fn below(tree: &Tree, path: &str) -> Answer {
    let path = path.trim_end_matches('/');
    let versions = ["/2009-04-04", "/latest"];
    let Some(path) = versions.into_iter().find_map(|version| path.strip_prefix(version)) else {
        return Answer::page(404, "Not Found");
    };
    match path {
        // Only this list has names beside the numbers.
        "/meta-data/public-keys" if tree.get(path).is_some_and(|names| names.contains('/')) => {
            Answer::text("0=operations\n1=deploy")
        }
        _ => tree.answer(path),
    }
}

pub(crate) fn whole() -> Value {
    json!({
        "source": "ec2",
        "userData": "#cloud-config\nhostname: from-ec2",
        "metadata": {
            "instanceId": "i-0123456789abcdef0",
            "hostname": "ip-10-0-0-5.eu-west-1.compute.internal",
            "sshAuthorizedKeys": [format!("{RSA} operations"), format!("{ED25519} deploy")],
            "publicIpv4": "203.0.113.25",
            "privateIpv4": "10.0.0.5",
            "publicIpv6": null,
            "privateIpv6": null,
        },
    })
}

fn asked(tree: Tree, tokens: Tokens) -> Result<Value, String> {
    ask("ec2", &Server::start(cloud(tree, tokens)))
}

#[test]
fn an_instance_that_requires_tokens_is_read_with_one() {
    assert_eq!(asked(tree(), Tokens::Required), Ok(whole()));
}

#[test]
fn an_instance_that_knows_tokens_and_does_not_require_them_is_read() {
    assert_eq!(asked(tree(), Tokens::Optional), Ok(whole()));
}

#[test]
fn a_service_without_tokens_is_read_without() {
    for status in [403, 404, 405] {
        assert_eq!(asked(tree(), Tokens::Unknown(status)), Ok(whole()), "{status}");
    }
}

#[test]
fn a_service_that_takes_the_request_for_a_token_as_a_get_is_read() {
    let mut cloud = cloud(tree(), Tokens::Unknown(404));
    let server = Server::start(move |request| match request.method.as_str() {
        "PUT" => Answer::text(""),
        _ => cloud(request),
    });

    assert_eq!(ask("ec2", &server), Ok(whole()));
}

#[test]
fn an_instance_without_user_data_keys_and_public_address_has_the_rest() {
    let tree = tree().without("user-data").without("meta-data/public-");
    let mut expected = whole();
    expected["userData"] = Value::Null;
    expected["metadata"]["sshAuthorizedKeys"] = json!([]);
    expected["metadata"]["publicIpv4"] = Value::Null;

    assert_eq!(asked(tree, Tokens::Required), Ok(expected));
}

#[test]
fn the_address_of_ipv6_is_a_public_one() {
    let mut cloud = cloud(tree(), Tokens::Required);
    let server = Server::start(move |request| match request.path.as_str() {
        "/latest/meta-data/ipv6" => Answer::text("2001:db8:8:4::2"),
        _ => cloud(request),
    });
    let mut expected = whole();
    expected["metadata"]["publicIpv6"] = "2001:db8:8:4::2".into();

    assert_eq!(ask("ec2", &server), Ok(expected));
}

#[test]
fn of_several_names_the_first_is_the_hostname() {
    let mut expected = whole();
    expected["metadata"]["hostname"] = "host".into();

    let tree = tree().with("meta-data/hostname", "host domain other");
    assert_eq!(asked(tree, Tokens::Required), Ok(expected));
}

#[test]
fn a_line_that_names_no_key_is_passed_over_and_told() {
    let mut cloud = cloud(tree(), Tokens::Required);
    let server = Server::start(move |request| match request.path.trim_end_matches('/') {
        "/2009-04-04/meta-data/public-keys" => Answer::text("0=operations\nbad\n1=deploy\n"),
        _ => cloud(request),
    });
    let url = server.url();

    let (found, told) = Host::new().warned(&["--datasource", "ec2", "--metadata-url", &url]);
    assert_eq!(found, whole());
    assert!(told.contains("ec2: 1 lines of public-keys name no key"), "{told}");
}

#[test]
fn packed_user_data_are_told_byte_for_byte() {
    let mut cloud = cloud(tree(), Tokens::Required);
    let packed = [0x1f, 0x8b, 0x08, 0x00, 0x00, 0xff, 0x0a, 0x0d];
    let server = Server::start(move |request| match request.path.as_str() {
        "/2009-04-04/user-data" => Answer::new(200, packed),
        _ => cloud(request),
    });
    let mut expected = whole();
    expected["userData"] = STANDARD.encode(packed).into();

    assert_eq!(ask("ec2", &server), Ok(expected));
}

#[test]
fn an_expired_token_is_asked_for_again() {
    let mut cloud = cloud(tree(), Tokens::Required);
    let mut refused = false;
    let server = Server::start(move |request| {
        if request.path.ends_with("local-ipv4") && !refused {
            refused = true;
            return Answer::page(401, "Unauthorized");
        }
        cloud(request)
    });

    assert_eq!(ask("ec2", &server), Ok(whole()));
}

#[test]
fn an_instance_that_may_not_be_read_is_an_error_and_not_asked_again() {
    let server = Server::start(|request| match request.method.as_str() {
        "PUT" => Answer::text(TOKEN),
        _ => Answer::page(403, "Forbidden"),
    });

    assert_names(ask("ec2", &server), &["2009-04-04", "403"]);
    assert_eq!(server.asked().len(), 2, "{:?}", server.asked());
}
