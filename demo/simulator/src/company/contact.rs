//! People at an account, and their part in a purchase.

use super::names::person;
use crate::draw::Draw;
use crate::moment::Moment;
use crate::table::{Cell, Dirt, Table};

/// Parts in a purchase.
pub const ROLES: [&str; 5] = ["buyer", "decision maker", "user", "finance", "champion"];
/// The position of the one who decides.
pub const DECISION_MAKER: usize = 1;

/// A person at an account.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Id in the CRM.
    pub id: String,
    /// Position in [`ROLES`].
    pub role: usize,
    /// When the CRM first knew them.
    pub known: Moment,
    name: String,
}

/// The contacts of an account: one from the beginning, others as they turn up, six at most.
pub fn simulate(draw: &mut Draw, account: &str, from: Moment, now: Moment) -> Vec<Contact> {
    let later = draw.moments(0.9 / 365.0, from, now);
    let known = std::iter::once(from).chain(later).take(6);
    let numbered: Vec<(usize, Moment)> = known.enumerate().collect();
    let person = |(number, known): (usize, Moment)| Contact {
        id: format!("{}-{}", account.replace("ACC", "CON"), number + 1),
        role: draw.weighted(&[5.0, 3.0, 2.0, 1.0, 1.5]),
        known: known.in_office_hours().max(from),
        name: person(draw),
    };
    numbered.into_iter().map(person).collect()
}

/// Adds the contacts of an account to the export.
pub fn export(contacts: &[Contact], account: &str, draw: &mut Draw, now: Moment, table: &mut Table) {
    for contact in contacts {
        let user = contact.name.to_lowercase().replace(' ', ".");
        let email = format!("{user}@{}.example.com", account.to_lowercase());
        let phone = format!("+44 1632 96{:04}", draw.whole(0, 9999));
        let row = [
            Cell::Text(&contact.id),
            Cell::Text(account),
            Cell::When(contact.known),
            Cell::Text(&contact.name),
            if draw.chance(0.04) { Cell::Nothing } else { Cell::Text(ROLES[contact.role]) },
            if draw.chance(0.08) { Cell::Nothing } else { Cell::Text(&email) },
            if draw.chance(0.4) { Cell::Nothing } else { Cell::Text(&phone) },
            Cell::When(draw.recorded(contact.known, 0.03, now)),
        ];
        table.push(contact.known, &row);
    }
}

/// An empty export of contacts.
pub fn table() -> Table {
    let header = &["contact_id", "account_id", "created_at", "name", "role", "email", "phone", "recorded_at"];
    Table::new("contacts", header, Dirt { repeated: 0.006, malformed: 2 })
}
