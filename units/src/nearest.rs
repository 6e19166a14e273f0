//! What somebody may have meant who wrote a word that nobody knows.

/// Longer words are nobody's typing error.
const MAX_LENGTH: usize = 64;

/// Finds the known word that is most like `word`, regardless of case; `None` if none is close.
///
/// The earlier of two equally close words wins.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written: Vec<char> = word.to_lowercase().chars().take(MAX_LENGTH).collect();
    let tolerance = (written.len() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| {
            let candidate_chars: Vec<char> = candidate.to_lowercase().chars().collect();
            (distance(&written, &candidate_chars), candidate)
        })
        .filter(|(distance, candidate)| *distance <= tolerance && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Number of insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, left_char) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_char) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(left_char != right_char);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0
                && column > 0
                && left[row - 1] == *right_char
                && *left_char == right[column - 1];
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = last;
        last = current;
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_despite_a_slip() {
        let known = ["agent_ttl", "engine_ttl", "etcd_servers", "metadata"];
        for (word, expected) in [
            ("agent_ttl", Some("agent_ttl")),
            ("agnet_ttl", Some("agent_ttl")),
            ("agent-ttl", Some("agent_ttl")),
            ("ETCD_SERVER", Some("etcd_servers")),
            ("metdata", Some("metadata")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn a_short_word_may_have_one_slip() {
        assert_eq!(nearest("pt", ["op"]), None);
        assert_eq!(nearest("ip", ["op"]), Some("op"));
    }

    #[test]
    fn the_closest_word_wins_and_of_equals_the_first() {
        assert_eq!(nearest("stap", ["step", "stop"]), Some("step"));
        assert_eq!(nearest("sotp", ["shop", "stop"]), Some("stop"));
    }

    #[test]
    fn the_distance_counts_slips() {
        for (left, right, expected) in [
            ("abc", "abc", 0),
            ("abc", "acb", 1),
            ("abc", "ab", 1),
            ("abc", "xbcd", 2),
            ("", "abc", 3),
        ] {
            let [left, right] = [left, right].map(|word| word.chars().collect::<Vec<_>>());
            assert_eq!(distance(&left, &right), expected, "{left:?} {right:?}");
        }
    }
}
