//! What is made of samples.

use serde::Serialize;

/// The middle of the samples; of an even number, the mean of the two in the middle.
pub(crate) fn median(samples: &[f64]) -> Option<f64> {
    let sorted = sorted(samples);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// The smallest sample that 99 of 100 do not exceed; of up to a hundred, the largest.
pub(crate) fn p99(samples: &[f64]) -> Option<f64> {
    let sorted = sorted(samples);
    let rank = (sorted.len() * 99).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// What was measured, and how much of it there may be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// The figure in words, its unit included.
    pub(crate) figure: String,
    /// The budget in words.
    pub(crate) budget: String,
    /// Whether the figure is within the budget.
    pub(crate) met: bool,
}

impl Verdict {
    /// A figure that must not exceed its budget; both are told with so many decimals and a unit.
    pub(crate) fn at_most(figure: f64, budget: f64, decimals: usize, unit: &str) -> Self {
        Self {
            figure: format!("{figure:.decimals$}{unit}"),
            budget: format!("{budget}{unit}"),
            met: figure <= budget,
        }
    }

    /// A figure that must reach its budget.
    pub(crate) fn at_least(figure: f64, budget: f64, unit: &str) -> Self {
        Self {
            figure: format!("{}{unit}", thousands(figure)),
            budget: format!("{}{unit}", thousands(budget)),
            met: figure >= budget,
        }
    }

    /// The budget as the end of a line: `budget 1.3`, or `budget 1.3 missed`.
    pub(crate) fn budget(&self) -> String {
        let missed = if self.met { "" } else { " missed" };
        format!("budget {}{missed}", self.budget)
    }
}

/// A whole number with commas.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn one_sample_of_a_hundred_may_exceed_the_ninety_ninth_percentile() {
        let hundred: Vec<_> = (1..=100).rev().map(f64::from).collect();
        let two_hundred: Vec<_> = (1..=200).map(f64::from).collect();

        assert_eq!(p99(&hundred), Some(99.0));
        assert_eq!(p99(&two_hundred), Some(198.0));
        assert_eq!(p99(&[5.0, 7.0, 6.0]), Some(7.0));
        assert_eq!(p99(&[]), None);
    }

    #[test]
    fn a_budget_that_is_missed_says_so() {
        assert_eq!(Verdict::at_most(1.294, 1.3, 2, "").budget(), "budget 1.3");
        assert_eq!(Verdict::at_most(1.31, 1.3, 2, "").budget(), "budget 1.3 missed");
        assert_eq!(
            Verdict::at_least(99_999.0, 100_000.0, "/s"),
            Verdict { figure: "99,999/s".to_owned(), budget: "100,000/s".to_owned(), met: false }
        );
    }

    #[test]
    fn commas_stand_before_every_third_digit_from_the_end() {
        assert_eq!(
            [0.0, 999.0, 1000.0, 123_456.0, 1_234_567.0].map(thousands),
            ["0", "999", "1,000", "123,456", "1,234,567"]
        );
    }
}
