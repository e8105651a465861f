//! Every action by its name, found with a few of its letters.

use super::{
    keys::{Action, KEYS},
    model::Model,
};

/// What a line of the palette does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// An action on what is selected.
    Do(Action),
    /// An action on this batch.
    Batch(Action, String),
}

/// A line of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// The key that does the same, if there is one.
    pub key: &'static str,
    /// What it does.
    pub act: Act,
}

/// The lines that `typed` finds, best first; all of them where nothing was typed. Actions that the role may not do are
/// left out.
pub fn lines(model: &Model, typed: &str) -> Vec<Line> {
    let moves = [
        Action::Down,
        Action::Up,
        Action::PageDown,
        Action::PageUp,
        Action::First,
        Action::Last,
        Action::Open,
        Action::Back,
        Action::Palette,
    ];
    let mut all: Vec<Line> = KEYS
        .iter()
        .filter(|entry| entry.needs <= model.role && !moves.contains(&entry.action))
        .map(|entry| Line { name: entry.name.into(), key: entry.shown, act: Act::Do(entry.action) })
        .collect();
    for batch in &model.station.batches {
        let verbs: &[(Action, &str)] = match batch.state.as_str() {
            "draft" => &[(Action::StartBatch, "start"), (Action::CancelBatch, "cancel")],
            "paused" => &[(Action::StartBatch, "resume"), (Action::CancelBatch, "cancel")],
            "running" => &[(Action::PauseBatch, "pause")],
            _ => &[],
        };
        for (action, verb) in verbs.iter().filter(|(action, _)| model.may(*action)) {
            let act = Act::Batch(*action, batch.name.clone());
            all.push(Line { name: format!("{verb} batch {}", batch.name), key: "", act });
        }
    }
    let mut found: Vec<(usize, Line)> =
        all.into_iter().filter_map(|line| Some((distance(typed, &line.name)?, line))).collect();
    found.sort_by_key(|(distance, _)| *distance);
    found.into_iter().map(|(_, line)| line).collect()
}

/// How far `name` is from `typed`: none where a letter is missing or out of order, 0 for nothing typed. Letters that
/// begin a word or follow each other count as nearer, so that `sb` finds "start batch" before "scrub".
fn distance(typed: &str, name: &str) -> Option<usize> {
    let name: Vec<char> = name.to_lowercase().chars().collect();
    // The cost of the letters so far with the last of them at each place of the name; before the first, at none.
    let mut so_far: Vec<(Option<usize>, usize)> = vec![(None, 0)];
    for wanted in typed.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let hits = (0..name.len()).filter(|at| name[*at] == wanted);
        so_far = hits
            .filter_map(|at| {
                let before = so_far.iter().filter(|(last, _)| last.is_none_or(|last| last < at));
                let costs = before.map(|(last, cost)| {
                    cost + match last {
                        Some(last) if last + 1 == at => 0,
                        _ if at == 0 || !name[at - 1].is_alphanumeric() => 1,
                        Some(last) => 3 + at - last,
                        None => 4 + at,
                    }
                });
                Some((Some(at), costs.min()?))
            })
            .collect();
    }
    so_far.into_iter().map(|(_, cost)| cost).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::sample::model;

    #[test]
    fn a_few_letters_find_the_action() {
        let model = model(80, 24);
        let first = |typed: &str| lines(&model, typed).first().map(|line| line.name.clone());
        assert_eq!(first("pause spring").as_deref(), Some("pause batch spring"));
        assert_eq!(first("unl").as_deref(), Some("unlock the vault, or make it where there is none"));
        assert_eq!(first("stop").as_deref(), Some("stop the station after the burns in hand"));
        // The "s" that begins a word must not hide the one that leads on.
        assert_eq!(distance("sp", "spring station"), Some(1));
        assert!(distance("sp", "stop station").is_some());
        assert_eq!(first("zzzz"), None);
    }

    #[test]
    fn what_the_role_may_not_do_is_not_offered() {
        let mut model = model(80, 24);
        model.role = crate::face::Role::Observer;
        assert!(lines(&model, "").iter().all(|line| !line.name.contains("scrap")));
        assert!(lines(&model, "pause").iter().all(|line| !line.name.contains("batch")));
    }
}
