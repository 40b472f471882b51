//! What a demo and its tests rely on: the same bytes for the same request, real orders left as they are, and
//! outcomes that follow the truth.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use scorehouse_simulator::{SimulationError, SimulationReport, SimulationRequest, simulate};

type Rows = Vec<HashMap<String, String>>;

fn orders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/online_retail_ii.csv.zst")
}

fn run(out: &Path, seed: u64, scale: f64) -> SimulationReport {
    let anchor = jiff::civil::date(2026, 3, 2);
    simulate(&SimulationRequest { orders: &orders(), out, seed, scale, anchor }).unwrap()
}

fn text(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let plain = if path.extension().is_some_and(|e| e == "zst") {
        zstd::decode_all(&bytes[..]).unwrap()
    } else {
        bytes
    };
    String::from_utf8(plain).unwrap()
}

/// The well-formed rows of an export, repeated ones once.
fn rows(path: &Path) -> Rows {
    let text = text(path);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let records = reader.records().map(Result::unwrap);
    let whole = records.filter(|r| r.len() == header.len() && !r.iter().any(|field| field.contains("##")));
    let mut seen = HashSet::new();
    let once = whole.filter(|record| seen.insert(record.iter().collect::<Vec<_>>().join("\u{1}")));
    once.map(|r| header.iter().map(str::to_owned).zip(r.iter().map(str::to_owned)).collect()).collect()
}

fn digest(report: &SimulationReport, out: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = report.files.iter().map(|file| &file.path);
    files.map(|path| (path.strip_prefix(out).unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

#[test]
fn the_same_request_gives_the_same_bytes_and_another_seed_does_not() {
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let first = digest(&run(folders[0].path(), 7, 0.1), folders[0].path());
    let again = digest(&run(folders[1].path(), 7, 0.1), folders[1].path());
    let other = digest(&run(folders[2].path(), 8, 0.1), folders[2].path());
    assert_eq!(first.len(), 20);
    assert!(first == again);
    assert!(first != other);
}

#[test]
fn nothing_of_a_real_order_is_changed_but_its_date() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), 7, 1.0);
    assert_eq!(report.weeks_shifted, 742);
    let (real, moved) = (text(&orders()), text(&folder.path().join("exports/orders.csv.zst")));
    let (mut real, mut moved) =
        (csv::Reader::from_reader(real.as_bytes()), csv::Reader::from_reader(moved.as_bytes()));
    assert_eq!(real.headers().unwrap(), moved.headers().unwrap());
    let moment = |text: &str| text.parse::<jiff::civil::DateTime>().unwrap();
    let weeks = jiff::Span::new().weeks(report.weeks_shifted);
    let mut compared = 0_u64;
    for (real, moved) in real.records().zip(moved.records()) {
        let (real, moved) = (real.unwrap(), moved.unwrap());
        for column in (0..8).filter(|&column| column != 4) {
            assert_eq!(real.get(column), moved.get(column));
        }
        if compared.is_multiple_of(997) {
            assert_eq!(moment(&real[4]).checked_add(weeks).unwrap(), moment(&moved[4]));
        }
        compared += 1;
    }
    assert_eq!(compared, 1_044_847);
}

#[test]
fn the_scale_gives_the_size_and_the_pipeline_a_company_would_have() {
    let folder = tempfile::tempdir().unwrap();
    let deals = run(folder.path(), 7, 1.0).deals;
    assert!((5_300..6_700).contains(&deals.opened), "{deals:?}");
    assert!((250..700).contains(&deals.open), "{deals:?}");
    assert_eq!(deals.opened, deals.won + deals.lost + deals.open);
    let rate = deals.won as f64 / (deals.won + deals.lost) as f64;
    assert!((0.32..0.39).contains(&rate), "{rate}");
    assert!((0.80..0.86).contains(&deals.oracle_auc), "{deals:?}");
    assert!((0.68..0.75).contains(&deals.crm_only_auc), "{deals:?}");
}

/// Ends of deals by id, from the exports.
fn ends(out: &Path) -> HashMap<String, bool> {
    let outcomes = rows(&out.join("exports/deal_outcomes.csv"));
    outcomes.iter().map(|row| (row["opportunity_id"].clone(), row["outcome"] == "won")).collect()
}

#[test]
fn outcomes_follow_the_true_probability_at_every_age() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 11, 1.0);
    let ends = ends(folder.path());
    let mut bands = vec![(0.0, 0.0, 0.0); 10];
    let mut seen = HashMap::<String, u32>::new();
    for row in rows(&folder.path().join("truth/opportunities.csv")) {
        let Some(won) = ends.get(&row["opportunity_id"]) else { continue };
        let p: f64 = row["probability"].parse().unwrap();
        *seen.entry(row["opportunity_id"].clone()).or_default() += 1;
        let band = &mut bands[(p * 10.0) as usize];
        *band = (band.0 + 1.0, band.1 + p, band.2 + f64::from(u8::from(*won)));
    }
    assert!(seen.values().any(|&rows| rows >= 5));
    for (rows, expected, won) in bands {
        // A deal stands in about four rows, so that the rows count for a quarter of their number.
        let spread = (expected / rows * (1.0 - expected / rows) / (rows / 4.0)).sqrt();
        assert!(
            (won / rows - expected / rows).abs() < 4.0 * spread,
            "{rows} rows: {won} won, {expected} expected"
        );
    }
}

