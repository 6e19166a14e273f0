//! `cloud-config fetch`: what a datasource has.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use cloud_config::clock::SystemClock;
use cloud_config::datasource::{Found, Limits, Name, NotFound, Search, Stage, find, read};
use serde_json::{Value, json};

/// Flags of `fetch`.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// Ask only this datasource: file, cmdline, configdrive, nocloud, ec2, digitalocean,
    /// cloudstack, gce, openstack, azure, packet, vmware or vagrant
    #[arg(long, value_name = "NAME")]
    datasource: Option<Name>,
    /// Ask this server instead of the one that the cloud has
    #[arg(long, value_name = "URL", requires = "datasource")]
    metadata_url: Option<String>,
    /// Read this file or directory instead of the usual ones
    #[arg(long, value_name = "PATH", requires = "datasource")]
    path: Option<PathBuf>,
    /// Read the files of a host below this directory
    #[arg(long, value_name = "DIR", default_value = "/")]
    root: PathBuf,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    deadline: u64,
    /// Print JSON, user data in base64
    #[arg(long)]
    json: bool,
}

/// Asks the datasource, and says what it has.
pub(crate) fn run(args: &FetchArgs) -> Result<String, NotFound> {
    let clock = SystemClock::start();
    let search = Search {
        root: &args.root,
        path: args.path.as_deref(),
        url: args.metadata_url.as_deref(),
        clock: &clock,
        limits: Limits { total: Duration::from_secs(args.deadline), ..Limits::default() },
    };
    let found = match args.datasource {
        Some(name) => read(name, &search)?,
        None => find(&search, Stage::Network)?,
    };
    for warning in &found.warnings {
        // Nobody is left to tell if this fails.
        writeln!(std::io::stderr(), "Warning: {warning}").ok();
    }
    Ok(if args.json { format!("{}\n", json_of(&found)) } else { text_of(&found) })
}

fn json_of(found: &Found) -> Value {
    let metadata = &found.metadata;
    json!({
        "source": found.source.as_str(),
        "userData": found.user_data.as_ref().map(|bytes| STANDARD.encode(bytes)),
        "metadata": {
            "instanceId": metadata.instance_id,
            "hostname": metadata.hostname,
            "sshAuthorizedKeys": metadata.ssh_authorized_keys,
            "publicIpv4": metadata.public_ipv4,
            "privateIpv4": metadata.private_ipv4,
            "publicIpv6": metadata.public_ipv6,
            "privateIpv6": metadata.private_ipv6,
        },
    })
}

/// What was found, but not the user data: secrets may be in it.
fn text_of(found: &Found) -> String {
    let metadata = &found.metadata;
    let user_data = found.user_data.as_ref();
    let rows = [
        ("source", Some(found.source.to_string())),
        ("user data", user_data.map(|bytes| format!("{} bytes", bytes.len()))),
        ("instance-id", metadata.instance_id.as_deref().map(visible)),
        ("hostname", metadata.hostname.as_deref().map(visible)),
        ("ssh keys", Some(metadata.ssh_authorized_keys.len().to_string())),
        ("public IPv4", metadata.public_ipv4.map(|address| address.to_string())),
        ("private IPv4", metadata.private_ipv4.map(|address| address.to_string())),
        ("public IPv6", metadata.public_ipv6.map(|address| address.to_string())),
        ("private IPv6", metadata.private_ipv6.map(|address| address.to_string())),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        // Writing to a string cannot fail.
        writeln!(text, "{:<13} {}", format!("{name}:"), value.as_deref().unwrap_or("-")).ok();
    }
    text
}

/// A text of somebody else, without what would command a terminal.
fn visible(text: &str) -> String {
    text.escape_debug().to_string()
}
