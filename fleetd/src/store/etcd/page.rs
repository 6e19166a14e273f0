//! How much of a list is asked for at once. Pure.

/// etcd answers 1,000 units of 1 KB in a few milliseconds.
const MOST: i64 = 1000;

/// Fewer are not asked for: an etcd that is silent then has another reason.
const LEAST: i64 = 8;

/// Keys that one read asks for: fewer after one that had no answer, as units may be large and the
/// network slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    keys: i64,
    /// What this list does not ask for again.
    ceiling: i64,
}

impl Page {
    /// For a list after one that ended with so many keys a page; 0 for the first.
    pub(super) fn after(keys: i64) -> Self {
        let keys = if keys == 0 { MOST } else { keys.clamp(LEAST, MOST) };
        Self { keys, ceiling: MOST }
    }

    pub(super) const fn keys(self) -> i64 {
        self.keys
    }

    /// What to ask for after so many tries that failed.
    pub(super) fn retried(self, failures: u32) -> Self {
        if failures == 0 {
            return self;
        }
        let keys = self.keys.checked_shr(failures).unwrap_or(0).max(LEAST);
        Self { keys, ceiling: keys }
    }

    /// What to ask for after a page that was full.
    pub(super) fn answered(self) -> Self {
        Self { keys: (2 * self.keys).min(self.ceiling), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_asks_for_fewer_keys_until_it_is_answered_and_the_next_one_for_more_again() {
        let first = Page::after(0);
        let smaller = first.retried(2);
        let next = Page::after(smaller.answered().keys());

        let asked = [first, smaller, smaller.answered(), next, next.answered()].map(Page::keys);

        assert_eq!(asked, [1000, 250, 250, 250, 500]);
    }

    #[test]
    fn no_silence_makes_a_page_empty() {
        assert_eq!(Page::after(0).retried(99).keys(), 8);
        assert_eq!(Page::after(8).retried(1).answered().keys(), 8);
    }
}
