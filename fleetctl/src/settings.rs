//! Settings of every command: flags first, then `FLEETCTL_*`, then the default.

use std::path::PathBuf;
use std::time::Duration;

use crate::argv::truth;
use crate::client::{DEFAULT_ENDPOINT, Endpoint, TlsFiles};
use crate::error::CommandError;
use crate::ssh::Address;

/// Flags that every command takes, before or after its name.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Global flags")]
pub(crate) struct GlobalArgs {
    /// unix:///PATH or http[s]://HOST:PORT of fleet's API [default: unix:///var/run/fleet.sock]
    #[arg(long, global = true, value_name = "URL")]
    endpoint: Option<String>,
    /// Seconds that one request may take [default: 3]
    #[arg(long, global = true, value_name = "SECONDS")]
    request_timeout: Option<String>,
    /// PEM file with the certificate that fleet's API is shown over https
    #[arg(long, global = true, value_name = "PATH", alias = "etcd-certfile")]
    cert_file: Option<String>,
    /// PEM file with the key of the certificate
    #[arg(long, global = true, value_name = "PATH", alias = "etcd-keyfile")]
    key_file: Option<String>,
    /// PEM file with the authorities that sign the API's certificate [default: the system's]
    #[arg(long, global = true, value_name = "PATH", alias = "etcd-cafile")]
    ca_file: Option<String>,
    /// Machine through whose sshd fleet and its machines are reached, as HOST[:PORT]
    #[arg(long, global = true, value_name = "HOST")]
    tunnel: Option<String>,
    /// User who logs in to other machines [default: core]
    #[arg(long, global = true, value_name = "USER")]
    ssh_username: Option<String>,
    /// Seconds that connecting to another machine may take [default: 10]
    #[arg(long, global = true, value_name = "SECONDS")]
    ssh_timeout: Option<String>,
    /// File with the host keys of machines [default: ~/.fleetctl/known_hosts]
    #[arg(long, global = true, value_name = "PATH")]
    known_hosts_file: Option<String>,
    /// Whether the host keys of machines are checked [default: true]
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    strict_host_key_checking: Option<String>,
    /// Tell on standard error what is asked of fleet
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    debug: Option<String>,
    /// Only API, as there is no other way to the cluster any more
    #[arg(long, global = true, hide = true)]
    driver: Option<String>,
    /// Without effect, as it says where in etcd to look
    #[arg(long, global = true, hide = true)]
    etcd_key_prefix: Option<String>,
    /// Only true, for the same reason as with the driver
    #[arg(
        long,
        global = true,
        hide = true,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    experimental_api: Option<String>,
}

/// What the flags and the environment say together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Where fleet's API is.
    pub(crate) endpoint: Endpoint,
    /// What of the settings has no effect.
    pub(crate) warning: Option<String>,
    /// How long one request may take.
    pub(crate) request_timeout: Duration,
    /// How to reach other machines.
    pub(crate) ssh: SshSettings,
    /// The machine through which all others are reached.
    pub(crate) tunnel: Option<Address>,
    /// Whether requests are told.
    pub(crate) debug: bool,
}

/// How to reach other machines.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SshSettings {
    /// The program.
    pub(crate) program: String,
    /// Who logs in.
    pub(crate) username: String,
    /// How long connecting may take.
    pub(crate) timeout: Duration,
    /// Where host keys are, unless it is the usual place.
    pub(crate) known_hosts_file: Option<String>,
    /// Whether host keys are checked.
    pub(crate) strict: bool,
}

