//! What every [`Systemd`] does. The claims run against the twin in memory always, and with the
//! feature `real-systemd` against the systemd of the host, as root: copy the test binary there
//! and run it with the filter `dbus`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fleet_units::UnitName;
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{JobResult, OwnJob, Signal, Systemd, SystemdError, UnitStatus};

/// More than a busy host takes for any step.
const DEADLINE: Duration = Duration::from_secs(20);

pub(super) const RUNS: &str = "[Service]\nExecStart=/bin/sleep infinity\n";
const RUNS_OTHERWISE: &str = "[Service]\nExecStart=/bin/sleep 1000000\n";
const FAILS: &str = "[Service]\nType=oneshot\nExecStart=/bin/false\n";
/// Never says that it has started.
pub(super) const HANGS: &str = "[Service]\nType=notify\nExecStart=/bin/sleep infinity\n";
const INSTALLS: &str =
    "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

/// A host with a systemd, and a directory that it can link files from.
pub(super) trait Host {
    type Systemd: Systemd;

    fn systemd(&self) -> &Self::Systemd;

    fn directory(&self) -> &Path;

    /// Makes the unit behave as its text says.
    fn place(&self, unit: &UnitName, text: &str) -> PathBuf {
        let file = self.directory().join(unit.as_str());
        fs::write(&file, text).unwrap();
        file
    }
}

/// Runs each claim against each systemd.
macro_rules! claims {
    ($($claim:ident)*) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $claim() {
                    super::$claim(&super::twin::MemoryHost::new()).await;
                }
            )*
        }

        #[cfg(feature = "real-systemd")]
        mod dbus {
            mod direct {
                $(
                    #[tokio::test]
                    async fn $claim() {
                        super::super::$claim(&super::super::real::DbusHost::new().await).await;
                    }
                )*
            }

            mod bus {
                $(
                    #[tokio::test]
                    async fn $claim() {
                        super::super::$claim(&super::super::real::DbusHost::on_bus().await).await;
                    }
                )*
            }
        }
    };
}

claims! {
    a_started_unit_runs_and_its_changes_are_told
    a_stopped_unit_leaves_memory
    a_failed_start_is_told_and_reset
    a_start_that_is_stopped_meanwhile_is_canceled
    the_same_start_twice_ends_for_both
    a_unit_that_is_not_loaded_is_stopped_already
    a_unit_that_nobody_knows_cannot_be_started
    a_missing_file_cannot_be_linked
    linking_again_replaces_the_link
    enabling_changes_links_once
    a_disabled_unit_is_not_found_any_more
    a_changed_file_of_a_loaded_unit_is_outdated_until_a_reload
    a_unit_that_another_follows_stays_in_memory_and_is_outdated_without_its_file
    hundreds_of_jobs_at_once_all_end
    statuses_answer_for_every_unit_in_any_number
    units_are_read_from_the_runtime_directory
    a_process_without_a_job_is_not_being_stopped
}

async fn a_started_unit_runs_and_its_changes_are_told<H: Host>(host: &H) {
    let systemd = host.systemd();
    let unit = linked(host, "runs.service", RUNS).await;
    let mut signals = systemd.signals().await.unwrap();

    assert_eq!(start(systemd, &unit).await, Some(JobResult::Done));

    hear(&mut signals, &changed(&unit, "active", "running")).await;
    assert_eq!(status(systemd, &unit).await, words("loaded", "active", "running"));
    clean(host, &[unit]).await;
}

async fn a_stopped_unit_leaves_memory<H: Host>(host: &H) {
    let systemd = host.systemd();
    let unit = linked(host, "stops.service", RUNS).await;
    start(systemd, &unit).await;
    let mut signals = systemd.signals().await.unwrap();

    assert_eq!(stop(systemd, &unit).await, Some(JobResult::Done));

    hear(&mut signals, &changed(&unit, "inactive", "dead")).await;
    hear(&mut signals, &Signal::Removed(unit.clone())).await;
    assert_eq!(status(systemd, &unit).await, UnitStatus::dormant());
    clean(host, &[unit]).await;
}

async fn a_failed_start_is_told_and_reset<H: Host>(host: &H) {
    let systemd = host.systemd();
    let unit = linked(host, "fails.service", FAILS).await;
    let mut signals = systemd.signals().await.unwrap();

    assert_eq!(start(systemd, &unit).await, Some(JobResult::Failed));

    hear(&mut signals, &changed(&unit, "failed", "failed")).await;
    assert_eq!(status(systemd, &unit).await, words("loaded", "failed", "failed"));
    assert_eq!(stop(systemd, &unit).await, Some(JobResult::Done));
    assert_eq!(status(systemd, &unit).await, words("loaded", "failed", "failed"));
    systemd.reset_failed(&unit).await.unwrap();
    hear(&mut signals, &Signal::Removed(unit.clone())).await;
    systemd.reset_failed(&unit).await.unwrap();
    assert_eq!(status(systemd, &unit).await, UnitStatus::dormant());
    clean(host, &[unit]).await;
}

