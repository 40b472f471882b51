//! From a request to the files.

use std::path::{Path, PathBuf};

use crate::company::account::Period;
use crate::company::catalogue::Catalogue;
use crate::company::stock;
use crate::deal::truth::Tally;
use crate::draw::Draw;
use crate::error::SimulationError;
use crate::generation::{Counters, Exports, Generation};
use crate::moment::Moment;
use crate::orders::{Orders, PurchaseHistory, Sample, load, repeat, write_copy, write_real};
use crate::report::{SimulationReport, WrittenFile};
use crate::request::SimulationRequest;
use crate::table::{Table, TableFile};

/// Simulates, and writes `exports/` and `truth/` under the request's folder, replacing what stands there
/// under the same names.
///
/// # Errors
/// [`SimulationError`] when the request is out of range, the orders cannot be read as Online Retail II, or
/// a file cannot be written.
pub fn simulate(request: &SimulationRequest<'_>) -> Result<SimulationReport, SimulationError> {
    request.check()?;
    let exports = folder(request.out, "exports")?;
    let truth = folder(request.out, "truth")?;
    let bytes = load(request.orders)?;
    let orders = Orders::parse(&bytes, request.orders, request.anchor)?;
    let sample = Sample::of(request.seed, request.scale, 0);
    let path = exports.join("orders.csv.zst");
    // The two halves share nothing that changes, so the files do not depend on which is faster.
    let (real, rest) = std::thread::scope(|scope| {
        let real = scope.spawn(|| write_real(&bytes, &orders, sample, &path));
        let rest = simulate_around(request, &orders, &exports, &truth);
        (real.join(), rest)
    });
    let mut report = rest?;
    match real {
        Ok(written) => report.files.push(written?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
    report.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(report)
}

fn folder(out: &Path, name: &str) -> Result<PathBuf, SimulationError> {
    let folder = out.join(name);
    std::fs::create_dir_all(&folder).map_err(SimulationError::file(&folder))?;
    Ok(folder)
}

fn simulate_around(
    request: &SimulationRequest<'_>,
    orders: &Orders,
    exports: &Path,
    truth: &Path,
) -> Result<SimulationReport, SimulationError> {
    let period = period(request, orders);
    let everyone = PurchaseHistory::collect(orders, &orders.lines);
    let catalogue = Catalogue::collect(orders, &everyone, period.seed);
    let stock = stock::simulate(&catalogue, period.seed, period.now);
    let mut files = write_products(&catalogue, &stock, period, exports)?;
    let mut tables = Exports::create(exports, truth)?;
    let mut counters = Counters::default();
    let mut tally = Tally::default();
    for copy in 0..Sample::copies(request.scale) {
        let sample = Sample::of(request.seed, request.scale, copy);
        let lines = repeat(orders, request.seed, sample, copy, period.now);
        if copy > 0 {
            let path = exports.join(format!("orders_copy_{copy:03}.csv.zst"));
            files.push(write_copy(orders, &lines, copy, &path)?);
        }
        let histories = PurchaseHistory::collect(orders, &lines);
        let generation = Generation { copy, catalogue: &catalogue, stock: &stock, period };
        generation.write(orders, histories, &mut tables, (&mut counters, &mut tally))?;
    }
    files.extend(tables.finish()?);
    Ok(SimulationReport {
        anchor: request.anchor,
        weeks_shifted: orders.weeks_shifted,
        customers: counters.customers,
        accounts: counters.accounts,
        deals: tally.summary(),
        files,
    })
}

fn period(request: &SimulationRequest<'_>, orders: &Orders) -> Period {
    let first = orders.lines.iter().map(|line| line.at).min();
    let last = orders.lines.iter().map(|line| line.at).max();
    let start = first.unwrap_or(Moment(0));
    let now = Moment::midnight(request.anchor).or(last).unwrap_or(start);
    Period { seed: request.seed, start, now }
}

/// Writes what does not grow with the number of customers.
fn write_products(
    catalogue: &Catalogue,
    levels: &[stock::StockLevels],
    period: Period,
    folder: &Path,
) -> Result<Vec<WrittenFile>, SimulationError> {
    let tables = [
        catalogue.export(period.seed, period.now),
        catalogue.export_prices(period.seed, period.now),
        catalogue.export_entitlements(),
        stock::export(catalogue, levels, period.seed, period.now),
    ];
    tables.into_iter().map(|table| write(table, folder, period.seed)).collect()
}

fn write(mut table: Table, folder: &Path, seed: u64) -> Result<WrittenFile, SimulationError> {
    let mut file = TableFile::create(folder, &table)?;
    let mut dirt = Draw::new(seed, table.name(), 0);
    file.append(&mut table, &mut dirt)?;
    file.finish()
}
