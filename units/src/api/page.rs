//! Tokens that name a page of a list.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

/// A page: which one, of how many entries each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageToken {
    /// Entries in a page.
    pub limit: u16,
    /// Number of the page, counted from 0.
    pub page: u16,
}

impl PageToken {
    /// The first page, for which nobody needs a token.
    #[must_use]
    pub const fn first(limit: u16) -> Self {
        Self { limit, page: 0 }
    }

    /// The token as it is written.
    #[must_use]
    pub fn encode(self) -> String {
        let ([limit_low, limit_high], [page_low, page_high]) =
            (self.limit.to_le_bytes(), self.page.to_le_bytes());
        URL_SAFE.encode([limit_low, limit_high, page_low, page_high])
    }

    /// Reads a token.
    ///
    /// # Errors
    ///
    /// Refuses text that no server of ours or of 1.0 gave out.
    pub fn decode(token: &str) -> Result<Self, PageTokenError> {
        let bytes = URL_SAFE.decode(token).map_err(|_| PageTokenError::Malformed)?;
        let [limit_low, limit_high, page_low, page_high] = bytes[..] else {
            return Err(PageTokenError::Malformed);
        };
        Ok(Self {
            limit: u16::from_le_bytes([limit_low, limit_high]),
            page: u16::from_le_bytes([page_low, page_high]),
        })
    }

    /// Whether a server whose pages have `limit` entries gives out such a token.
    ///
    /// # Errors
    ///
    /// Says, in 1.0's words, what the token must be.
    pub const fn check(self, limit: u16) -> Result<(), PageTokenError> {
        if self.limit != limit {
            return Err(PageTokenError::OtherLimit(limit));
        }
        if self.page == 0 {
            return Err(PageTokenError::FirstPage);
        }
        Ok(())
    }

    /// The entries of this page, and the page that follows if there are more.
    #[must_use]
    pub fn slice<T>(self, entries: &[T]) -> (&[T], Option<Self>) {
        let limit = usize::from(self.limit);
        let start = (usize::from(self.page) * limit).min(entries.len());
        let end = (start + limit).min(entries.len());
        let next = self.page.checked_add(1).filter(|_| limit > 0 && end < entries.len());
        (&entries[start..end], next.map(|page| Self { page, ..self }))
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.encode())
    }
}

impl FromStr for PageToken {
    type Err = PageTokenError;

    fn from_str(token: &str) -> Result<Self, PageTokenError> {
        Self::decode(token)
    }
}

/// Why text is not a token for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageTokenError {
    /// It is not even a token.
    #[error("malformed page token: use the nextPageToken of the page before as it is")]
    Malformed,
    /// It is for pages of another length.
    #[error("token limit must be {0}")]
    OtherLimit(u16),
    /// It is for the first page, which has no token.
    #[error("token page must be greater than zero")]
    FirstPage,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_1_0() {
        for (limit, page, text) in
            [(100, 11_852, "ZABMLg=="), (19, 11_852, "EwBMLg=="), (12_482, 0, "wjAAAA==")]
        {
            let token = PageToken { limit, page };
            assert_eq!(token.encode(), text);
            assert_eq!(PageToken::decode(text), Ok(token));
        }
    }

    #[test]
    fn other_text_is_no_token() {
        for text in ["", "ZABMLg", "ZABM", "ZABMLgA=", "ZABMLh==", "????", "Z\u{e4}BMLg=="] {
            assert_eq!(PageToken::decode(text), Err(PageTokenError::Malformed), "{text}");
        }
    }

    #[test]
    fn a_token_is_for_pages_of_one_length_and_never_for_the_first() {
        let checked = [
            PageToken { limit: 100, page: 1 },
            PageToken { limit: 101, page: 1 },
            PageToken { limit: 100, page: 0 },
        ]
        .map(|token| token.check(100).map_err(|error| error.to_string()));

        assert_eq!(
            checked,
            [
                Ok(()),
                Err("token limit must be 100".to_owned()),
                Err("token page must be greater than zero".to_owned()),
            ]
        );
    }

    #[test]
    fn pages_cover_a_list_and_the_last_has_no_next() {
        let entries: Vec<u16> = (0..103).collect();
        let first = PageToken::first(60);
        let second = PageToken { limit: 60, page: 1 };

        assert_eq!(first.slice(&entries), (&entries[..60], Some(second)));
        assert_eq!(second.slice(&entries), (&entries[60..], None));
        assert_eq!(PageToken { limit: 60, page: 2 }.slice(&entries), (&[][..], None));
        assert_eq!(first.slice(&entries[..60]), (&entries[..60], None));
        assert_eq!(first.slice(&entries[..0]), (&[][..], None));
    }

    #[test]
    fn pages_beyond_the_65535th_entry_are_not_the_first_ones_again() {
        let entries: Vec<u32> = (0..65_700).collect();

        let (page, next) = PageToken { limit: 100, page: 656 }.slice(&entries);

        assert_eq!((page.first(), next), (Some(&65_600), None));
        assert_eq!(PageToken { limit: u16::MAX, page: u16::MAX }.slice(&entries), (&[][..], None));
    }
}