async fn a_start_that_is_stopped_meanwhile_is_canceled<H: Host>(host: &H) {
    let systemd = host.systemd();
    let unit = linked(host, "hangs.service", HANGS).await;
    let mut signals = systemd.signals().await.unwrap();
    let started = systemd.start(&unit).await.unwrap();
    hear(&mut signals, &changed(&unit, "activating", "start")).await;

    let stopped = systemd.stop(&unit).await.unwrap();

    assert_eq!(timeout(DEADLINE, started.ended()).await.unwrap(), Some(JobResult::Canceled));
    drop(stopped);
    clean(host, &[unit]).await;
}

async fn the_same_start_twice_ends_for_both<H: Host>(host: &H) {
    let systemd = host.systemd();
    let unit = linked(host, "twice.service", HANGS).await;

    let first = systemd.start(&unit).await.unwrap();
    let second = systemd.start(&unit).await.unwrap();
    drop(systemd.stop(&unit).await.unwrap());

    let ends = timeout(DEADLINE, async { (first.ended().await, second.ended().await) });
    assert_eq!(ends.await.unwrap(), (Some(JobResult::Canceled), Some(JobResult::Canceled)));
    clean(host, &[unit]).await;
}

async fn a_unit_that_is_not_loaded_is_stopped_already<H: Host>(host: &H) {
    let unit = name("fleet-contract-nobody.service");

    assert_eq!(stop(host.systemd(), &unit).await, Some(JobResult::Done));
    assert!(!host.systemd().reset_failed(&unit).await.unwrap());
}

async fn a_unit_that_nobody_knows_cannot_be_started<H: Host>(host: &H) {
    let unit = name("fleet-contract-nobody.service");

    assert_eq!(
        refusal(host.systemd().start(&unit).await),
        ("start", unit.to_string(), "org.freedesktop.systemd1.NoSuchUnit".to_owned())
    );
}

async fn a_missing_file_cannot_be_linked<H: Host>(host: &H) {
    let file = host.directory().join("fleet-contract-missing.service");

    let (action, unit, _) = refusal(host.systemd().link(&[file]).await);

    assert_eq!((action, unit.ends_with("fleet-contract-missing.service")), ("link", true));
}

async fn linking_again_replaces_the_link<H: Host>(host: &H) {
    let systemd = host.systemd();
    let unit = linked(host, "moves.service", FAILS).await;
    let elsewhere = host.directory().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let file = elsewhere.join(unit.as_str());
    fs::rename(host.directory().join(unit.as_str()), &file).unwrap();

    systemd.link(std::slice::from_ref(&file)).await.unwrap();

    assert_eq!(status(systemd, &unit).await, UnitStatus::dormant());
    clean(host, &[unit]).await;
}

async fn enabling_changes_links_once<H: Host>(host: &H) {
    let systemd = host.systemd();
    let unit = linked(host, "installs.service", INSTALLS).await;
    let without = linked(host, "stays.service", RUNS).await;

    assert!(systemd.enable(&unit).await.unwrap());
    assert!(!systemd.enable(&unit).await.unwrap());
    assert!(!systemd.enable(&without).await.unwrap());

    systemd.disable(std::slice::from_ref(&unit)).await.unwrap();
    systemd.link(&[host.directory().join(unit.as_str())]).await.unwrap();
    assert!(systemd.enable(&unit).await.unwrap());
    clean(host, &[unit, without]).await;
}

async fn a_disabled_unit_is_not_found_any_more<H: Host>(host: &H) {
    let systemd = host.systemd();
    let units = [
        linked(host, "gone.service", RUNS).await,
        name("fleet-contract-nobody.service"),
        linked(host, "gone-too.service", INSTALLS).await,
    ];

    for unit in &units {
        systemd.disable(std::slice::from_ref(unit)).await.unwrap();
    }

    for unit in &units {
        assert_eq!(status(systemd, unit).await, words("not-found", "inactive", "dead"), "{unit}");
    }
}

