//! The way of a cut-over as a line of states, with the one where the cluster stands.

use crate::answers::chain::LinkState;
use crate::answers::cutover::{Goal, State};
use crate::report::lines::Page;
use crate::report::marks::{arrow, coloured};

/// The states of the way to isolation, with a word for each.
const WAY: [(State, &str); 5] = [
    (State::S0, "S0 Direct"),
    (State::S1, "S1 ready"),
    (State::S2, "S2 Cache"),
    (State::S3, "S3 reimaged"),
    (State::S4, "S4 isolated"),
];

/// Draws the way, and marks where the cluster stands on it.
pub(super) fn draw(page: &mut Page, state: State, goal: &Goal) {
    let back = *goal == Goal::Direct;
    let mut way: Vec<(State, &str)> = WAY.to_vec();
    if back {
        way.reverse();
    }
    let here: Vec<usize> = (0..way.len()).filter(|at| covers(state, way[*at].0)).collect();
    let gap = format!(" {} ", arrow(3));
    let (mut names, mut marks, mut start) = (" ".to_owned(), " ".to_owned(), 0);
    for (at, (_, name)) in way.iter().enumerate() {
        let columns = 2 + name.chars().count();
        // What lies behind is done; S5 and a change of registry lie beside the way.
        let done = here.first().is_some_and(|first| at < *first) && !back;
        names.push_str(&format!("{} {name}", if done { coloured(LinkState::Ok) } else { " ".to_owned() }));
        if at + 1 < way.len() {
            names.push_str(&gap);
        }
        if here.first() == Some(&at) {
            marks.push_str(&" ".repeat(start + 2));
        }
        start += columns + 5;
    }
    page.line("");
    page.line(names.trim_end());
    page.line(&format!("{marks}▲ {}", words(state)));
}

/// Whether a cluster in this state may stand there.
fn covers(state: State, place: State) -> bool {
    match state {
        State::S0OrS1 => matches!(place, State::S0 | State::S1),
        State::S2OrS3 => matches!(place, State::S2 | State::S3),
        State::S4OrS5 | State::S5 | State::ChangingRegistry => place == State::S4,
        own => own == place,
    }
}

fn words(state: State) -> &'static str {
    match state {
        State::S5 => "you are here, but broken (S5)",
        State::ChangingRegistry => "you are here, changing the registry",
        State::S0OrS1 | State::S2OrS3 => "you are here or one further: not seen",
        State::S4OrS5 => "you are here, or it is broken (S5): not seen",
        _ => "you are here",
    }
}
