//! Consent to being written to or called.

use super::contact::Contact;
use crate::draw::Draw;
use crate::moment::Moment;
use crate::table::{Cell, Dirt, Table};

/// Adds the consent events of an account's contacts to the export: seven of ten agree to email within days,
/// four of ten to calls, and some withdraw later.
pub fn export(contacts: &[Contact], account: &str, draw: &mut Draw, now: Moment, table: &mut Table) {
    for contact in contacts {
        for (channel, agrees) in [("email", 0.7), ("phone", 0.4)] {
            let granted = contact.known.plus_days(draw.exponential(4.0));
            let withdrawn = granted.plus_days(draw.exponential(1500.0));
            if !draw.chance(agrees) {
                continue;
            }
            for (at, state) in [(granted, "granted"), (withdrawn, "withdrawn")] {
                let recorded = draw.recorded(at, 0.02, now);
                let row = [
                    Cell::Text(&contact.id),
                    Cell::Text(account),
                    Cell::When(at),
                    Cell::Text(channel),
                    Cell::Text(state),
                    Cell::When(recorded),
                ];
                if at < now {
                    table.push(at, &row);
                }
            }
        }
    }
}

/// An empty export of consent events.
pub fn table() -> Table {
    let header = &["contact_id", "account_id", "at", "channel", "state", "recorded_at"];
    Table::new("consent_events", header, Dirt { repeated: 0.003, malformed: 1 })
}
