//! Sales reps.

use super::names::person;
use super::place::Region;
use crate::draw::Draw;
use crate::moment::Moment;
use crate::table::{Cell, Dirt, Table};

/// Reps for each generation of customers, by region.
const TEAM: [(Region, u64); 3] = [(Region::Uk, 14), (Region::Europe, 6), (Region::World, 4)];

/// A sales rep.
#[derive(Debug, Clone)]
pub struct Rep {
    /// Id in the CRM.
    pub id: String,
    /// Where their accounts are.
    pub region: Region,
    /// Adds to the log-odds of every deal of theirs.
    pub skill: f64,
    /// Multiplies what they commit to: above 1, they promise too much.
    pub optimism: f64,
    name: String,
    hired: Moment,
}

/// The reps who look after copy `copy` of the customers.
pub fn team(seed: u64, copy: u32, start: Moment) -> Vec<Rep> {
    let regions = TEAM.iter().flat_map(|(region, size)| (0..*size).map(|_| *region));
    let rep = |(place, region): (usize, Region)| {
        let number = u64::from(copy) * 24 + place as u64 + 1;
        let mut draw = Draw::new(seed, "rep", number);
        Rep {
            id: format!("R{number:03}"),
            region,
            skill: draw.normal(0.0, 0.4),
            optimism: draw.log_normal(1.1, 0.25),
            name: person(&mut draw),
            hired: start.plus_days(-30.0 - draw.exponential(900.0)),
        }
    };
    let mut team: Vec<Rep> = regions.enumerate().map(rep).collect();
    for (region, size) in TEAM {
        // Some reps are better than others, but no team: the share of deals won must not hang on the seed.
        let sum: f64 = team.iter().filter(|rep| rep.region == region).map(|rep| rep.skill).sum();
        team.iter_mut().filter(|rep| rep.region == region).for_each(|rep| rep.skill -= sum / size as f64);
    }
    team
}

/// A rep of this region.
pub fn of_region(team: &[Rep], region: Region, draw: &mut Draw) -> usize {
    let weights: Vec<f64> = team.iter().map(|rep| f64::from(u8::from(rep.region == region))).collect();
    draw.weighted(&weights)
}

/// An empty export of reps.
pub fn table() -> Table {
    Table::new("sales_reps", &["rep_id", "hired_at", "name", "region"], Dirt::default())
}

/// Adds the team to the export.
pub fn export(team: &[Rep], table: &mut Table) {
    for rep in team {
        let region = Cell::Text(rep.region.name());
        table.push(rep.hired, &[Cell::Text(&rep.id), Cell::When(rep.hired), Cell::Text(&rep.name), region]);
    }
}
