//! "Does it begin with 4 or 7?": which first digits tell the explanations apart, and what an answer makes of their odds.
//!
//! An answer weighs, it does not decide: a token whose clock is not known to the second may show the display before or
//! after, so an explanation whose display next to that of now begins so keeps a part of its odds.

use super::Found;
use crate::{
    diagnose::Diagnosis,
    domain::UnixMillis,
    face::{Lead, ShownRow},
};

/// An explanation less likely than this is no rival.
const RIVAL: f64 = 0.005;
/// How likely an explanation makes the display before or after that of now.
const BESIDE: f64 = 0.25;

/// What was said about the first digits of a display.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The digits.
    pub digits: String,
    /// When.
    pub at: UnixMillis,
    /// How likely each finding made it.
    pub likely: Vec<f64>,
    /// How likely it is by chance.
    pub chance: f64,
}

/// How the explanations stand after all answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Odds {
    /// For each finding, in the diagnosis's order.
    pub findings: Vec<f64>,
    /// For none of them.
    pub none: f64,
    /// By how much the answers lower the number of accidental hits.
    pub fewer: f64,
}

/// A question to the person at the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What rivals show, each with the same number of digits, ascending.
    pub options: Vec<String>,
}

impl Question {
    /// In words.
    pub fn words(&self) -> String {
        let (last, first) =
            self.options.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
        format!("does it begin with {} or {last}?", first.join(", "))
    }
}

/// Which of a row's displays is that of now.
pub fn place(row: &ShownRow, now: UnixMillis) -> usize {
    match (row.since, row.period) {
        (Some(since), Some(period)) => {
            let passed = now.floor_second().0.saturating_sub(since.0);
            usize::try_from(passed.div_euclid(i64::from(period.as_secs()))).unwrap_or(0)
        }
        // A counter's second one is the last that was shown.
        _ => 1,
    }
}

/// Seconds until a row's display changes; none for a counter.
pub fn seconds_left(row: &ShownRow, now: UnixMillis) -> Option<i64> {
    let (since, period) = (row.since?, i64::from(row.period?.as_secs()));
    Some(period - now.floor_second().0.saturating_sub(since.0).rem_euclid(period))
}

/// What the findings' odds are after all answers.
pub fn odds(diagnosis: &Diagnosis, answers: &[Answer]) -> Odds {
    let mut findings: Vec<f64> = diagnosis.findings.iter().map(|finding| finding.posterior).collect();
    let mut none = diagnosis.none_of_these;
    let mut fewer = 1.0;
    for answer in answers {
        for (odds, likely) in findings.iter_mut().zip(&answer.likely) {
            *odds *= likely;
        }
        none *= answer.chance;
        // What chance found would have passed with any of its three displays.
        fewer *= (answer.chance * (1.0 + 2.0 * BESIDE)).min(1.0);
    }
    let sum: f64 = findings.iter().sum::<f64>() + none;
    if sum > 0.0 {
        findings.iter_mut().for_each(|odds| *odds /= sum);
        none /= sum;
    }
    Odds { findings, none, fewer }
}

/// What to ask the person at the token, if a digit or two tell rivals apart now.
pub fn question(found: &Found, now: UnixMillis) -> Option<Question> {
    let odds = odds(found.diagnosis.as_ref()?, &found.answers);
    let share = |row: &ShownRow| -> f64 { row.findings.iter().filter_map(|n| odds.findings.get(*n)).sum() };
    let rivals: Vec<&str> = found
        .rows
        .iter()
        .filter(|row| share(row) >= RIVAL)
        .filter_map(|row| row.leads.get(place(row, now)).map(Lead::expose))
        .collect();
    let most = rivals.iter().map(|lead| lead.len()).min()?;
    (1..=most).find_map(|digits| {
        let mut options: Vec<String> =
            rivals.iter().map(|lead| lead.chars().take(digits).collect()).collect();
        options.sort();
        options.dedup();
        (options.len() > 1).then_some(Question { options })
    })
}

