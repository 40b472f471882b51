//! What the score log keeps, read back.

use scorehouse::replay::{Replay, SkewReport};
use scorehouse::score_log::folder;
use scorehouse::score_log::read::{LoggedList, LoggedScore, Range, lists, scores};
use scorehouse::stores::open_history;

use crate::fixture::Fixture;

/// Waits until all that was answered, by champions and shadows, is in the log.
pub fn settle(fixture: &Fixture) {
    fixture.state.shadows.settle();
    fixture.state.score_log.flush().unwrap();
}

/// The scores of a model that are in the log.
pub fn logged(fixture: &Fixture, model: &str) -> Vec<LoggedScore> {
    let mut rows = Vec::new();
    scores(&folder(&fixture.state.project.state), model, Range::ALL, &mut |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    rows
}

/// The lists of a model that are in the log.
pub fn listed(fixture: &Fixture, model: &str) -> Vec<LoggedList> {
    let mut rows = Vec::new();
    lists(&folder(&fixture.state.project.state), model, Range::ALL, &mut |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    rows
}

/// Computes all again, once all is in the log. History has a runtime of its own, so it is asked on a thread that has
/// none.
pub fn replay(fixture: &Fixture) -> SkewReport {
    settle(fixture);
    let (project, registry) = (&fixture.state.project, fixture.registry.as_ref());
    let run = || {
        let store = open_history(project).unwrap();
        store.drain_log(project).unwrap();
        Replay { project, store: &store, registry, range: Range::ALL }.run(None).unwrap()
    };
    std::thread::scope(|threads| threads.spawn(run).join().unwrap())
}