#[test]
fn an_open_deal_shows_nothing_of_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), 7, 0.3);
    let exports = folder.path().join("exports");
    let closed: HashMap<String, String> = rows(&exports.join("deal_outcomes.csv"))
        .into_iter()
        .map(|row| (row["opportunity_id"].clone(), row["closed_at"].clone()))
        .collect();
    for (file, at) in [("opportunity_history", "changed_at"), ("activities", "at"), ("quotes", "quoted_at")] {
        let rows = rows(&exports.join(file).with_extension("csv"));
        assert!(rows.len() > 100);
        for row in rows {
            let end = closed.get(&row["opportunity_id"]);
            assert!(end.is_none_or(|end| row[at] <= *end), "{file}: {row:?} after {end:?}");
        }
    }
    assert_eq!(closed.len() as u64, report.deals.won + report.deals.lost);
}

#[test]
fn nothing_is_known_before_it_happened_or_happened_after_the_present() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), 7, 0.1);
    for file in report.files.iter().filter(|file| file.path.extension().is_some_and(|e| e == "csv")) {
        for row in rows(&file.path) {
            let happened = [
                "created_at",
                "changed_at",
                "at",
                "quoted_at",
                "closed_at",
                "counted_at",
                "started_at",
                "committed_at",
            ];
            let at = happened.iter().find_map(|column| row.get(*column));
            let known = row.get("recorded_at");
            assert!(at.is_none_or(|at| at.as_str() < "2026-03-02"), "{row:?}");
            assert!(at.zip(known).is_none_or(|(at, known)| at <= known), "{row:?}");
        }
    }
}

#[test]
fn the_dirt_is_there_and_it_is_little() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), 7, 0.1);
    let malformed: u64 = report.files.iter().map(|file| file.malformed).sum();
    assert!((20..60).contains(&malformed), "{malformed}");
    for file in &report.files {
        assert!(file.malformed as f64 <= 0.01 * file.rows as f64, "{file:?}");
    }
    let accounts = rows(&folder.path().join("exports/accounts.csv"));
    assert!(accounts.iter().any(|row| row["employees"].is_empty()));
    let sessions = rows(&folder.path().join("exports/web_sessions.csv"));
    assert!(sessions.iter().any(|row| row["customer_id"].is_empty()));
}

#[test]
fn every_real_order_was_allowed_by_the_entitlements() {
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), 7, 0.2);
    let exports = folder.path().join("exports");
    let customers: HashMap<String, (String, String)> = rows(&exports.join("erp_customers.csv"))
        .into_iter()
        .map(|row| (row["customer_id"].clone(), (row["region"].clone(), row["segment"].clone())))
        .collect();
    let allowed: HashMap<String, (String, String)> = rows(&exports.join("entitlements.csv"))
        .into_iter()
        .map(|row| (row["product_id"].clone(), (row["regions"].clone(), row["segments"].clone())))
        .collect();
    assert!(allowed.values().any(|(regions, _)| regions == "UK"));
    let mut checked = 0;
    for line in rows(&exports.join("orders.csv.zst")) {
        let sold = !line["Quantity"].starts_with('-') && line["UnitPrice"].parse::<f64>().unwrap() > 0.0;
        let product = allowed.get(&line["StockCode"].to_uppercase());
        let (Some(buyer), Some(product), true) = (customers.get(&line["CustomerID"]), product, sold) else {
            continue;
        };
        let fits = |all: &str, one: &str| all.split('|').any(|name| name == one);
        assert!(fits(&product.0, &buyer.0) && fits(&product.1, &buyer.1), "{line:?} {buyer:?} {product:?}");
        checked += 1;
    }
    assert!(checked > 50_000, "{checked}");
}

#[test]
fn above_one_the_customers_are_repeated_under_new_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let report = run(folder.path(), 7, 1.1);
    let copy = rows(&folder.path().join("exports/orders_copy_001.csv.zst"));
    assert!(copy.len() > 50_000);
    assert!(copy.iter().all(|row| row["CustomerID"].is_empty() || row["CustomerID"].as_str() > "100000"));
    assert!((6_200..6_700).contains(&report.customers), "{}", report.customers);
    let ids: Vec<String> = rows(&folder.path().join("exports/opportunities.csv"))
        .iter()
        .map(|row| row["opportunity_id"].clone())
        .collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
}

#[test]
fn a_wrong_request_and_wrong_orders_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let anchor = jiff::civil::date(2026, 3, 2);
    let refused = |orders: &Path, scale| {
        simulate(&SimulationRequest { orders, out: folder.path(), seed: 1, scale, anchor }).unwrap_err()
    };
    assert!(matches!(refused(&orders(), 0.05), SimulationError::Scale { .. }));
    assert!(matches!(refused(&orders(), f64::NAN), SimulationError::Scale { .. }));
    assert!(matches!(refused(Path::new("/nowhere.csv"), 1.0), SimulationError::File { .. }));
    let wrong = folder.path().join("orders.csv");
    fs::write(&wrong, "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n1,2,x,three,2009-12-01 07:45:00,1,,UK\n").unwrap();
    let message = refused(&wrong, 1.0).to_string();
    assert!(message.contains("line 2") && message.contains("Quantity \"three\""), "{message}");
}
