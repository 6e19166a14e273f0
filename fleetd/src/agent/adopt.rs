//! What an earlier fleetd of this boot left is taken over as it is.

use fleet_units::UnitName;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{info, warn};

use super::AgentSettings;
use super::applied::Records;
use super::apply::Files;
use super::core::Adopted;
use super::shell::RETRY;
use crate::backoff::random_jitter;
use crate::file::FileError;
use crate::log::chain;
use crate::systemd::files::{UnitDirectory, foreign};
use crate::systemd::{Signal, Systemd, SystemdError};

/// What the loop works with beside the store.
#[derive(Debug)]
pub(crate) struct Hands<M> {
    pub(crate) files: Files<M>,
    pub(crate) records: Records,
    /// `None` while they are asked for anew.
    pub(crate) signals: Option<mpsc::Receiver<Signal>>,
}

/// Takes stock of what an earlier fleetd left; waits for systemd if need be.
pub(crate) async fn adopt<M: Systemd>(
    settings: &AgentSettings,
    systemd: &M,
) -> Result<(Adopted, Hands<M>), FileError> {
    let directory = UnitDirectory::open(&settings.units_directory)?;
    let records = Records::open(&settings.state_directory)?;
    let mut adopted =
        Adopted { records: records.read()?, files: directory.list()?, ..Adopted::default() };
    let mut attempt = 0;
    loop {
        match take_stock(&mut adopted, &directory, systemd).await {
            Ok((files, signals)) => {
                let signals = Some(signals);
                return Ok((adopted, Hands { files, records, signals }));
            }
            Err(error) => {
                warn!(error = %chain(&error), attempt, "Waiting for systemd");
                sleep(RETRY.delay(attempt, random_jitter())).await;
                attempt = attempt.saturating_add(1);
            }
        }
    }
}

async fn take_stock<M: Systemd>(
    adopted: &mut Adopted,
    directory: &UnitDirectory,
    systemd: &M,
) -> Result<(Files<M>, mpsc::Receiver<Signal>), SystemdError> {
    let signals = systemd.signals().await?;
    let unit_path = systemd.unit_path().await?;
    let is_foreign = |unit: &UnitName| match foreign(&unit_path, unit, directory.path()) {
        Ok(None) => false,
        Ok(Some(path)) => {
            warn!(%unit, path = %path.display(), "The host has a unit of that name by now, it is left alone");
            true
        }
        Err(error) => {
            warn!(%unit, error = %chain(&error), "Whose unit it is is not known, it is left alone");
            true
        }
    };
    adopted.files.retain(|unit, _| !is_foreign(unit));
    adopted.records.retain(|unit, _| !is_foreign(unit));
    let mut units: Vec<UnitName> = adopted.records.keys().cloned().collect();
    units.extend(adopted.files.keys().filter(|unit| !adopted.records.contains_key(*unit)).cloned());
    if !units.is_empty() {
        if !systemd.outdated(&units).await?.is_empty() {
            systemd.reload().await?;
        }
        adopted.statuses = systemd.statuses(&units).await?;
        info!(units = units.len(), "Adopted units");
    }
    let files = Files { systemd: systemd.clone(), directory: directory.clone(), unit_path };
    Ok((files, signals))
}
