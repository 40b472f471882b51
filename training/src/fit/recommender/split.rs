//! What is held back so that candidates can be compared: the latest stretch of time, or some of each user's items.

use rand::SeedableRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use scorehouse_features::time::Timestamp;
use scorehouse_models::predictor::recommender::{Past, Repeat};

use super::log::InteractionLog;

/// A log with part of it held back.
#[derive(Debug, Clone)]
pub struct Split {
    /// What may be learnt from.
    pub train: InteractionLog,
    /// The moment between the two parts.
    pub as_of: Timestamp,
    /// The users asked about, and what they took up after all.
    pub held: Vec<Held>,
    /// True when it was split by time.
    pub by_time: bool,
}

/// One user with a past and something held back.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The user's number.
    pub user: u32,
    /// The past that may be read.
    pub past: Vec<Past>,
    /// Items held back that may be suggested, ascending; never empty.
    pub targets: Vec<u32>,
}

/// Share of a log's rows held back by time.
const LATEST: f64 = 0.1;
/// Share of a user's items held back when there is no time.
const LEFT_OUT: f64 = 0.2;
/// At most this many users are asked about: more would not make a choice any safer.
const MOST_USERS: usize = 5000;
/// A split by time with fewer users than this to ask about gives way to one by users.
const FEWEST_USERS: usize = 30;

/// Splits by time where there is time and enough users on both sides of a cut, else leaves out a fifth of each user's
/// items, drawn by `seed`.
#[must_use]
pub fn split(log: &InteractionLog, repeat: Repeat, seed: u64) -> Split {
    if log.timed {
        let split = by_time(log, repeat, seed);
        if split.held.len() >= FEWEST_USERS {
            return split;
        }
    }
    by_user(log, seed)
}

fn by_time(log: &InteractionLog, repeat: Repeat, seed: u64) -> Split {
    let at = (log.rows.len() as f64 * (1.0 - LATEST)) as usize;
    let as_of = log.rows.get(at).map_or(log.until(), |row| row.time);
    let train = log.filtered(|_, row| row.time < as_of);
    let known: Vec<bool> = known_items(&train);
    let mut later: Vec<Vec<u32>> = vec![Vec::new(); log.users.len()];
    for row in log.rows.iter().filter(|row| row.time >= as_of && row.weight > 0.0 && known[row.item as usize])
    {
        later[row.user as usize].push(row.item);
    }
    let mut held: Vec<Held> = Vec::new();
    for (user, (past, targets)) in train.pasts(as_of).into_iter().zip(later).enumerate() {
        let held_user = Held { user: user as u32, targets: suggestible(targets, &past, repeat, as_of), past };
        if !held_user.past.is_empty() && !held_user.targets.is_empty() {
            held.push(held_user);
        }
    }
    thin(&mut held, seed);
    Split { train, as_of, held, by_time: true }
}

fn by_user(log: &InteractionLog, seed: u64) -> Split {
    let as_of = log.until();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let users: Vec<(u32, Vec<Past>)> = log
        .pasts(as_of)
        .into_iter()
        .enumerate()
        .filter(|(_, past)| past.len() >= 2)
        .map(|(user, past)| (user as u32, past))
        .collect();
    // Everybody's items are left out, not only those of the users asked: had the others kept theirs, what goes
    // with what would be known better than it ever is of things still to come.
    let mut left_out: Vec<Vec<u32>> = vec![Vec::new(); log.users.len()];
    for (user, past) in &users {
        let count = ((past.len() as f64 * LEFT_OUT).round() as usize).clamp(1, past.len() - 1);
        let mut items: Vec<u32> = past.sample(&mut rng, count).map(|p| p.item).collect();
        items.sort_unstable();
        left_out[*user as usize] = items;
    }
    let train = log.filtered(|_, row| left_out[row.user as usize].binary_search(&row.item).is_err());
    let known = known_items(&train);
    let mut held: Vec<Held> = Vec::new();
    for (user, mut past) in users {
        let mut targets = std::mem::take(&mut left_out[user as usize]);
        past.retain(|p| targets.binary_search(&p.item).is_err());
        targets.retain(|item| known[*item as usize]);
        if !targets.is_empty() {
            held.push(Held { user, past, targets });
        }
    }
    thin(&mut held, seed);
    Split { train, as_of, held, by_time: false }
}

fn known_items(log: &InteractionLog) -> Vec<bool> {
    let mut known = vec![false; log.items.len()];
    log.rows.iter().for_each(|row| known[row.item as usize] = true);
    known
}

/// What may count as found: each item once, without those the repeat rule would never let through.
#[must_use]
pub fn suggestible(mut targets: Vec<u32>, past: &[Past], repeat: Repeat, as_of: Timestamp) -> Vec<u32> {
    targets.sort_unstable();
    targets.dedup();
    targets.retain(|item| match past.binary_search_by_key(item, |p| p.item) {
        Ok(at) => !repeat.forbids(past[at].last, as_of),
        Err(_) => true,
    });
    targets
}

fn thin(held: &mut Vec<Held>, seed: u64) {
    if held.len() > MOST_USERS {
        held.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        held.truncate(MOST_USERS);
        held.sort_by_key(|h| h.user);
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::{LogBuilder, Named};
    use super::*;
    use scorehouse_features::time::DAY;

    fn log(timed: bool) -> InteractionLog {
        let mut builder = LogBuilder::new(timed);
        for user in 0..200i64 {
            for n in 0..10i64 {
                let (name, item) = (format!("u{user}"), format!("i{}", (user * 3 + n * 7) % 50));
                let time = Some(Timestamp((n * 20 + user % 20) * DAY));
                builder.add(Named { user: &name, item: &item, weight: 1.0, time, basket: None });
            }
        }
        builder.finish()
    }

    #[test]
    fn nothing_learnt_from_is_later_than_what_is_asked() {
        let split = split(&log(true), Repeat::Never, 1);
        assert!(split.by_time && split.held.len() > 100);
        assert!(split.train.rows.iter().all(|row| row.time < split.as_of));
        for held in &split.held {
            assert!(held.targets.iter().all(|t| held.past.iter().all(|p| p.item != *t)));
        }
    }

    #[test]
    fn without_time_items_are_left_out_and_not_learnt_from() {
        let split = split(&log(false), Repeat::Never, 1);
        assert!(!split.by_time && split.held.len() > 150);
        for held in &split.held {
            assert_eq!(held.targets.len(), 2);
            let mut rows = split.train.rows.iter().filter(|row| row.user == held.user);
            assert!(rows.all(|row| !held.targets.contains(&row.item)));
        }
    }

    #[test]
    fn a_split_depends_on_nothing_but_the_log_and_the_seed() {
        let users = |seed| split(&log(false), Repeat::Never, seed).held;
        assert_eq!(users(7), users(7));
        assert_ne!(users(7), users(8));
    }
}