/// What it means that the display begins with `digits` now.
pub fn answer(found: &Found, digits: &str, now: UnixMillis) -> Answer {
    let count = found.diagnosis.as_ref().map_or(0, |diagnosis| diagnosis.findings.len());
    let begins = |lead: &Lead| {
        let lead = lead.expose();
        lead.starts_with(digits) || digits.starts_with(lead)
    };
    let chance = 10f64.powi(-i32::try_from(digits.len()).unwrap_or(1));
    // Findings that are in no row are judged by chance alone.
    let mut likely = vec![chance; count];
    for row in &found.rows {
        let here = place(row, now);
        let beside = [here.checked_sub(1), here.checked_add(1)];
        let seen = |at: usize| row.leads.get(at).is_some_and(begins);
        let weight = if seen(here) {
            1.0
        } else if beside.into_iter().flatten().any(seen) {
            BESIDE
        } else {
            0.0
        };
        for n in &row.findings {
            if let Some(likely) = likely.get_mut(*n) {
                *likely = weight;
            }
        }
    }
    Answer { digits: digits.to_owned(), at: now, likely, chance }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::{diagnose::sample::found, sample::NOW};

    #[test]
    fn the_question_names_the_digits_that_differ_and_no_more() {
        let one = found(&[("12", 0.6), ("47", 0.3), ("19", 0.09)]);
        assert_eq!(question(&one, NOW).unwrap().words(), "does it begin with 1 or 4?");
        let two = found(&[("12", 0.6), ("19", 0.3)]);
        assert_eq!(question(&two, NOW).unwrap().words(), "does it begin with 12 or 19?");
        let three = found(&[("12", 0.6), ("47", 0.2), ("90", 0.1)]);
        assert_eq!(question(&three, NOW).unwrap().words(), "does it begin with 1, 4 or 9?");
        assert_eq!(question(&found(&[("12", 0.6), ("12", 0.3)]), NOW), None);
        assert_eq!(question(&found(&[("12", 0.99), ("47", 0.001)]), NOW), None, "no rival");
        assert_eq!(question(&found(&[]), NOW), None);
    }

    #[test]
    fn an_answer_settles_it_and_may_be_that_of_the_display_beside() {
        let mut found = found(&[("12", 0.5), ("47", 0.5)]);
        found.answers.push(answer(&found, "4", NOW));
        let diagnosis = found.diagnosis.as_ref().unwrap();
        let settled = odds(diagnosis, &found.answers);
        assert!(settled.findings[0] == 0.0 && settled.findings[1] > 0.99, "{settled:?}");
        assert!(settled.fewer < 0.2);
        assert_eq!(question(&found, NOW), None);
        // In the samples the display after that of now is the same, turned round.
        let beside = answer(&found, "21", NOW);
        assert_eq!(beside.likely, [BESIDE, 0.0]);
        // More digits than were told are compared as far as they go.
        assert_eq!(answer(&found, "471", NOW).likely, [0.0, 1.0]);
    }

    #[test]
    fn odds_add_up_to_one_and_nobody_is_left_where_nothing_fits() {
        let mut found = found(&[("12", 0.5), ("47", 0.4)]);
        found.answers.push(answer(&found, "9", NOW));
        let odds = odds(found.diagnosis.as_ref().unwrap(), &found.answers);
        assert!((odds.findings.iter().sum::<f64>() + odds.none - 1.0).abs() < 1e-9);
        assert!(odds.none > 0.999, "{odds:?}");
        assert_eq!(question(&found, NOW), None);
    }

    #[test]
    fn the_table_moves_on_with_time() {
        let found = found(&[("12", 0.5)]);
        let row = &found.rows[0];
        assert_eq!((place(row, NOW), seconds_left(row, NOW)), (1, Some(20)));
        let later = NOW.plus(20_000);
        assert_eq!((place(row, later), seconds_left(row, later)), (2, Some(30)));
    }
}
