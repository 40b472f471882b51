//! Purchases to come on CDNOW, told from the first half of its time, against BG/NBD of lifetimes in one run.
//!
//! ```text
//! pip install lifetimes==0.11.3 pandas==3.1.1
//! cargo run -p scorehouse-bench --example cdnow CDNOW_master.txt [python]
//! ```
//!
//! The file is Fader and Hardie's (customer, yyyymmdd, CDs, dollars). Days with a purchase from 1997-10-01 to 1998-06-30
//! are told for every customer from those up to 1997-09-30; nothing later is looked at before it is held against.
#![allow(clippy::print_stdout, reason = "a measurement prints its table")]

use std::collections::BTreeMap;
use std::ffi::OsStr;

use anyhow::{Context, Result};
use scorehouse_bench::{figure, peer_seconds};
use scorehouse_features::time::Timestamp;
use scorehouse_training::purchases::{Expected, Past, PurchaseModel};

fn main() -> Result<()> {
    let mut given = std::env::args().skip(1);
    let path = given.next().context("name the file: CDNOW_master.txt [python]")?;
    let python = given.next().unwrap_or_else(|| "python3".to_owned());
    let purchases = read(&path)?;
    let (until, end) = (Timestamp::parse("1997-09-30")?, Timestamp::parse("1998-06-30")?);
    let model = PurchaseModel::fit(&purchases, until);
    let expected = model.expected_of(&purchases, until, end.days_since(until));
    let told: Vec<(Expected, f64)> = purchases
        .iter()
        .zip(expected)
        .filter_map(|(own, expected)| Some((expected?, Past::count(own, until, end) as f64)))
        .collect();
    let error = |of: fn(&Expected) -> f64| {
        told.iter().map(|(expected, came)| (of(expected) - came).abs()).sum::<f64>() / told.len() as f64
    };
    let (mean, median) = (error(|expected| expected.mean), error(|expected| expected.median));
    let sum = |of: &dyn Fn(&(Expected, f64)) -> f64| told.iter().map(of).sum::<f64>();
    println!("{} customers; {:?}", told.len(), model.bg_nbd);
    println!("levels: {:?}", model.levels.as_ref().map(|levels| &levels.factor));
    println!("purchases told {:.0}, came {:.0}", sum(&|one| one.0.mean), sum(&|one| one.1));
    println!("mean absolute error: of the mean {mean:.4}, of the median {median:.4}");
    let theirs = peer_seconds(&python, "cdnow.py", &[OsStr::new(&path)])?;
    figure("CDNOW, error of the mean", "purchases", mean, "lifetimes BG/NBD", theirs);
    figure("CDNOW, error of the median", "purchases", median, "lifetimes BG/NBD", theirs);
    Ok(())
}

/// The moments of each customer's purchases.
fn read(path: &str) -> Result<Vec<Vec<Timestamp>>> {
    let text = std::fs::read_to_string(path).with_context(|| path.to_owned())?;
    let mut purchases: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for line in text.lines().filter(|line| line.split_whitespace().count() == 4).skip(1) {
        let mut fields = line.split_whitespace();
        let (Some(customer), Some(date)) = (fields.next(), fields.next()) else { continue };
        let dashed = format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]);
        let at = Timestamp::parse(&dashed).with_context(|| format!("date {date}"))?;
        purchases.entry(customer.to_owned()).or_default().push(at);
    }
    Ok(purchases.into_values().collect())
}