async fn a_changed_file_of_a_loaded_unit_is_outdated_until_a_reload<H: Host>(host: &H) {
    let systemd = host.systemd();
    let loaded = linked(host, "loaded.service", RUNS).await;
    let dormant = linked(host, "dormant.service", RUNS).await;
    let units = [dormant.clone(), loaded.clone(), name("fleet-contract-nobody.service")];
    start(systemd, &loaded).await;
    assert_eq!(systemd.outdated(&units).await.unwrap(), []);

    host.place(&loaded, RUNS_OTHERWISE);
    host.place(&dormant, RUNS_OTHERWISE);
    assert_eq!(systemd.outdated(&units).await.unwrap(), std::slice::from_ref(&loaded));

    let mut signals = systemd.signals().await.unwrap();
    systemd.reload().await.unwrap();
    hear(&mut signals, &Signal::Resync).await;
    assert_eq!(systemd.outdated(&units).await.unwrap(), []);
    clean(host, &[loaded, dormant]).await;
}

async fn a_unit_that_another_follows_stays_in_memory_and_is_outdated_without_its_file<H: Host>(
    host: &H,
) {
    let systemd = host.systemd();
    let unit = linked(host, "first.service", RUNS).await;
    let text = format!("[Unit]\nAfter={unit}\n{RUNS}");
    let sidekick = linked(host, "second.service", &text).await;
    start(systemd, &unit).await;
    start(systemd, &sidekick).await;
    let units = std::slice::from_ref(&unit);

    stop(systemd, &unit).await;
    systemd.disable(units).await.unwrap();
    fs::remove_file(host.directory().join(unit.as_str())).unwrap();

    assert!(systemd.reset_failed(&unit).await.unwrap());
    assert_eq!(systemd.outdated(units).await.unwrap(), units);
    systemd.reload().await.unwrap();
    assert_eq!(systemd.outdated(units).await.unwrap(), []);
    linked(host, "first.service", RUNS_OTHERWISE).await;
    start(systemd, &unit).await;
    assert_eq!(systemd.outdated(units).await.unwrap(), []);
    clean(host, &[sidekick, unit]).await;
}

async fn hundreds_of_jobs_at_once_all_end<H: Host>(host: &H) {
    let systemd = host.systemd();
    let template = linked(host, "many@.service", RUNS).await;
    let units: Vec<_> = (0..300)
        .map(|index| name(&template.as_str().replace("@.", &format!("@{index}."))))
        .collect();

    let started = join_all(units.iter().map(|unit| start(systemd, unit))).await;
    let statuses = systemd.statuses(&units).await.unwrap();
    let outdated = systemd.outdated(&units).await.unwrap();
    let stopped = join_all(units.iter().map(|unit| stop(systemd, unit))).await;

    assert_eq!(started, vec![Some(JobResult::Done); units.len()]);
    let running = words("loaded", "active", "running");
    assert_eq!(statuses, units.iter().map(|u| (u.clone(), running.clone())).collect::<Vec<_>>());
    assert_eq!(outdated, []);
    assert_eq!(stopped, vec![Some(JobResult::Done); units.len()]);
    clean(host, &[template]).await;
}

async fn statuses_answer_for_every_unit_in_any_number<H: Host>(host: &H) {
    let systemd = host.systemd();
    let template = linked(host, "any@.service", RUNS).await;
    let nobody = (0..1100).map(|index| name(&format!("fleet-contract-nobody-{index}.service")));
    let units: Vec<_> = [template.clone()].into_iter().chain(nobody).collect();

    let mut want: Vec<_> =
        units.iter().map(|u| (u.clone(), words("not-found", "inactive", "dead"))).collect();
    want[0].1 = UnitStatus::dormant();

    assert_eq!(systemd.statuses(&units).await.unwrap(), want);
    assert_eq!(systemd.statuses(&[]).await.unwrap(), []);
    clean(host, &[template]).await;
}

async fn units_are_read_from_the_runtime_directory<H: Host>(host: &H) {
    let path = host.systemd().unit_path().await.unwrap();

    assert!(path.contains(&PathBuf::from("/run/systemd/system")), "{path:?}");
}

async fn a_process_without_a_job_is_not_being_stopped<H: Host>(host: &H) {
    assert_eq!(host.systemd().own_job().await.unwrap(), OwnJob::Other);
}

/// A unit with this text, linked.
pub(super) async fn linked<H: Host>(host: &H, name_end: &str, text: &str) -> UnitName {
    let unit = name(&format!("fleet-contract-{name_end}"));
    let file = host.place(&unit, text);
    host.systemd().link(&[file]).await.unwrap();
    unit
}

pub(super) async fn clean<H: Host>(host: &H, units: &[UnitName]) {
    for unit in units.iter().filter(|unit| !unit.is_template()) {
        stop(host.systemd(), unit).await;
        host.systemd().reset_failed(unit).await.unwrap();
    }
    host.systemd().disable(units).await.unwrap();
}

