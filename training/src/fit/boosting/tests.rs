//! The engine as a whole.

use super::*;

/// Uniform in 0..1 by row and column (splitmix64), so that other languages can make the same rows.
fn uniform(row: usize, column: u64) -> f64 {
    let mut z = (row as u64 * 64 + column).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / 2_f64.powi(53)
}

/// Six numbers, the last with gaps, and a category of twelve levels; the outcome depends on most of them.
fn mixed(rows: usize) -> (Matrix, Vec<f64>) {
    let mut columns: Vec<Vec<f64>> = (0..6).map(|k| (0..rows).map(|row| uniform(row, k)).collect()).collect();
    let level: Vec<f64> = (0..rows).map(|row| (uniform(row, 6) * 12.0).floor()).collect();
    for (row, value) in columns[5].iter_mut().enumerate() {
        if uniform(row, 7) < 0.2 {
            *value = f64::NAN;
        }
    }
    let label = (0..rows).map(|row| {
        let x = |k: usize| columns[k][row];
        let gap = if x(5).is_nan() { 1.2 } else { x(5) };
        let kind = if level[row] % 3.0 == 0.0 { 0.9 } else { -0.5 };
        let z = 3.0 * (6.0 * x(0)).sin() + 4.0 * (x(1) - 0.5) * (x(2) - 0.5) * 2.0 + gap + kind - 1.0;
        f64::from(u8::from(uniform(row, 8) < 1.0 / (1.0 + (-z).exp())))
    });
    let label = label.collect();
    columns.push(level);
    let mut kinds = vec![FeatureKind::Number; 6];
    kinds.push(FeatureKind::Category { levels: 12 });
    (Matrix { rows, columns, kinds }, label)
}

fn all(rows: std::ops::Range<u32>) -> Vec<u32> {
    rows.collect()
}

fn fit(matrix: &Matrix, label: &[f64], rows: Rows<'_>, params: &BoostingParams) -> Boosted {
    let target = Target { label, weight: None };
    boost(&Binned::new(matrix), target, rows, params, &|| {}).unwrap()
}

/// LightGBM's held-out losses on these rows (`tests/parity/boosting.py` makes the same rows and writes them).
#[derive(serde::Deserialize)]
struct Figures {
    rows: usize,
    train: u32,
    rounds: usize,
    outcomes: f64,
    fits: Vec<Settings>,
}

#[derive(serde::Deserialize)]
struct Settings {
    leaves: usize,
    l2: f64,
    min_rows: usize,
    loss: f64,
}

#[test]
fn held_out_loss_is_that_of_lightgbm() {
    let figures: Figures =
        serde_json::from_str(include_str!("../../../../tests/parity/boosting.json")).unwrap();
    assert_eq!(figures.fits.len(), 3);
    let (matrix, label) = mixed(figures.rows);
    assert_eq!(label.iter().sum::<f64>(), figures.outcomes, "both have the same rows");
    let (train, watch) = (all(0..figures.train), all(figures.train..figures.rows as u32));
    for Settings { leaves, l2, min_rows, loss: expected } in figures.fits {
        let params =
            BoostingParams { leaves, l2, min_rows, trees: figures.rounds, ..BoostingParams::default() };
        let model = fit(&matrix, &label, Rows { train: &train, watch: &watch, own_level: false }, &params);
        let loss = *model.losses.last().unwrap();
        assert!((loss - expected).abs() < 0.006, "{leaves} leaves, l2 {l2}: {loss} against {expected}");
    }
}

#[test]
fn one_and_two_threads_grow_the_same_trees() {
    let (matrix, label) = mixed(20_000);
    let params =
        BoostingParams { row_share: 0.7, feature_share: 0.6, trees: 20, ..BoostingParams::default() };
    let grown = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            fit(&matrix, &label, Rows { train: &all(0..20_000), watch: &[], own_level: false }, &params)
        })
    };
    let one = grown(1);
    assert_eq!(one, grown(2));
    assert_eq!(one, grown(3));
    assert_eq!(one.trees.len(), 20);
}

#[test]
fn values_score_as_their_bins_do() {
    let (matrix, label) = mixed(3000);
    let rows = all(0..3000);
    let model =
        fit(&matrix, &label, Rows { train: &rows, watch: &[], own_level: false }, &BoostingParams::default());
    let raw = model.raw(&Binned::new(&matrix), &rows, model.trees.len());
    for row in &rows {
        let number = |column: usize| matrix.columns[column][*row as usize];
        assert!((model.raw_of(&number) - raw[*row as usize]).abs() < 1e-12);
    }
}

#[test]
fn gaps_go_to_the_side_that_they_belong_to() {
    // The outcome happens where the value is missing and, for the others, nowhere.
    let column: Vec<f64> = (0..600).map(|i| if i % 3 == 0 { f64::NAN } else { f64::from(i % 7) }).collect();
    let label: Vec<f64> = column.iter().map(|x| f64::from(u8::from(x.is_nan()))).collect();
    let matrix = Matrix { rows: 600, columns: vec![column], kinds: vec![FeatureKind::Number] };
    let model = fit(
        &matrix,
        &label,
        Rows { train: &all(0..600), watch: &[], own_level: false },
        &BoostingParams::default(),
    );
    assert!(model.raw_of(&|_| f64::NAN) > 4.0);
    assert!((0..7).all(|x| model.raw_of(&|_| f64::from(x)) < -4.0));
}