/// Looks variables of the environment up.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl GlobalArgs {
    /// Completes the flags from the environment, and checks both.
    pub(crate) fn settings(&self, environment: Environment<'_>) -> Result<Settings, CommandError> {
        let given = Given(environment);
        given.refuse_other_ways(self)?;
        let endpoint = given.text(&self.endpoint, "endpoint");
        let endpoint = endpoint.unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let is_list = endpoint.contains(',');
        let endpoint: Endpoint = endpoint.parse().map_err(|error| {
            CommandError::usage(format!("Unable to initialize client: {error}"))
        })?;
        let endpoint = endpoint.with_tls(given.tls(self)?);
        let warning = is_list.then(|| {
            format!("WARNING: --endpoint takes one address: only the first is used, {endpoint}")
        });
        let username = given.text(&self.ssh_username, "ssh-username");
        let tunnel = given.text(&self.tunnel, "tunnel").map(|text| text.parse()).transpose();
        let tunnel = tunnel.map_err(|error| CommandError::usage(format!("--tunnel: {error}")))?;
        Ok(Settings {
            tunnel,
            endpoint,
            warning,
            request_timeout: given.seconds(&self.request_timeout, "request-timeout", 3)?,
            ssh: SshSettings {
                program: given.variable("FLEETCTL_SSH").unwrap_or_else(|| "ssh".to_owned()),
                username: username.unwrap_or_else(|| "core".to_owned()),
                timeout: given.seconds(&self.ssh_timeout, "ssh-timeout", 10)?,
                known_hosts_file: given.text(&self.known_hosts_file, "known-hosts-file"),
                strict: given.truth(
                    &self.strict_host_key_checking,
                    "strict-host-key-checking",
                    true,
                )?,
            },
            debug: given.truth(&self.debug, "debug", false)?,
        })
    }
}

/// The environment, in which an empty value is none.
struct Given<'a>(Environment<'a>);

impl Given<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, flag: &Option<String>, name: &str) -> Option<String> {
        flag.clone().or_else(|| self.variable(&variable_of(name)))
    }

    fn tls(&self, flags: &GlobalArgs) -> Result<TlsFiles, CommandError> {
        // The environment may hold the older names, as the command line may.
        let file = |flag: &Option<String>, name, older| {
            self.text(flag, name).or_else(|| self.variable(older)).map(PathBuf::from)
        };
        let cert = file(&flags.cert_file, "cert-file", "FLEETCTL_ETCD_CERTFILE");
        let identity = match (cert, file(&flags.key_file, "key-file", "FLEETCTL_ETCD_KEYFILE")) {
            (Some(cert), Some(key)) => Some((cert, key)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(CommandError::usage("--cert-file and --key-file go together"));
            }
        };
        let ca = file(&flags.ca_file, "ca-file", "FLEETCTL_ETCD_CAFILE");
        Ok(TlsFiles { ca, identity })
    }

    fn seconds(
        &self,
        flag: &Option<String>,
        name: &str,
        default: u64,
    ) -> Result<Duration, CommandError> {
        let Some(text) = self.text(flag, name) else { return Ok(Duration::from_secs(default)) };
        let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).ok_or_else(|| {
            CommandError::usage(format!("--{name} takes seconds above 0, not \"{text}\""))
        })
    }

    fn truth(
        &self,
        flag: &Option<String>,
        name: &str,
        default: bool,
    ) -> Result<bool, CommandError> {
        let Some(text) = self.text(flag, name) else { return Ok(default) };
        truth(&text).ok_or_else(|| {
            CommandError::usage(format!("--{name} takes true or false, not \"{text}\""))
        })
    }

    /// Refuses settings that would lead to another cluster than the one that is asked.
    fn refuse_other_ways(&self, flags: &GlobalArgs) -> Result<(), CommandError> {
        const NO_ETCD: &str = "fleetctl talks to fleetd only, not to etcd: leave --driver and \
                               --experimental-api out, and name a fleetd with --endpoint";
        match self.text(&flags.driver, "driver").as_deref() {
            None | Some("API" | "api") => {}
            Some("etcd") => return Err(CommandError::usage(NO_ETCD)),
            Some(other) => {
                return Err(CommandError::usage(format!("unrecognized driver \"{other}\"")));
            }
        }
        if !self.truth(&flags.experimental_api, "experimental-api", true)? {
            return Err(CommandError::usage(NO_ETCD));
        }
        Ok(())
    }
}

