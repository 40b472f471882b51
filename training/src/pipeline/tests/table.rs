//! Plain tables.

use super::*;
use crate::Treatment;
use crate::score_table::score_table;

const TABLE: &str = r#"
[project]
name = "table"
[model.any]
pipeline = "table"
table = "train.csv"
label = "left"
id = "customer"
"#;

fn table_project(folder: &Path, text: &str) -> Project {
    Project::parse(text, folder).unwrap_or_else(|found| panic!("{found:?}"))
}

/// A table with everything that real tables have.
fn dirty_table(rows: usize, seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut text = "customer,left,tenure,plan,city,since,empty,same,note,spend,flag\n".to_owned();
    for i in 0..rows {
        let tenure = rng.random_range(0..72);
        let plan = ["basic", "plus", "max", ""][rng.random_range(0..4)];
        let city = rng.random_range(0..400);
        let z = 1.0 - 0.06 * f64::from(tenure)
            + if plan == "basic" { 1.5 } else { 0.0 }
            + f64::from(city % 5) * 0.2;
        let left = if rng.random::<f64>() < 1.0 / (1.0 + (-z).exp()) { "Yes" } else { "No" };
        let spend = if i % 7 == 0 { "NA".to_owned() } else { format!("\"{},{:03}.50\"", i % 9 + 1, tenure) };
        let (month, day) = (tenure % 12 + 1, i % 28 + 1);
        let flag = if tenure % 2 == 0 { "true" } else { "false" };
        let _ = writeln!(
            text,
            "K-{i:06},{left},{tenure},{plan},city {city},{day:02}/{month:02}/2023,,x,customer {i} wrote that nothing works,{spend},{flag}"
        );
    }
    text
}

fn train_table(folder: &Path, text: &str, threads: usize) -> Result<Trained, TrainingError> {
    run(&table_project(folder, text), "any", &NoHistory, 0, threads)
}

#[test]
fn a_dirty_table_is_learnt_from_and_a_second_one_scored() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.csv"), dirty_table(1500, 1)).unwrap();
    let trained = train_table(folder.path(), TABLE, 2).unwrap();
    assert!(trained.metrics.value("auc").unwrap() > 0.75, "{:?}", trained.metrics.value("auc"));
    let treatment = |column: &str| trained.notes.iter().find(|note| note.column == column).unwrap().treatment;
    for aside in ["empty", "same", "note"] {
        assert_eq!(treatment(aside), Treatment::SetAside, "{aside}");
    }
    assert_eq!(treatment("city"), Treatment::ManyLevels);
    assert_eq!(treatment("since"), Treatment::Date);
    assert_eq!(treatment("spend"), Treatment::Number);
    assert_eq!(treatment("flag"), Treatment::Flag);
    let names: Vec<&str> =
        trained.artifact.signature.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(names, ["tenure", "plan", "city", "since", "spend", "flag"]);

    // The same artifact from its bytes, on another table whose columns stand in another order.
    let artifact = Artifact::from_bytes(&trained.artifact.to_bytes().unwrap()).unwrap();
    let second = "flag,customer,city,plan,tenure\ntrue,A,city 3,basic,1\nfalse,B,nowhere,max,70\n";
    let (input, output) = (folder.path().join("second.csv"), folder.path().join("scores.csv"));
    std::fs::write(&input, second).unwrap();
    let scored = score_table(&artifact, &input, &output).unwrap();
    assert_eq!((scored.rows, scored.absent), (2, vec!["since".to_owned(), "spend".to_owned()]));
    let scores = std::fs::read_to_string(&output).unwrap();
    let lines: Vec<&str> = scores.lines().collect();
    assert_eq!(lines[0], "customer,probability,low,high");
    let p = |line: &str| line.split(',').nth(1).unwrap().parse::<f64>().unwrap();
    assert!(lines[1].starts_with("A,") && p(lines[1]) > 0.6 && p(lines[2]) < 0.3, "{scores}");
}

#[test]
fn a_table_model_is_the_same_with_one_and_two_threads() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.csv"), dirty_table(800, 2)).unwrap();
    let [one, two] = [1, 2].map(|threads| train_table(folder.path(), TABLE, threads).unwrap());
    assert_eq!(digest(&one.artifact), digest(&two.artifact));
}

#[test]
fn small_tables_train_and_score_whatever_their_size() {
    for rows in [0, 1, 2, 5, 12, 40, 100, 200] {
        let folder = tempfile::tempdir().unwrap();
        let train = folder.path().join("train.csv");
        std::fs::write(&train, dirty_table(rows, 4)).unwrap();
        let trained = train_table(folder.path(), TABLE, 2).unwrap_or_else(|e| panic!("{rows}: {e}"));
        let scored = score_table(&trained.artifact, &train, &folder.path().join("out.csv")).unwrap();
        assert_eq!(scored.rows, rows);
    }
}

