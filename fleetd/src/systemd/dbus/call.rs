//! One call to systemd: its deadline, and what its errors mean.

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;
use zbus::{DBusError, fdo};

use super::super::SystemdError;

/// systemd answers in milliseconds, or in seconds while it reloads thousands of units.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// Reloading and linking read every unit file there is, from disks that may be slow.
pub(super) const LONG_DEADLINE: Duration = Duration::from_secs(90);

/// Errors of the system that systemd passes on and that may pass.
const PASSING: [&str; 8] =
    ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "EAGAIN", "EBUSY"];

/// What is asked of systemd, for errors.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// The verb.
    pub(super) action: &'static str,
    /// What the verb is about: a unit, or several.
    pub(super) about: String,
}

impl Question {
    pub(super) fn new(action: &'static str, about: &(impl ToString + ?Sized)) -> Self {
        Self { action, about: about.to_string() }
    }

    /// A question about many: names the first and counts the others.
    pub(super) fn about_all<T: ToString>(
        action: &'static str,
        all: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut all = all.into_iter();
        let first = all.next().map(|first| first.to_string()).unwrap_or_default();
        match all.count() {
            0 => Self { action, about: first },
            others => Self { action, about: format!("{first} and {others} more") },
        }
    }

    /// Waits for the answer.
    pub(super) async fn answered_within<T>(
        self,
        deadline: Duration,
        call: impl Future<Output = zbus::Result<T>>,
    ) -> Result<T, SystemdError> {
        let Self { action, about } = self;
        match timeout(deadline, call).await {
            Ok(answer) => answer.map_err(|error| meaning(action, about, error)),
            Err(_) => Err(unreachable(Unanswered { action, about, deadline })),
        }
    }
}

/// No answer came.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s to: {action} {about}", deadline.as_secs())]
struct Unanswered {
    action: &'static str,
    about: String,
    deadline: Duration,
}

/// There is no connection just now; the supervising task is making one.
#[derive(Debug, thiserror::Error)]
#[error("the connection is lost and not yet made anew")]
pub(super) struct Disconnected;

pub(super) fn unreachable(
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SystemdError {
    SystemdError::Unreachable(source.into())
}

fn meaning(action: &'static str, unit: String, error: zbus::Error) -> SystemdError {
    let (name, message) = match &error {
        zbus::Error::MethodError(name, message, _) => (name.to_string(), message.clone()),
        zbus::Error::FDO(error) if !is_transient(error) => {
            (error.name().to_string(), error.description().map(str::to_owned))
        }
        _ => return unreachable(error),
    };
    let message = message.unwrap_or_else(|| name.clone());
    // sd-bus names so what D-Bus has no name for.
    match name.strip_prefix("System.Error.") {
        Some(errno) if PASSING.contains(&errno) => SystemdError::Failed { action, unit, message },
        Some(_) | None => SystemdError::Refused { action, unit, name, message },
    }
}

/// Whether the bus speaks, rather than systemd, or systemd says that it is busy.
fn is_transient(error: &fdo::Error) -> bool {
    matches!(
        error,
        fdo::Error::NoMemory(_)
            | fdo::Error::ServiceUnknown(_)
            | fdo::Error::NameHasNoOwner(_)
            | fdo::Error::NoReply(_)
            | fdo::Error::IOError(_)
            | fdo::Error::LimitsExceeded(_)
            | fdo::Error::NoServer(_)
            | fdo::Error::Timeout(_)
            | fdo::Error::Disconnected(_)
            | fdo::Error::TimedOut(_)
            | fdo::Error::ZBus(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: &SystemdError) -> String {
        let source = std::error::Error::source(error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_ends_at_its_deadline() {
        let error = Question::new("start", "hello.service")
            .answered_within(DEADLINE, std::future::pending::<zbus::Result<()>>())
            .await
            .unwrap_err();

        assert!(error.is_transient());
        assert_eq!(
            shown(&error),
            "cannot talk to systemd over D-Bus: no answer within 10 s to: start hello.service"
        );
    }

    #[test]
    fn errors_of_systemd_are_refusals_with_their_operands() {
        let error = fdo::Error::FileNotFound("File /a.service: No such file".into());

        let refused = meaning("link", "a.service".into(), error.into());

        assert!(!refused.is_transient());
        assert_eq!(
            shown(&refused),
            "systemd refuses to link a.service: File /a.service: No such file"
        );
    }

    #[test]
    fn errors_of_the_bus_are_transient() {
        for error in [
            fdo::Error::NoReply("gone".into()),
            fdo::Error::ServiceUnknown("no systemd".into()),
            fdo::Error::LimitsExceeded("too many replies".into()),
        ] {
            let shown = error.to_string();
            assert!(meaning("stop", "a.service".into(), error.into()).is_transient(), "{shown}");
        }
        assert!(meaning("stop", String::new(), zbus::Error::InvalidReply).is_transient());
    }

    #[test]
    fn a_full_disk_of_systemd_may_be_mended_and_a_loop_of_links_is_refused() {
        let call = zbus::Message::method_call("/a", "Link").build(&()).unwrap();
        let error = |name: &str| {
            let name = zbus::names::OwnedErrorName::try_from(name).unwrap();
            let message = Some("No space left on device".to_owned());
            let error = zbus::Error::MethodError(name, message, call.clone());
            meaning("link", "a.service".into(), error)
        };

        let full = error("System.Error.ENOSPC");

        assert!(full.is_transient());
        assert_eq!(shown(&full), "systemd fails to link a.service: No space left on device");
        assert!(!error("System.Error.ELOOP").is_transient());
    }

    #[test]
    fn a_question_about_many_names_the_first() {
        let about = |units: &[&str]| Question::about_all("disable", units).about;

        assert_eq!(about(&[]), "");
        assert_eq!(about(&["a.service"]), "a.service");
        assert_eq!(about(&["a.service", "b.service", "c.service"]), "a.service and 2 more");
    }
}