/// Names the variable of the environment that stands for a global flag.
#[must_use]
pub fn variable_of(flag: &str) -> String {
    format!("FLEETCTL_{}", flag.replace('-', "_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        let value = match name {
            "FLEETCTL_ENDPOINT" => "http://10.0.0.1:49153",
            "FLEETCTL_REQUEST_TIMEOUT" => "1.5",
            "FLEETCTL_SSH_USERNAME" => "",
            "FLEETCTL_STRICT_HOST_KEY_CHECKING" => "false",
            "FLEETCTL_SSH" => "/opt/ssh",
            "FLEETCTL_TUNNEL" => "[::1]:2222",
            "FLEETCTL_ETCD_KEY_PREFIX" => "/elsewhere",
            _ => return None,
        };
        Some(value.to_owned())
    }

    #[test]
    fn flags_win_over_the_environment_and_an_empty_variable_is_none() {
        let flags = GlobalArgs {
            endpoint: Some("unix:///tmp/f".to_owned()),
            known_hosts_file: Some("/k".to_owned()),
            ..GlobalArgs::default()
        };
        let expected = Settings {
            endpoint: Endpoint::Unix(PathBuf::from("/tmp/f")),
            warning: None,
            request_timeout: Duration::from_millis(1500),
            ssh: SshSettings {
                program: "/opt/ssh".to_owned(),
                username: "core".to_owned(),
                timeout: Duration::from_secs(10),
                known_hosts_file: Some("/k".to_owned()),
                strict: false,
            },
            tunnel: Some(Address { host: "::1".to_owned(), port: 2222 }),
            debug: false,
        };
        assert_eq!(flags.settings(&environment).unwrap(), expected);
    }

    #[test]
    fn the_older_names_of_certificates_count_in_the_environment_too() {
        let older = |name: &str| match name {
            "FLEETCTL_ETCD_CAFILE" => Some("/old/ca".to_owned()),
            "FLEETCTL_ETCD_CERTFILE" => Some("/old/cert".to_owned()),
            "FLEETCTL_ETCD_KEYFILE" => Some("/old/key".to_owned()),
            "FLEETCTL_CERT_FILE" => Some("/new/cert".to_owned()),
            _ => None,
        };
        let expected = TlsFiles {
            ca: Some(PathBuf::from("/old/ca")),
            identity: Some((PathBuf::from("/new/cert"), PathBuf::from("/old/key"))),
        };
        assert_eq!(Given(&older).tls(&GlobalArgs::default()).unwrap(), expected);
    }

    fn refusal(flags: &GlobalArgs, environment: Environment<'_>) -> String {
        flags.settings(environment).unwrap_err().to_string()
    }

    #[test]
    fn what_would_lead_elsewhere_or_nowhere_is_refused() {
        let flags = GlobalArgs::default;
        let text = |text: &str| Some(text.to_owned());
        let nothing = |_: &str| None;
        let tunnel = |name: &str| (name == "FLEETCTL_TUNNEL").then(|| "bastion:ssh".to_owned());
        let refusals = [
            refusal(&GlobalArgs { driver: text("etcd"), ..flags() }, &nothing),
            refusal(&GlobalArgs { driver: text("x"), ..flags() }, &nothing),
            refusal(&GlobalArgs { experimental_api: text("false"), ..flags() }, &nothing),
            refusal(&GlobalArgs { request_timeout: text("-1"), ..flags() }, &nothing),
            refusal(&GlobalArgs { debug: text("perhaps"), ..flags() }, &nothing),
            refusal(&GlobalArgs { endpoint: text("fleet"), ..flags() }, &nothing),
            refusal(&GlobalArgs { cert_file: text("/c.pem"), ..flags() }, &nothing),
            refusal(&flags(), &tunnel),
        ];
        insta::assert_snapshot!(refusals.join("\n"), @r#"
        fleetctl talks to fleetd only, not to etcd: leave --driver and --experimental-api out, and name a fleetd with --endpoint
        unrecognized driver "x"
        fleetctl talks to fleetd only, not to etcd: leave --driver and --experimental-api out, and name a fleetd with --endpoint
        --request-timeout takes seconds above 0, not "-1"
        --debug takes true or false, not "perhaps"
        Unable to initialize client: URL scheme undefined: `fleet`; write unix:///PATH or http://HOST:PORT
        --cert-file and --key-file go together
        --tunnel: `bastion:ssh` is no address; write HOST or HOST:PORT
        "#);
    }
}
