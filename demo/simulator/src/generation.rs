//! A generation of customers: the real ones, or one copy of them, with everything around them.

use std::path::Path;

use crate::company::account::{self, Account, PROSPECT_SHARE, Period};
use crate::company::catalogue::Catalogue;
use crate::company::rep::{self, Rep};
use crate::company::stock::StockLevels;
use crate::company::{consent, contact, credit, ticket, visit};
use crate::deal::export::DealTables;
use crate::deal::truth::Tally;
use crate::deal::{Deal, Event, Shelf, commit, deals_of, truth};
use crate::draw::{Draw, mix};
use crate::error::SimulationError;
use crate::moment::Moment;
use crate::orders::{Orders, PurchaseHistory};
use crate::report::WrittenFile;
use crate::table::{Table, TableFile};

/// One generation.
#[derive(Debug, Clone, Copy)]
pub struct Generation<'a> {
    /// 0 for the real customers.
    pub copy: u32,
    /// Products.
    pub catalogue: &'a Catalogue,
    /// Their stock.
    pub stock: &'a [StockLevels],
    /// Seed and time.
    pub period: Period,
}

/// What has been numbered so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Customers.
    pub customers: u64,
    /// Accounts.
    pub accounts: u64,
    deals: u64,
}

/// The exports that grow with the customers, and the truth, with their files.
#[derive(Debug)]
pub struct Exports {
    files: Vec<TableFile>,
}

/// The exports of one generation, in the order of their files.
fn tables() -> Tables {
    Tables {
        accounts: account::table(),
        customers: account::customer_table(),
        contacts: contact::table(),
        consent: consent::table(),
        credit: credit::table(),
        tickets: ticket::table(),
        visits: visit::table(),
        reps: rep::table(),
        commits: commit::table(),
        deals: DealTables::new(),
        truth: truth::table(),
    }
}

struct Tables {
    accounts: Table,
    customers: Table,
    contacts: Table,
    consent: Table,
    credit: Table,
    tickets: Table,
    visits: Table,
    reps: Table,
    commits: Table,
    deals: DealTables,
    truth: Table,
}

impl Tables {
    /// All tables; the truth last.
    fn into_list(self) -> Vec<Table> {
        let mut list = vec![
            self.accounts,
            self.customers,
            self.contacts,
            self.consent,
            self.credit,
            self.tickets,
            self.visits,
            self.reps,
            self.commits,
        ];
        list.extend(self.deals.into_tables());
        list.push(self.truth);
        list
    }
}

impl Exports {
    /// Makes the files.
    ///
    /// # Errors
    /// [`SimulationError::File`] when one cannot be written.
    pub fn create(exports: &Path, truth: &Path) -> Result<Self, SimulationError> {
        let list = tables().into_list();
        let last = list.len() - 1;
        let files = list
            .iter()
            .enumerate()
            .map(|(place, table)| TableFile::create(if place == last { truth } else { exports }, table));
        Ok(Self { files: files.collect::<Result<_, _>>()? })
    }

    fn append(&mut self, tables: Tables, seed: u64, copy: u32) -> Result<(), SimulationError> {
        for (place, (file, mut table)) in self.files.iter_mut().zip(tables.into_list()).enumerate() {
            let of = u64::from(copy) << 8 | place as u64;
            file.append(&mut table, &mut Draw::new(seed, "dirt", of))?;
        }
        Ok(())
    }

    /// Closes the files.
    ///
    /// # Errors
    /// [`SimulationError::File`] when one cannot be written.
    pub fn finish(self) -> Result<Vec<WrittenFile>, SimulationError> {
        self.files.into_iter().map(TableFile::finish).collect()
    }
}

