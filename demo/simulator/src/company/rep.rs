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
            skill: draw.normal(0.0, 0.35),
            optimism: draw.log_normal(1.1, 0.25),
            name: person(&mut draw),
            hired: start.plus_days(-30.0 - draw.exponential(900.0)),
        }
    };
    regions.enumerate().map(rep).collect()
}

/// A rep of this region.
pub fn of_region(team: &[Rep], region: Region, draw: &mut Draw) -> usize {
    let mut chosen = draw.whole(0, team.len() as i64 - 1) as usize;
    while team[chosen].region != region {
        chosen = (chosen + 1) % team.len();
    }
    chosen
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
