use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, Exp, Gamma};
use scorehouse_features::time::{DAY, Timestamp};

use super::*;

const TRUTH: BgNbd = BgNbd { r: 0.6, alpha: 40.0, a: 0.8, b: 2.5 };

/// Customers who buy and drop out as the model says, with first purchases in the first 60 of 720 days.
fn customers(count: usize) -> Vec<Vec<Timestamp>> {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let rates = Gamma::new(TRUTH.r, 1.0 / TRUTH.alpha).unwrap();
    let leaving = Beta::new(TRUTH.a, TRUTH.b).unwrap();
    let mut customer = || {
        let (rate, leaves) = (rates.sample(&mut rng).max(1e-9), leaving.sample(&mut rng));
        let wait = Exp::new(rate).unwrap();
        let mut at: f64 = rng.random_range(0.0..60.0);
        let mut days = vec![at];
        loop {
            at += wait.sample(&mut rng);
            if at >= 720.0 {
                break;
            }
            days.push(at);
            if rng.random::<f64>() < leaves {
                break;
            }
        }
        days.into_iter().map(|day| Timestamp((day * DAY as f64) as i64)).collect()
    };
    (0..count).map(|_| customer()).collect()
}

fn day(day: i64) -> Timestamp {
    Timestamp(day * DAY)
}

#[test]
fn a_past_is_told_in_days() {
    let at = [day(3), day(10), Timestamp(10 * DAY + 5), day(40), day(90)];
    let past = Past::of(&at, day(50)).unwrap();
    assert_eq!(past, Past { repeats: 2.0, recency: 37.0, age: 47.0 });
    assert_eq!((Past::count(&at, day(10), day(90)), Past::of(&at, day(2))), (2, None));
}

#[test]
fn parameters_and_expectations_of_a_known_company_are_found() {
    let customers = customers(6_000);
    let pasts: Vec<Past> = customers.iter().filter_map(|own| Past::of(own, day(360))).collect();
    let found = BgNbd::fit(&pasts);
    assert!((found.r - TRUTH.r).abs() < 0.1 && (found.alpha - TRUTH.alpha).abs() < 8.0, "{found:?}");
    assert!((found.a / (found.a + found.b) - TRUTH.a / (TRUTH.a + TRUTH.b)).abs() < 0.05, "{found:?}");
    let model = PurchaseModel::fit(&customers, day(360));
    let expected = model.expected_of(&customers, day(360), 360.0);
    let (mut told, mut came, mut off, mut off_mean) = (0.0, 0.0, 0.0, 0.0);
    for (own, expected) in customers.iter().zip(&expected) {
        let (Some(expected), count) = (expected, Past::count(own, day(360), day(720)) as f64) else {
            continue;
        };
        (told, came) = (told + expected.mean, came + count);
        off += (expected.median - count).abs();
        off_mean += (expected.mean - count).abs();
    }
    assert!((told / came - 1.0).abs() < 0.06, "{told} expected, {came} came");
    assert!(off < off_mean, "the median is off by less: {off} against {off_mean}");
}

#[test]
fn no_customer_at_all_and_customers_who_never_came_back_are_told_too() {
    assert!(BgNbd::fit(&[]).expected(&Past::default(), 90.0).is_finite());
    let once: Vec<Vec<Timestamp>> = (0..50).map(|at| vec![day(at)]).collect();
    let model = PurchaseModel::fit(&once, day(400));
    let expected = model.expected(&Past::of(&once[0], day(400)).unwrap(), 90.0);
    assert!(expected.mean < 0.1 && expected.median == 0.0, "{expected:?}");
}