pub(super) async fn start<S: Systemd>(systemd: &S, unit: &UnitName) -> Option<JobResult> {
    let job = systemd.start(unit).await.unwrap();
    timeout(DEADLINE, job.ended()).await.unwrap()
}

pub(super) async fn stop<S: Systemd>(systemd: &S, unit: &UnitName) -> Option<JobResult> {
    let job = systemd.stop(unit).await.unwrap();
    timeout(DEADLINE, job.ended()).await.unwrap()
}

pub(super) async fn status<S: Systemd>(systemd: &S, unit: &UnitName) -> UnitStatus {
    let mut statuses = systemd.statuses(std::slice::from_ref(unit)).await.unwrap();
    assert_eq!(statuses.len(), 1);
    let (named, status) = statuses.remove(0);
    assert_eq!(named, *unit);
    status
}

/// Reads signals up to the wanted one.
pub(super) async fn hear(signals: &mut mpsc::Receiver<Signal>, wanted: &Signal) {
    let mut heard = Vec::new();
    loop {
        match timeout(DEADLINE, signals.recv()).await {
            Ok(Some(signal)) if signal == *wanted => return,
            Ok(Some(signal)) => heard.push(signal),
            Ok(None) | Err(_) => panic!("{wanted:?} was not heard, but {heard:?}"),
        }
    }
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, SystemdError>) -> (&'static str, String, String) {
    match answer {
        Err(SystemdError::Refused { action, unit, name, .. }) => (action, unit, name),
        other => panic!("not refused: {other:?}"),
    }
}

fn name(unit: &str) -> UnitName {
    unit.parse().unwrap()
}

fn words(load: &str, active: &str, sub: &str) -> UnitStatus {
    UnitStatus { load: load.into(), active: active.into(), sub: sub.into() }
}

pub(super) fn changed(unit: &UnitName, active: &str, sub: &str) -> Signal {
    Signal::Changed { unit: unit.clone(), active: active.into(), sub: sub.into() }
}

/// The twin in memory: told how units behave, as it does not run them.
mod twin {
    use super::super::memory::MemorySystemd;
    use super::*;

    pub(super) struct MemoryHost {
        systemd: MemorySystemd,
        directory: tempfile::TempDir,
    }

    impl MemoryHost {
        pub(super) fn new() -> Self {
            let systemd = MemorySystemd::default();
            systemd.set_unit_path(vec!["/run/systemd/system".into()]);
            Self { systemd, directory: tempfile::tempdir().unwrap() }
        }
    }

    impl Host for MemoryHost {
        type Systemd = MemorySystemd;

        fn systemd(&self) -> &MemorySystemd {
            &self.systemd
        }

        fn directory(&self) -> &Path {
            self.directory.path()
        }

        fn place(&self, unit: &UnitName, text: &str) -> PathBuf {
            if text == FAILS {
                self.systemd.end_starts(unit, JobResult::Failed);
            }
            if text == HANGS {
                self.systemd.hold_starts(unit);
            }
            let file = self.directory().join(unit.as_str());
            fs::write(&file, text).unwrap();
            file
        }
    }
}

/// The systemd of this host.
#[cfg(feature = "real-systemd")]
pub(super) mod real {
    use tokio::sync::{Mutex, MutexGuard};

    use super::super::dbus::{Bus, DbusSystemd};
    use super::*;

    /// Reloads are for all of systemd: one claim at a time.
    static TURN: Mutex<()> = Mutex::const_new(());

    pub(in super::super) struct DbusHost {
        systemd: DbusSystemd,
        directory: tempfile::TempDir,
        _turn: MutexGuard<'static, ()>,
    }

    impl DbusHost {
        /// Asked directly.
        pub(in super::super) async fn new() -> Self {
            Self::on(Bus::System).await
        }

        /// Asked over the bus.
        pub(in super::super) async fn on_bus() -> Self {
            Self::on(Bus::SystemShared).await
        }

        async fn on(bus: Bus) -> Self {
            let turn = TURN.lock().await;
            let systemd = DbusSystemd::connect(bus).await.unwrap();
            let directory = tempfile::tempdir_in("/run").unwrap();
            Self { systemd, directory, _turn: turn }
        }
    }

    impl Host for DbusHost {
        type Systemd = DbusSystemd;

        fn systemd(&self) -> &DbusSystemd {
            &self.systemd
        }

        fn directory(&self) -> &Path {
            self.directory.path()
        }
    }
}
