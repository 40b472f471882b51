//! How long it takes to ingest a delimited file of a million lines and more, and to see that nothing changed.
//!
//! ```text
//! cargo run -p scorehouse-bench --features offline --example ingest path/to/online_retail_ii.csv.gz
//! ```
//!
//! The file has the columns of UCI Online Retail II.
#![allow(clippy::print_stdout, reason = "a measurement prints its table")]

use std::time::Instant;

use anyhow::{Context, Result};
use scorehouse_features::definition::Project;
use scorehouse_features::time::Timestamp;
use scorehouse_offline::{IngestRequest, OfflineStore, Silent};

const PROJECT: &str = r#"
[project]
name = "bench"
[entity.customer]
key = "customer_id"
[source.lines]
path = "PATH"
event_time = "at"
max_rejected = 0.01
columns = { invoice = { type = "text", header = "InvoiceNo" }, stock_code = "text", description = "text", quantity = "int", unit_price = "float", customer_id = "text", country = "text", at = { type = "time", header = "InvoiceDate" } }
compute = { amount = "quantity * unit_price", cancelled = "starts_with(invoice, 'C')" }
keep = "unit_price >= 0"
[view.orders]
entity = "customer"
kind = "window"
source = "lines"
windows = ["30d"]
where = "NOT cancelled"
features = { revenue = "sum(amount)" }
"#;

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("give the file")?;
    let path = std::fs::canonicalize(path)?;
    let folder = tempfile::tempdir()?;
    let text = PROJECT.replace("PATH", &path.to_string_lossy());
    let project = Project::parse(&text, folder.path()).map_err(|mistakes| anyhow::anyhow!("{mistakes:?}"))?;
    let store = OfflineStore::open(&project)?;
    let request = IngestRequest { sources: &[], replace: false, now: Timestamp(0) };
    for what in ["ingest", "ingest again"] {
        let started = Instant::now();
        let report = store.ingest(&project, &request, &Silent)?;
        let file = &report.sources[0].files[0];
        println!(
            "{what}: {:.2} s; {:?}, read {}, kept {}, filtered {}, rejected {}, {:?}",
            started.elapsed().as_secs_f64(),
            file.outcome,
            file.read,
            file.kept,
            file.filtered,
            file.rejected,
            file.reasons
        );
    }
    let started = Instant::now();
    let base = store.materialize(&project)?;
    println!("materialize {} rows: {:.2} s", base.len(), started.elapsed().as_secs_f64());
    Ok(())
}
