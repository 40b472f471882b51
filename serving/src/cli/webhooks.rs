//! `scorehouse webhooks`: what could not be delivered.

use serde::Serialize;

use crate::changes::{ChangeStore, DeliveryState};
use crate::cli::args::WebhooksCommand;
use crate::cli::failure::Outcome;
use crate::cli::output::{Report, show, table};
use crate::cli::session::{Session, actor};
use crate::service::changes::{DeliveriesAnswer, DeliveriesAsked, RedeliverAnswer, check_webhook, list};

/// Runs `scorehouse webhooks`.
///
/// # Errors
/// A failure with its fault.
pub fn run(session: &Session, command: &WebhooksCommand) -> Outcome<()> {
    let store = ChangeStore::open(&session.project.state)?;
    match command {
        WebhooksCommand::List { webhook, state, limit } => {
            let (webhook, state, limit) = (webhook.clone(), state.clone(), Some(*limit));
            Ok(show(&list(&store, &DeliveriesAsked { webhook, state, limit })?, session.json)?)
        }
        WebhooksCommand::Redeliver { webhook, deliveries } => {
            check_webhook(&session.project, webhook)?;
            let ids = (!deliveries.is_empty()).then_some(deliveries.as_slice());
            let redelivered = store.redeliver(webhook, ids, (&actor(), session.clock.now()))?;
            Ok(show(&Shown(RedeliverAnswer { redelivered }), session.json)?)
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(RedeliverAnswer);

impl Report for Shown {
    fn human(&self) -> String {
        match self.0.redelivered {
            0 => "nothing was given up".to_owned(),
            count => format!("{count} will be delivered again by the server"),
        }
    }
}

impl Report for DeliveriesAnswer {
    fn human(&self) -> String {
        if self.deliveries.is_empty() {
            return "everything is delivered".to_owned();
        }
        let rows = self.deliveries.iter().map(|delivery| {
            let state = if delivery.state == DeliveryState::Dead { "dead" } else { "waiting" };
            vec![
                delivery.id.to_string(),
                delivery.webhook.clone(),
                delivery.change.to_string(),
                state.to_owned(),
                delivery.attempts.to_string(),
                delivery.tried.map_or_else(|| "–".to_owned(), |at| at.to_string().chars().take(19).collect()),
                delivery.error.clone().unwrap_or_default(),
            ]
        });
        table(
            &["delivery", "webhook", "change", "state", "attempts", "last tried", "error"],
            &[0, 2, 4],
            rows,
        )
    }
}
