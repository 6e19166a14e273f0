//! Azure: the directory of its agent, and a metadata service that knows its versions.

use serde_json::{Value, json};

use crate::fixture::{ED25519, RSA, file};
use crate::host::{Host, assert_names};
use crate::server::{Answer, Request, Server};

/// Some of the versions that the service has; it refuses others.
const VERSIONS: [&str; 12] = [
    "2017-08-01",
    "2018-10-01",
    "2019-03-11",
    "2019-06-01",
    "2019-11-01",
    "2020-06-01",
    "2020-09-01",
    "2021-01-01",
    "2021-02-01",
    "2021-05-01",
    "2021-12-13",
    "2023-07-01",
];

/// Before this one nobody could have user data.
const USER_DATA: &str = "2021-01-01";

pub(crate) fn instance() -> Value {
    serde_json::from_str(&file("azure/instance.json")).unwrap()
}

pub(crate) fn cloud(instance: Value) -> impl FnMut(&Request) -> Answer + Send + 'static {
    move |request| answer(&instance, request).with("Server", "IMDS/150.870.65.1853")
}

fn answer(instance: &Value, request: &Request) -> Answer {
    if request.header("metadata") != Some("true") || request.header("x-forwarded-for").is_some() {
        return refuse(400, "Bad request. Required metadata header not specified");
    }
    let Some(path) = request.path.strip_prefix("/metadata/instance") else {
        return refuse(404, "Not found");
    };
    let Some(version) = request.query.get("api-version").filter(|it| known(it)) else {
        return refuse(400, "Bad request. api-version is invalid or was not specified");
    };
    let mut instance = instance.clone();
    if version.as_str() < USER_DATA {
        instance["compute"].as_object_mut().unwrap().remove("userData");
    }
    let pointer = path.trim_end_matches('/');
    match (instance.pointer(pointer), request.query.get("format").map(String::as_str)) {
        (Some(Value::String(text)), Some("text")) => Answer::text(text.clone()),
        (Some(value), None | Some("json")) if !value.is_string() => Answer::json(value.to_string()),
        _ => refuse(404, "Not found"),
    }
}

fn known(version: &str) -> bool {
    VERSIONS.contains(&version)
}

fn refuse(status: u16, why: &str) -> Answer {
    let body = json!({ "error": why, "newest-versions": ["2021-12-13", "2023-07-01"] });
    Answer::new(status, body.to_string()).with("Content-Type", "application/json; charset=utf-8")
}

pub(crate) fn whole() -> Value {
    json!({
        "source": "azure",
        "userData": "#cloud-config\nhostname: from-azure\n",
        "metadata": {
            "instanceId": "02aab8a4-74ef-476e-8182-f6d2ba4166a6",
            "hostname": "web-1-host",
            "sshAuthorizedKeys": [format!("{RSA} operations")],
            "publicIpv4": "203.0.113.132",
            "privateIpv4": "10.144.133.132",
            "publicIpv6": null,
            "privateIpv6": null,
        },
    })
}

/// A host whose agent did its work, with what it left.
fn provisioned(files: &[&str]) -> Host {
    let host = Host::new().with("var/lib/waagent/provisioned", "");
    files.iter().fold(host, |host, name| {
        host.with(&format!("var/lib/waagent/{name}"), file(&format!("azure/{name}")))
    })
}

fn nothing() -> Server {
    Server::start(|_| refuse(404, "Not found"))
}

#[test]
fn an_instance_without_agent_is_read_from_the_service() {
    let server = Server::start(cloud(instance()));

    assert_eq!(Host::new().ask("azure", &server), Ok(whole()));
}

#[test]
fn an_instance_without_user_data_public_address_and_keys_has_the_rest() {
    let mut instance = instance();
    instance["compute"]["userData"] = "".into();
    instance["compute"]["publicKeys"] = json!([]);
    instance["network"]["interface"][0]["ipv4"]["ipAddress"][0]["publicIpAddress"] = "".into();
    let mut expected = whole();
    expected["userData"] = Value::Null;
    expected["metadata"]["sshAuthorizedKeys"] = json!([]);
    expected["metadata"]["publicIpv4"] = Value::Null;

    assert_eq!(Host::new().ask("azure", &Server::start(cloud(instance))), Ok(expected));
}

#[test]
fn custom_data_of_the_agent_goes_before_user_data_of_the_service() {
    let custom = "#cloud-config\nhostname: from-custom-data\n";
    let host = provisioned(&[]).with("var/lib/waagent/CustomData", custom);
    let mut expected = whole();
    expected["userData"] = custom.into();

    assert_eq!(host.ask("azure", &Server::start(cloud(instance()))), Ok(expected));
}

#[test]
fn custom_data_of_the_agent_goes_before_that_of_the_ovf_environment() {
    let custom = "#cloud-config\nhostname: from-custom-data\n";
    let host = provisioned(&["ovf-env.xml"]).with("var/lib/waagent/CustomData", custom);

    let found = host.ask("azure", &Server::start(cloud(instance()))).unwrap();
    assert_eq!(found["userData"], custom);
}

#[test]
fn what_the_agent_left_is_enough_without_the_service() {
    let host = provisioned(&["ovf-env.xml", "SharedConfig.xml"]);
    let expected = json!({
        "source": "azure",
        "userData": "#cloud-config\nhostname: from-ovf\n",
        "metadata": {
            "instanceId": null,
            "hostname": "from-agent",
            "sshAuthorizedKeys": [format!("{ED25519} deploy")],
            "publicIpv4": "191.239.39.77",
            "privateIpv4": "100.73.202.64",
            "publicIpv6": null,
            "privateIpv6": null,
        },
    });

    let server = nothing();
    let url = server.url();
    let args = ["--datasource", "azure", "--metadata-url", &url];
    assert_eq!(host.within("1", &args), Ok(expected));
}

#[test]
fn a_service_that_is_updated_for_a_moment_is_asked_again() {
    let mut cloud = cloud(instance());
    let mut gone = 2;
    let server = Server::start(move |request| {
        if gone > 0 {
            gone -= 1;
            return refuse(410, "Gone");
        }
        cloud(request)
    });

    assert_eq!(Host::new().ask("azure", &server), Ok(whole()));
}

#[test]
fn an_ovf_environment_that_is_cut_off_is_an_error() {
    let whole = file("azure/ovf-env.xml");
    let host = provisioned(&[]).with("var/lib/waagent/ovf-env.xml", &whole[..whole.len() / 2]);

    assert_names(host.ask("azure", &nothing()), &["var/lib/waagent/ovf-env.xml"]);
}
