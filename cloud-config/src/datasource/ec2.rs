//! The metadata service of EC2, and of clouds that are like it.

use super::attempt::Absent;
use super::http::{Http, HttpError, HttpFault, Method};
use super::service::Service;
use super::{Asking, Found, Name, Reading, SourceError};

/// A session of six hours, which is the longest one.
const TOKEN_TTL: (&str, &str) = ("X-aws-ec2-metadata-token-ttl-seconds", "21600");

const TOKEN: &str = "X-aws-ec2-metadata-token";

/// The oldest version, which all have, and the newest one for those that know only that: what shows
/// that a version is there, and its name.
const VERSIONS: [(&str, &str); 3] = [
    ("2009-04-04/", "2009-04-04/"),
    ("2009-04-04/meta-data/", "2009-04-04/"),
    ("latest/meta-data/", "latest/"),
];

/// How the service wants to be asked.
struct Session {
    token: Option<String>,
    version: &'static str,
}

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    match read_session(asking) {
        // The token is no longer good, or was refused by a service that was not up yet.
        Err(SourceError::Http(error)) if error.fault == HttpFault::Status(401) => {
            read_session(asking)
        }
        reading => reading,
    }
}

fn read_session(asking: &Asking<'_>) -> Reading {
    let base = asking.base("http://169.254.169.254/");
    let http = &asking.http;
    let Some(session) = http.persist(Absent::MayCome, || begin(http, &base))? else {
        return Ok(None);
    };
    let token = session.token.as_deref().map(|token| (TOKEN, token));
    let headers: Vec<_> = token.into_iter().collect();
    let service = Service::new(asking, &base, &headers);
    let user_data = service.bytes(&format!("{}user-data", session.version))?;
    let mut found = Found::new(Name::Ec2).with_user_data(user_data);
    crawl(&service, session.version, &mut found)?;
    // The oldest version does not know of IPv6.
    let ipv6 = service.text("latest/meta-data/ipv6")?;
    found.metadata.public_ipv6 = found.address("ipv6", ipv6);
    Ok(Some(found))
}

/// Gets a token, if the service has any, and finds a version that it has.
fn begin(http: &Http<'_>, base: &str) -> Result<Option<Session>, HttpError> {
    let token = token(http, base)?;
    let headers: Vec<_> = token.iter().map(|token| (TOKEN, token.as_str())).collect();
    for (path, version) in VERSIONS {
        if http.once(Method::Get, &format!("{base}{path}"), &headers)?.is_some() {
            return Ok(Some(Session { token, version }));
        }
    }
    Ok(None)
}

/// A token; `None` if the service refuses, or leaves, the request: then it wants none.
fn token(http: &Http<'_>, base: &str) -> Result<Option<String>, HttpError> {
    let url = format!("{base}latest/api/token");
    match http.once(Method::Put, &url, &[TOKEN_TTL]) {
        Ok(Some(body)) => match String::from_utf8(body) {
            Ok(token) => Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty())),
            Err(_) => Err(HttpError::new(&url, HttpFault::NotText)),
        },
        Ok(None) => Ok(None),
        Err(error) => match error.fault {
            HttpFault::Status(400..=428 | 430..=499 | 501) | HttpFault::Silent => Ok(None),
            _ => Err(error),
        },
    }
}

/// Reads `meta-data` of a version.
pub(super) fn crawl(
    service: &Service<'_>,
    version: &str,
    found: &mut Found,
) -> Result<(), SourceError> {
    let text = |name: &str| service.text(&format!("{version}meta-data/{name}"));
    found.metadata.instance_id = text("instance-id")?;
    let hostname = match text("hostname")? {
        Some(hostname) => Some(hostname),
        None => text("local-hostname")?,
    };
    found.metadata.hostname =
        hostname.and_then(|names| names.split_whitespace().next().map(str::to_owned));
    found.metadata.private_ipv4 = found.address("local-ipv4", text("local-ipv4")?);
    found.metadata.public_ipv4 = found.address("public-ipv4", text("public-ipv4")?);
    let keys = service.keys(&format!("{version}meta-data/public-keys"))?;
    if keys.unknown > 0 {
        let unknown = keys.unknown;
        let lines = format!("{}: {unknown} lines of public-keys name no key", found.source);
        found.warnings.push(lines);
    }
    keys.texts.iter().for_each(|key| found.add_keys(key));
    Ok(())
}