#[test]
fn a_label_of_one_kind_gives_everybody_the_prior_drawn_towards_it() {
    let folder = tempfile::tempdir().unwrap();
    let table = dirty_table(50, 1).replace(",Yes,", ",No,");
    std::fs::write(folder.path().join("train.csv"), table).unwrap();
    for (prior, expected) in [("", 1.0 / 52.0), ("prior = { rate = 0.4, rows = 50 }\n", 20.0 / 100.0)] {
        let trained = train_table(folder.path(), &format!("{TABLE}{prior}"), 1).unwrap();
        assert_eq!(trained.gate.chosen, "prior");
        let output = folder.path().join("scores.csv");
        score_table(&trained.artifact, &folder.path().join("train.csv"), &output).unwrap();
        let line = std::fs::read_to_string(&output).unwrap();
        let cells: Vec<f64> =
            line.lines().nth(1).unwrap().split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
        assert!((cells[0] - expected).abs() < 1e-9, "{cells:?}");
        assert!(cells[1] < cells[0] && cells[0] < cells[2], "{cells:?}");
    }
}

#[test]
fn without_any_outcome_the_score_is_the_stated_prior_and_hardly_sure() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.csv"), dirty_table(0, 1)).unwrap();
    let trained = train_table(folder.path(), &format!("{TABLE}prior = 0.2\n"), 1).unwrap();
    let model = ScoringModel::load(&trained.artifact).unwrap();
    let score = model.score(&[], Timestamp(0), 0, &mut Scratch::default()).unwrap();
    let interval = score.interval.unwrap();
    assert!((score.output - 0.2).abs() < 1e-12);
    assert!(interval.low < 0.07 && interval.high > 0.5, "{interval:?}");
}

#[test]
fn a_declared_direction_is_kept_and_an_unknown_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.csv"), dirty_table(1500, 1)).unwrap();
    let trained =
        train_table(folder.path(), &format!("{TABLE}monotone = {{ tenure = \"down\" }}\n"), 2).unwrap();
    assert_eq!(trained.gate.chosen, "boosting");
    let model = ScoringModel::load(&trained.artifact).unwrap();
    let mut before = f64::INFINITY;
    for tenure in 0..90 {
        let mut values = vec![Value::Missing(Missing::NotGiven); trained.artifact.signature.inputs.len()];
        values[trained.artifact.signature.position("tenure").unwrap()] = Value::Float(f64::from(tenure));
        let p = model.score(&values, Timestamp(0), 0, &mut Scratch::default()).unwrap().output;
        assert!(p <= before + 1e-12, "{tenure}: {p} after {before}");
        before = p;
    }
    for (wrong, told) in [("tenur", "the model does not read"), ("plan", "holds no numbers")] {
        let text = format!("{TABLE}monotone = {{ {wrong} = \"up\" }}\n");
        let refused = train_table(folder.path(), &text, 1).unwrap_err().to_string();
        assert!(refused.contains(told), "{refused}");
    }
}

#[test]
fn a_missing_file_and_a_missing_column_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let refused = train_table(folder.path(), TABLE, 1).unwrap_err().to_string();
    assert!(refused.contains("train.csv"), "{refused}");
    std::fs::write(folder.path().join("train.csv"), dirty_table(20, 1)).unwrap();
    let wrong = TABLE.replace("\"left\"", "\"gone\"");
    let refused = train_table(folder.path(), &wrong, 1).unwrap_err().to_string();
    assert!(refused.contains("no column \"gone\"; it has customer, left"), "{refused}");
}

#[test]
fn a_table_with_a_time_column_is_held_out_by_time_and_groups_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("train.csv"), dirty_table(1200, 6)).unwrap();
    let timed = format!("{TABLE}time = \"since\"\n");
    let trained = train_table(folder.path(), &timed, 2).unwrap();
    assert!(trained.window.holdout_from.is_some());
    let grouped = format!("{TABLE}group = \"city\"\n");
    let trained = train_table(folder.path(), &grouped, 2).unwrap();
    assert!(trained.artifact.signature.position("city").is_none());
}

#[test]
fn an_artifact_of_another_pipeline_cannot_score_a_table() {
    let trained = run(&project(SALES), "win", &deals(20), 2000, 1).unwrap();
    let refused = score_table(&trained.artifact, Path::new("a.csv"), Path::new("b.csv")).unwrap_err();
    assert!(refused.to_string().contains("not trained on a table"));
}