impl Generation<'_> {
    /// Simulates everything around these customers and appends it to the exports.
    ///
    /// # Errors
    /// [`SimulationError::File`] when one cannot be written.
    pub fn write(
        &self,
        orders: &Orders,
        histories: Vec<PurchaseHistory>,
        exports: &mut Exports,
        (counters, tally): (&mut Counters, &mut Tally),
    ) -> Result<(), SimulationError> {
        let team = rep::team(self.period.seed, self.copy, self.period.start);
        let shelf = Shelf { catalogue: self.catalogue, stock: self.stock, team: &team };
        let accounts = self.accounts(orders, histories, &team, counters);
        let deals = self.deals(&accounts, &shelf, counters);
        let mut tables = tables();
        rep::export(&team, &mut tables.reps);
        commit::export(&team, &deals, self.period, &mut tables.commits);
        let mut quotes_viewed = vec![Vec::new(); accounts.len()];
        for deal in &deals {
            tally.add(deal, self.period.now);
            truth::export(deal, self.period.now, &mut tables.truth);
            tables.deals.add(deal, &accounts[deal.account], &shelf, self.period);
            let viewed = deal.events.iter().filter(|(_, event)| *event == Event::QuoteViewed);
            quotes_viewed[deal.account].extend(viewed.map(|(at, _)| *at));
        }
        for (account, viewed) in accounts.iter().zip(quotes_viewed) {
            self.export(account, &team, viewed, &mut tables);
        }
        exports.append(tables, self.period.seed, self.copy)
    }

    fn accounts(
        &self,
        orders: &Orders,
        histories: Vec<PurchaseHistory>,
        team: &[Rep],
        counters: &mut Counters,
    ) -> Vec<Account> {
        counters.customers += histories.len() as u64;
        let prospects = (histories.len() as f64 * PROSPECT_SHARE).round() as u64;
        let mut number = counters.accounts;
        let mut next = || {
            number += 1;
            number
        };
        let mut accounts: Vec<Account> = histories
            .into_iter()
            .map(|history| {
                let country = Orders::text(&orders.countries, history.country);
                Account::of(next(), history, country, team, self.period)
            })
            .collect();
        accounts.extend(
            (0..prospects).map(|place| Account::prospect(next(), place, self.copy, team, self.period)),
        );
        counters.accounts = number;
        accounts
    }

    /// All deals, numbered in the order of their opening.
    fn deals(&self, accounts: &[Account], shelf: &Shelf<'_>, counters: &mut Counters) -> Vec<Deal> {
        let of = |(position, account)| deals_of(position, account, shelf, self.period);
        let mut deals: Vec<Deal> = accounts.iter().enumerate().flat_map(of).collect();
        deals.sort_by_key(|deal| (deal.opening.at, deal.account));
        for deal in &mut deals {
            counters.deals += 1;
            deal.id = format!("OPP-{:06}", counters.deals);
        }
        deals
    }

    fn export(&self, account: &Account, team: &[Rep], quotes_viewed: Vec<Moment>, tables: &mut Tables) {
        let (period, now) = (self.period, self.period.now);
        let topic = |topic| Draw::new(period.seed, topic, mix(0, "export", account.key));
        account.export(team, period, &mut tables.accounts);
        account.export_customer(period, &mut tables.customers);
        contact::export(&account.contacts, &account.id, &mut topic("contacts"), now, &mut tables.contacts);
        consent::export(&account.contacts, &account.id, &mut topic("consent"), now, &mut tables.consent);
        tables.deals.add_idle_calls(account, period);
        let Some(customer) = &account.customer else { return };
        customer.credit.export(&customer.id, &mut topic("credit"), now, &mut tables.credit);
        ticket::export(&customer.tickets, &customer.id, &mut topic("tickets"), now, &mut tables.tickets);
        let plain = customer.visits.iter().map(|at| (*at, false));
        let mut visits: Vec<(Moment, bool)> =
            plain.chain(quotes_viewed.into_iter().map(|at| (at, true))).collect();
        visits.sort();
        visit::export(&visits, &customer.id, &mut topic("visits"), &mut tables.visits);
    }
}
