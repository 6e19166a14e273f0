//! Those who follow systemd's signals. None of them can hold up the others.

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, OwnedPermit};

use super::super::Signal;

/// Signals that a follower may leave unread: several for each of 500 units that start at once.
const UNREAD: usize = 2048;

/// The followers: those who keep up, and those whose channel is full. The latter miss signals
/// until they make room, and then get one [`Signal::Resync`] in place of them.
#[derive(Debug, Default)]
pub(super) struct Followers {
    keen: Vec<mpsc::Sender<Signal>>,
    lagging: FuturesUnordered<BoxFuture<'static, Option<OwnedPermit<Signal>>>>,
}

impl Followers {
    pub(super) fn follow(&mut self) -> mpsc::Receiver<Signal> {
        let (sender, receiver) = mpsc::channel(UNREAD);
        self.keen.push(sender);
        receiver
    }

    pub(super) fn tell(&mut self, signal: &Signal) {
        let Self { keen, lagging } = self;
        keen.retain(|follower| match follower.try_send(signal.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                let follower = follower.clone();
                lagging.push(Box::pin(async move { follower.reserve_owned().await.ok() }));
                false
            }
            Err(TrySendError::Closed(_)) => false,
        });
    }

    /// Waits until a lagging follower has made room or gone, and tells it to ask for everything.
    /// Pends for ever if nobody lags. Cancel safe.
    pub(super) async fn catch_up(&mut self) {
        match self.lagging.next().await {
            Some(Some(permit)) => self.keen.push(permit.send(Signal::Resync)),
            Some(None) => {}
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(index: usize) -> Signal {
        Signal::Removed(format!("u{index}.service").parse().unwrap())
    }

    #[tokio::test]
    async fn signals_reach_every_follower_in_order() {
        let mut followers = Followers::default();
        let mut receivers = [followers.follow(), followers.follow()];

        followers.tell(&removed(1));
        followers.tell(&removed(2));

        for receiver in &mut receivers {
            assert_eq!(receiver.recv().await, Some(removed(1)));
            assert_eq!(receiver.recv().await, Some(removed(2)));
        }
    }

    #[tokio::test]
    async fn a_slow_follower_gets_one_resync_for_all_that_it_missed() {
        let mut followers = Followers::default();
        let mut receiver = followers.follow();
        let told: Vec<_> = (0..UNREAD).map(removed).collect();

        for index in 0..UNREAD + 5 {
            followers.tell(&removed(index));
        }
        let mut got = Vec::new();
        for _ in 0..UNREAD {
            got.push(receiver.recv().await.unwrap());
        }
        followers.catch_up().await;
        followers.tell(&removed(7));

        assert_eq!(got, told);
        assert_eq!(receiver.recv().await, Some(Signal::Resync));
        assert_eq!(receiver.recv().await, Some(removed(7)));
        assert_eq!(receiver.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    }

    #[tokio::test]
    async fn a_gone_follower_is_forgotten() {
        let mut followers = Followers::default();
        drop(followers.follow());
        let lagging = followers.follow();
        for index in 0..=UNREAD {
            followers.tell(&removed(index));
        }
        drop(lagging);

        followers.catch_up().await;

        assert!(followers.keen.is_empty() && followers.lagging.is_empty());
    }
}
