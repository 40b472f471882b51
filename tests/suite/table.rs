//! Any plain CSV becomes a model.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use scorehouse_tests::{run, run_ok};

/// A table in which `spend` and `plan` decide, among columns that a model must not trip over.
fn write_table(path: &Path, rows: u64, seed: u64) {
    let mut text = String::from("id,plan,spend,city,signed,comment,constant,left\n");
    for row in 0..rows {
        let mixed =
            (row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ seed).rotate_left(23).wrapping_mul(0xD129_0B93);
        let spend = mixed % 1000;
        let plan = ["basic", "plus", "pro"][(mixed / 1000 % 3) as usize];
        let noise = mixed / 3000 % 100;
        let left = (spend < 400 && plan == "basic" && noise < 90) || noise < 8;
        let spent = if noise == 50 { String::new() } else { spend.to_string() };
        let month = mixed % 12 + 1;
        let _ = writeln!(
            text,
            "C-{row},{plan},{spent},city {},2024-{month:02}-15,\"said \"\"hm\"\", then left {row}\",7,{}",
            mixed % 700,
            if left { "yes" } else { "no" }
        );
    }
    fs::write(path, text).unwrap();
}

fn probabilities(path: &Path) -> Vec<(String, f64)> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let column = reader.headers().unwrap().iter().position(|h| h == "probability").unwrap();
    let row = |record: csv::StringRecord| (record[0].to_owned(), record[column].parse().unwrap());
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn a_plain_file_with_a_label_trains_and_scores_with_two_commands() {
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("train.csv"), 1500, 1);
    write_table(&folder.path().join("new.csv"), 300, 2);
    run_ok(folder.path(), &["init", ".", "--table", "train.csv", "--label", "left"]).unwrap();
    let project = fs::read_to_string(folder.path().join("scorehouse.toml")).unwrap();
    assert!(project.lines().count() <= 25, "{project}");
    let model =
        project.lines().find_map(|line| line.strip_prefix("[model.")?.strip_suffix(']')).unwrap().to_owned();
    run_ok(folder.path(), &["train", "--quiet"]).unwrap();
    run_ok(folder.path(), &["score", &model, "--input", "new.csv", "--output", "scores.csv"]).unwrap();
    let scores = probabilities(&folder.path().join("scores.csv"));
    assert_eq!(scores.len(), 300);
    assert!(scores.iter().all(|(_, p)| (0.0..=1.0).contains(p)));
    let mut reader = csv::Reader::from_path(folder.path().join("new.csv")).unwrap();
    let labels: Vec<bool> = reader.records().map(|r| &r.unwrap()[7] == "yes").collect();
    let mean = |wanted: bool| {
        let of: Vec<f64> =
            scores.iter().zip(&labels).filter(|(_, l)| **l == wanted).map(|((_, p), _)| *p).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    assert!(mean(true) > mean(false) + 0.3, "{} against {}", mean(true), mean(false));
}

#[test]
fn a_column_that_tells_rows_apart_becomes_the_id_of_the_scores() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |last: &str| {
        let row = |row: usize| {
            format!("{},K-{},{},{last}\n", row % 7, row, if row.is_multiple_of(3) { "yes" } else { "no" })
        };
        format!("Order No,Customer ID,left,note\n{}", (0..60).map(row).collect::<String>())
    };
    fs::write(folder.path().join("t.csv"), rows("x")).unwrap();
    run_ok(folder.path(), &["init", "p", "--table", "t.csv", "--label", "left"]).unwrap();
    let text = fs::read_to_string(folder.path().join("p/scorehouse.toml")).unwrap();
    assert!(text.contains("id = \"Customer ID\""), "{text}");
    fs::write(folder.path().join("t.csv"), rows("x").replace("K-1,", "K-2,")).unwrap();
    run_ok(folder.path(), &["init", "q", "--table", "t.csv", "--label", "left"]).unwrap();
    let text = fs::read_to_string(folder.path().join("q/scorehouse.toml")).unwrap();
    assert!(!text.contains("id ="), "no column tells all rows apart: {text}");
}

#[test]
fn the_same_data_and_seed_give_the_same_artifact() {
    let digest = || {
        let folder = tempfile::tempdir().unwrap();
        write_table(&folder.path().join("train.csv"), 600, 3);
        run_ok(folder.path(), &["init", "p", "--table", "train.csv", "--label", "left"]).unwrap();
        let p = folder.path().join("p");
        let text = fs::read_to_string(p.join("scorehouse.toml")).unwrap();
        let table = folder.path().join("train.csv").canonicalize().unwrap();
        fs::write(p.join("scorehouse.toml"), text.replace(&*table.to_string_lossy(), "../train.csv"))
            .unwrap();
        run_ok(&p, &["train", "--quiet"]).unwrap();
        run_ok(&p, &["models", "list", "--json"]).unwrap().json().unwrap()[0]["versions"][0]["digest"].clone()
    };
    assert_eq!(digest(), digest());
}

#[test]
fn a_label_that_is_not_there_is_named_with_the_nearest_column() {
    let folder = tempfile::tempdir().unwrap();
    write_table(&folder.path().join("train.csv"), 10, 4);
    let ran = run(folder.path(), &["init", "p", "--table", "train.csv", "--label", "lefts"]).unwrap();
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("`left`"), "{}", ran.err);
}
