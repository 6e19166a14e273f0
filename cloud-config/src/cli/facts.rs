//! Flags that say what is known of a host.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use clap::Args;
use cloud_config::facts::{Fact, Facts, Metadata};
use cloud_config::plan::DEFAULT_USER;

/// The host that a document is for.
#[derive(Debug, Args)]
pub(super) struct HostArgs {
    /// The root directory of the host
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(super) root: PathBuf,
    /// Who gets keys that are for nobody by name
    #[arg(long, value_name = "NAME", env = "CLOUD_CONFIG_USER", default_value = DEFAULT_USER)]
    pub(super) user: String,
    /// What `$private_ipv4` stands for
    #[arg(long, value_name = "ADDRESS")]
    private_ipv4: Option<Ipv4Addr>,
    /// What `$public_ipv4` stands for
    #[arg(long, value_name = "ADDRESS")]
    public_ipv4: Option<Ipv4Addr>,
    /// What `$private_ipv6` stands for
    #[arg(long, value_name = "ADDRESS")]
    private_ipv6: Option<Ipv6Addr>,
    /// What `$public_ipv6` stands for
    #[arg(long, value_name = "ADDRESS")]
    public_ipv6: Option<Ipv6Addr>,
}

impl HostArgs {
    /// What is known of the host: from these flags, else from what the cloud says and the host itself.
    pub(super) fn facts(&self, metadata: &Metadata, cloud: Option<&str>) -> Facts {
        let origin = "the command line";
        let flags = Facts {
            public_ipv4: Fact::of(self.public_ipv4, origin),
            private_ipv4: Fact::of(self.private_ipv4, origin),
            public_ipv6: Fact::of(self.public_ipv6, origin),
            private_ipv6: Fact::of(self.private_ipv6, origin),
            tried: Vec::new(),
        };
        flags.or(Facts::of_host(&self.root, metadata, cloud))
    }
}
