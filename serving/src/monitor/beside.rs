//! From logged scores to champion and challenger.

use super::outcome::Outcome;
use super::variants::{Pair, Told, VariantComparison, VariantReport, apart, paired};
use super::{LastOfDay, Seen};
use crate::challenger::Variant;
use crate::score_log::read::LoggedScore;

/// Champion and challenger, where one was tried out, and how they compare: pair by pair when the challenger was a
/// shadow, group by group when it answered some.
///
/// A pair is the last score of an entity on a day with the shadow's of the same moment. Scores that a request asked of
/// another alias, or of a version by number, are nobody's part.
pub fn variants(
    served: &LastOfDay,
    shadows: &LastOfDay,
    outcome: &dyn Fn(&str, &LoggedScore) -> Option<Outcome>,
) -> (Vec<VariantReport>, Option<VariantComparison>) {
    let of = |rows: &LastOfDay, part: fn(&LoggedScore) -> bool| -> Vec<Judged> {
        let rows = rows.iter().map(|((key, _), seen)| (key, &seen.score)).filter(|(_, row)| part(row));
        rows.filter_map(|(key, row)| Some((key.clone(), row.clone(), outcome(key, row)?.known()))).collect()
    };
    let (champion, challenger) = (of(served, is_champion), of(served, is_challenger));
    let shadow = of(shadows, |_| true);
    if challenger.is_empty() && shadow.is_empty() {
        return (Vec::new(), None);
    }
    let mut reports = vec![VariantReport::of(Variant::Champion.as_str(), &told(&champion))];
    for (variant, rows) in [(Variant::Challenger, &challenger), (Variant::Shadow, &shadow)] {
        if !rows.is_empty() {
            reports.push(VariantReport::of(variant.as_str(), &told(rows)));
        }
    }
    let comparison = match shadow.is_empty() {
        true => apart(&told(&champion), &told(&challenger)),
        false => paired(&pairs(served, shadows, outcome)),
    };
    (reports, Some(comparison))
}

/// A key, its score, and its outcome where that is known.
type Judged = (String, LoggedScore, Option<bool>);

fn told(rows: &[Judged]) -> Vec<Told<'_>> {
    let one = |row| {
        let (key, score, outcome): &Judged = row;
        Told { key, version: score.head.version, output: score.output, outcome: *outcome }
    };
    rows.iter().map(one).collect()
}

fn is_champion(row: &LoggedScore) -> bool {
    row.head.alias.as_deref() == Some(Variant::Champion.as_str())
}

fn is_challenger(row: &LoggedScore) -> bool {
    row.head.variant.as_deref() == Some(Variant::Challenger.as_str())
}

fn pairs<'a>(
    served: &'a LastOfDay,
    shadows: &LastOfDay,
    outcome: &dyn Fn(&str, &LoggedScore) -> Option<Outcome>,
) -> Vec<Pair<'a>> {
    let champions = served.iter().filter(|(_, seen)| is_champion(&seen.score));
    let pair = |((key, day), Seen { score: row, .. }): (&'a (String, i64), &'a Seen)| {
        let shadow = &shadows.get(&(key.clone(), *day))?.score;
        if shadow.head.as_of != row.head.as_of {
            return None;
        }
        let outcome = outcome(key, row)?.known()?;
        Some(Pair { key, champion: row.output, challenger: shadow.output, outcome })
    };
    champions.filter_map(pair).collect()
}
