//! The container registry of a cluster: a process of the machine in the cluster's network.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::command;
use crate::error::Error;
use crate::network::Network;
use crate::{file, layer, paths, process, wait};

/// The registry of one cluster.
#[derive(Debug)]
pub(crate) struct Registry<'a> {
    directory: PathBuf,
    network: &'a Network,
}

impl<'a> Registry<'a> {
    pub(crate) fn new(directory: &Path, network: &'a Network) -> Self {
        Self { directory: directory.to_owned(), network }
    }

    /// Where hosts find it.
    pub(crate) fn address(network: &Network) -> String {
        format!("{}:5000", network.bridge())
    }

    /// Starts it unless it runs, and returns once it answers.
    ///
    /// # Errors
    ///
    /// It does not answer in time.
    pub(crate) fn up(&self) -> Result<(), Error> {
        if !self.processes().is_empty() {
            return Ok(());
        }
        let (images, address) = (paths::images(), Self::address(self.network));
        let settings = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: '{address}'}}\n",
            images.display(),
        );
        file::write(&self.settings(), settings)?;
        let log = self.directory.join("registry.log");
        let log = std::fs::File::create(&log).map_err(file::at("create", &log))?;
        let errors = log.try_clone().map_err(file::at("open", &self.directory))?;
        // A parent that ends at once leaves the registry to the machine's init.
        let mut line = self.network.command(["setsid", "--fork"]);
        line.arg(layer::program("/usr/bin/docker-registry")).arg("serve").arg(self.settings());
        command::show(line.stdin(Stdio::null()).stdout(log).stderr(errors))?;
        let url = format!("http://{address}/v2/");
        wait::attempt(wait::PATIENCE, "the container registry", || {
            let (ip, port) = (self.network.bridge(), 5000);
            std::net::TcpStream::connect((ip, port)).map(drop).map_err(|e| format!("{url}: {e}"))
        })?;
        Ok(())
    }

    /// Kills it.
    pub(crate) fn down(&self) -> Result<(), Error> {
        Ok(process::kill(&self.processes())?)
    }

    fn settings(&self) -> PathBuf {
        self.directory.join("registry.yml")
    }

    fn processes(&self) -> Vec<i32> {
        let settings = self.settings().display().to_string();
        process::find(|words| {
            words.first().is_some_and(|program| program.ends_with("/docker-registry"))
                && words.last() == Some(&settings.as_str())
        })
    }
}
