//! What only the real systemd can show: lost connections, its own restart, the job of a process.

use std::process::Command;
use std::time::Duration;

use fleet_units::UnitName;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::contract::real::DbusHost;
use super::super::contract::{HANGS, Host, RUNS, changed, clean, hear, linked, start, stop};
use super::super::{JobResult, OwnJob, Signal, Systemd};
use super::private;

const DEADLINE: Duration = Duration::from_secs(20);

/// Takes long to stop, so that its stop job can be looked at.
const LINGERS: &str =
    "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep 2\nTimeoutStopSec=10\n";

/// Signals come, and jobs end, as before.
async fn follows(host: &DbusHost, signals: &mut mpsc::Receiver<Signal>) {
    let unit = linked(host, "after.service", RUNS).await;
    assert_eq!(start(host.systemd(), &unit).await, Some(JobResult::Done));
    hear(signals, &changed(&unit, "active", "running")).await;
    clean(host, &[unit]).await;
}

/// Whose signals are systemd's on the present connection.
fn owner(host: &DbusHost) -> String {
    host.systemd().current.borrow().clone().unwrap().owner
}

#[tokio::test]
async fn root_asks_without_the_bus_in_between_unless_told_otherwise() {
    assert_eq!(owner(&DbusHost::new().await), private::OWNER);
    assert_ne!(owner(&DbusHost::on_bus().await), private::OWNER);
}

#[tokio::test]
async fn a_lost_connection_is_made_anew() {
    let host = DbusHost::new().await;
    let systemd = host.systemd();
    let unit = linked(&host, "open.service", HANGS).await;
    let mut signals = systemd.signals().await.unwrap();
    let open = systemd.start(&unit).await.unwrap();

    let session = systemd.current.borrow().clone().unwrap();
    session.close().await;

    assert_eq!(timeout(DEADLINE, open.ended()).await.unwrap(), None);
    hear(&mut signals, &Signal::Resync).await;
    follows(&host, &mut signals).await;
    clean(&host, &[unit]).await;
}

#[tokio::test]
async fn a_restarted_bus_is_followed() {
    let host = DbusHost::on_bus().await;
    let systemd = host.systemd();
    let unit = linked(&host, "open.service", HANGS).await;
    let mut signals = systemd.signals().await.unwrap();
    let open = systemd.start(&unit).await.unwrap();

    systemctl(&["restart", "dbus.service"]);

    assert_eq!(timeout(DEADLINE, open.ended()).await.unwrap(), None);
    hear(&mut signals, &Signal::Resync).await;
    follows(&host, &mut signals).await;
    clean(&host, &[unit]).await;
}

#[tokio::test]
async fn a_direct_connection_outlives_the_bus_and_jobs_go_on() {
    let host = DbusHost::new().await;
    let systemd = host.systemd();
    let unit = linked(&host, "open.service", HANGS).await;
    let mut signals = systemd.signals().await.unwrap();
    let open = systemd.start(&unit).await.unwrap();

    systemctl(&["restart", "dbus.service"]);

    follows(&host, &mut signals).await;
    stop(systemd, &unit).await;
    assert_eq!(timeout(DEADLINE, open.ended()).await.unwrap(), Some(JobResult::Canceled));
    clean(&host, &[unit]).await;
}

#[tokio::test]
async fn calls_without_a_connection_are_transient_errors() {
    let host = DbusHost::new().await;
    let systemd = host.systemd();
    let unit: UnitName = "fleet-contract-nobody.service".parse().unwrap();
    let mut current = systemd.current.clone();

    let session = current.borrow_and_update().clone().unwrap();
    session.close().await;
    current.changed().await.unwrap();
    let units = std::slice::from_ref(&unit);
    let (started, listed) = tokio::join!(systemd.start(&unit), systemd.statuses(units));

    assert!(started.unwrap_err().is_transient());
    assert!(listed.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_systemd_that_starts_itself_anew_is_followed() {
    let host = DbusHost::new().await;
    let mut signals = host.systemd().signals().await.unwrap();

    systemctl(&["daemon-reexec"]);

    hear(&mut signals, &Signal::Resync).await;
    follows(&host, &mut signals).await;
    assert_eq!(owner(&host), private::OWNER);
}

#[tokio::test]
async fn a_process_whose_unit_is_being_stopped_is_told_so() {
    let host = DbusHost::new().await;
    let systemd = host.systemd();
    let unit = linked(&host, "lingers.service", LINGERS).await;
    start(systemd, &unit).await;
    let pid = || -> u32 {
        systemctl(&["show", "--value", "--property=MainPID", unit.as_str()]).parse().unwrap()
    };

    assert_eq!(systemd.job_of(pid()).await.unwrap(), OwnJob::Other);
    systemctl(&["restart", "--no-block", unit.as_str()]);
    assert_eq!(systemd.job_of(pid()).await.unwrap(), OwnJob::Other);
    stop(systemd, &unit).await;
    start(systemd, &unit).await;
    let pid = pid();
    let stopped = systemd.stop(&unit).await.unwrap();
    assert_eq!(systemd.job_of(pid).await.unwrap(), OwnJob::Stop);

    assert_eq!(timeout(DEADLINE, stopped.ended()).await.unwrap(), Some(JobResult::Done));
    clean(&host, &[unit]).await;
}

fn systemctl(arguments: &[&str]) -> String {
    let output = Command::new("systemctl").args(arguments).output().unwrap();
    assert!(output.status.success(), "systemctl {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
