//! Page tokens, and the pages that they stand for.

#![no_main]

use fleet_units::api::PageToken;
use libfuzzer_sys::fuzz_target;

const ENTRIES: usize = 100;

fuzz_target!(|text: &str| {
    let token = match PageToken::decode(text) {
        Ok(token) => token,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(token.encode(), text);
    let entries: Vec<usize> = (0..ENTRIES).collect();
    let (page, next) = token.slice(&entries);
    assert!(page.len() <= usize::from(token.limit));
    assert!(next.is_none_or(|next| next.limit == token.limit && next.page > token.page));
});