#[test]
fn a_category_is_split_by_level_whatever_the_order_of_its_codes() {
    let rows = 4000;
    let code: Vec<f64> = (0..rows).map(|row| (uniform(row, 1) * 40.0).floor()).collect();
    let odd = |code: f64| (code * 7.0) % 40.0 < 20.0;
    let label: Vec<f64> = code.iter().map(|code| f64::from(u8::from(odd(*code)))).collect();
    let kinds = vec![FeatureKind::Category { levels: 41 }];
    let matrix = Matrix { rows, columns: vec![code], kinds };
    let category = CategoryParams { min_rows: 10, ..CategoryParams::default() };
    let params = BoostingParams { category, trees: 60, leaves: 4, ..BoostingParams::default() };
    let model =
        fit(&matrix, &label, Rows { train: &all(0..rows as u32), watch: &[], own_level: false }, &params);
    for code in 0..40 {
        let code = f64::from(code);
        assert_eq!(model.raw_of(&|_| code) > 0.0, odd(code), "{code}");
    }
    // A level never seen and a missing one still get a score.
    assert!(model.raw_of(&|_| 40.0).is_finite() && model.raw_of(&|_| f64::NAN).is_finite());
}

#[test]
fn a_monotone_feature_never_lowers_the_score_as_it_rises() {
    let (matrix, label) = mixed(6000);
    let monotone = vec![1, 0, 0, 0, 0, -1];
    let params = BoostingParams { monotone, trees: 60, ..BoostingParams::default() };
    let model = fit(&matrix, &label, Rows { train: &all(0..6000), watch: &[], own_level: false }, &params);
    for row in (0..6000).step_by(97) {
        for (column, sign) in [(0, 1.0), (5, -1.0)] {
            let at = |x: f64| sign * model.raw_of(&|k| if k == column { x } else { matrix.columns[k][row] });
            let scores: Vec<f64> = (0..=50).map(|step| at(f64::from(step) / 50.0)).collect();
            assert!(scores.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12), "row {row} column {column}");
        }
    }
}

#[test]
fn a_row_of_weight_two_counts_as_two_rows() {
    let rows = 400;
    let column: Vec<f64> = (0..rows).map(|row| (uniform(row, 1) * 9.0).floor()).collect();
    let label: Vec<f64> =
        (0..rows).map(|row| f64::from(u8::from(uniform(row, 2) < column[row] / 9.0))).collect();
    let params = BoostingParams { trees: 10, min_rows: 1, ..BoostingParams::default() };
    let weight: Vec<f64> = (0..rows).map(|row| if row % 4 == 0 { 2.0 } else { 1.0 }).collect();
    let kinds = vec![FeatureKind::Number];
    let once = Matrix { rows, columns: vec![column.clone()], kinds: kinds.clone() };
    let target = Target { label: &label, weight: Some(&weight) };
    let train = all(0..rows as u32);
    let weighted = boost(
        &Binned::new(&once),
        target,
        Rows { train: &train, watch: &[], own_level: false },
        &params,
        &|| {},
    )
    .unwrap();
    let again: Vec<usize> = (0..rows).chain((0..rows).step_by(4)).collect();
    let pick = |from: &[f64]| again.iter().map(|row| from[*row]).collect::<Vec<f64>>();
    let twice = Matrix { rows: again.len(), columns: vec![pick(&column)], kinds };
    let rows = all(0..again.len() as u32);
    let repeated = fit(&twice, &pick(&label), Rows { train: &rows, watch: &[], own_level: false }, &params);
    for x in 0..9 {
        let (a, b) = (weighted.raw_of(&|_| f64::from(x)), repeated.raw_of(&|_| f64::from(x)));
        assert!((a - b).abs() < 1e-6, "{x}: {a} {b}");
    }
}

#[test]
fn growing_ends_when_the_watched_loss_no_longer_falls() {
    let (matrix, label) = mixed(1500);
    let (train, watch) = (all(0..1000), all(1000..1500));
    let params =
        BoostingParams { trees: 2000, patience: 15, learning_rate: 0.3, ..BoostingParams::default() };
    let model = fit(&matrix, &label, Rows { train: &train, watch: &watch, own_level: false }, &params);
    assert!(model.trees.len() < 200, "{}", model.trees.len());
    assert_eq!(model.trees.len(), model.best() + 15);
    let least = model.losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(model.losses[model.best() - 1], least);
}

#[test]
fn rows_without_anything_to_tell_them_apart_get_their_rate() {
    let matrix = Matrix { rows: 100, columns: vec![vec![1.0; 100]], kinds: vec![FeatureKind::Number] };
    let label: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i < 30))).collect();
    let model = fit(
        &matrix,
        &label,
        Rows { train: &all(0..100), watch: &[], own_level: false },
        &BoostingParams::default(),
    );
    assert!(model.trees.is_empty());
    assert!((model.base - (0.3_f64 / 0.7).ln()).abs() < 1e-12);
    let none = Matrix { rows: 0, ..Matrix::default() };
    assert!(
        fit(&none, &[], Rows { train: &[], watch: &[], own_level: false }, &BoostingParams::default())
            .trees
            .is_empty()
    );
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    for (params, setting) in [
        (BoostingParams { leaves: 1, ..BoostingParams::default() }, "leaves"),
        (BoostingParams { learning_rate: 0.0, ..BoostingParams::default() }, "learning_rate"),
        (BoostingParams { row_share: f64::NAN, ..BoostingParams::default() }, "row_share"),
        (BoostingParams { monotone: vec![2], ..BoostingParams::default() }, "monotone"),
    ] {
        assert_eq!(params.check().unwrap_err().setting, setting);
    }
}
