//! The least effort that takes a score across a threshold.

use crate::what_if::Choice;

/// Combinations that are carried on from one change to the next.
const BEAM: usize = 8;
/// Most changes at once.
const MOST: usize = 3;

/// Where a score is to get to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// The probability to be crossed, 0 to 1.
    pub threshold: f64,
    /// True: from below it to it or above; false: from it or above to below it.
    pub up: bool,
    /// How many inputs may change together, 1 to 3.
    pub changes: usize,
}

impl Goal {
    /// Across `threshold` from where the score stands.
    #[must_use]
    pub fn across(threshold: f64, now: f64, changes: usize) -> Self {
        Self { threshold, up: now < threshold, changes: changes.clamp(1, MOST) }
    }

    /// True for a score that is there.
    #[must_use]
    pub fn reached(&self, probability: f64) -> bool {
        (probability >= self.threshold) == self.up
    }

    /// How far a score has come: more is nearer.
    fn progress(&self, probability: f64) -> f64 {
        if self.up { probability } else { -probability }
    }
}

/// A change that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// For each lever that moves, its number and that of its choice, by lever.
    pub moves: Vec<(usize, usize)>,
    /// The score it leads to.
    pub probability: f64,
    /// True when that crosses the threshold; false: nothing plausible does, and this comes nearest.
    pub reached: bool,
}

/// A combination on the way.
#[derive(Debug, Clone)]
struct State {
    moves: Vec<(usize, usize)>,
    probability: f64,
    effort: f64,
}

/// Looks for the least effort: every choice of one lever, nearest first, so that one change is found exactly; then
/// pairs and triples from the eight combinations that came furthest, after which every change is taken back as far as
/// the goal allows. None when no lever has a choice.
///
/// `levers` holds the choices of each, nearest first. `evaluate` scores the row with these moves made.
///
/// # Errors
/// What `evaluate` reports.
pub fn search<E>(
    levers: &[Vec<Choice>],
    goal: Goal,
    evaluate: &mut dyn FnMut(&[(usize, usize)]) -> Result<f64, E>,
) -> Result<Option<Found>, E> {
    let mut beam = vec![State { moves: Vec::new(), probability: f64::NAN, effort: 0.0 }];
    let mut nearest: Option<State> = None;
    for _ in 0..goal.changes {
        let mut reached: Option<State> = None;
        let mut next = Vec::new();
        for state in &beam {
            for (lever, choices) in levers.iter().enumerate() {
                if state.moves.iter().any(|(moved, _)| *moved == lever) {
                    continue;
                }
                let tried = along(state, (lever, choices), goal, evaluate)?;
                let Some(last) = tried.last() else { continue };
                if goal.reached(last.probability) {
                    reached = less(reached, last.clone());
                } else {
                    next.extend(furthest(&tried, goal));
                }
            }
        }
        if let Some(state) = reached {
            let state = taken_back(state, levers, goal, evaluate)?;
            return Ok(Some(Found { moves: state.moves, probability: state.probability, reached: true }));
        }
        next.sort_by(|a, b| goal.progress(b.probability).total_cmp(&goal.progress(a.probability)));
        next.dedup_by(|a, b| a.moves == b.moves);
        next.truncate(BEAM);
        if let Some(best) = next.first()
            && nearest.as_ref().is_none_or(|n| goal.progress(best.probability) > goal.progress(n.probability))
        {
            nearest = Some(best.clone());
        }
        beam = next;
    }
    let found = |state: State| Found { moves: state.moves, probability: state.probability, reached: false };
    Ok(nearest.map(found))
}

/// Moves one lever further and further, until the goal is reached or nothing is left.
fn along<E>(
    state: &State,
    (lever, choices): (usize, &[Choice]),
    goal: Goal,
    evaluate: &mut dyn FnMut(&[(usize, usize)]) -> Result<f64, E>,
) -> Result<Vec<State>, E> {
    let mut tried = Vec::with_capacity(choices.len());
    for (number, choice) in choices.iter().enumerate() {
        let mut moves = state.moves.clone();
        moves.push((lever, number));
        moves.sort_unstable();
        let probability = evaluate(&moves)?;
        tried.push(State { moves, probability, effort: state.effort + choice.effort });
        if goal.reached(probability) {
            break;
        }
    }
    Ok(tried)
}

/// The one that came furthest, the nearest of equals.
fn furthest(tried: &[State], goal: Goal) -> Option<State> {
    let better = |a: &State, b: &State| goal.progress(b.probability) > goal.progress(a.probability);
    tried.iter().reduce(|a, b| if better(a, b) { b } else { a }).cloned()
}

fn less(standing: Option<State>, other: State) -> Option<State> {
    match standing {
        Some(state) if state.effort <= other.effort => Some(state),
        _ => Some(other),
    }
}

/// Takes every move back as far as the goal stays reached.
fn taken_back<E>(
    mut state: State,
    levers: &[Vec<Choice>],
    goal: Goal,
    evaluate: &mut dyn FnMut(&[(usize, usize)]) -> Result<f64, E>,
) -> Result<State, E> {
    if state.moves.len() < 2 {
        return Ok(state);
    }
    for at in 0..state.moves.len() {
        let (lever, chosen) = state.moves[at];
        for number in 0..chosen {
            let mut moves = state.moves.clone();
            moves[at] = (lever, number);
            let probability = evaluate(&moves)?;
            if goal.reached(probability) {
                let saved = levers[lever][chosen].effort - levers[lever][number].effort;
                state = State { moves, probability, effort: state.effort - saved };
                break;
            }
        }
    }
    Ok(state)
}
