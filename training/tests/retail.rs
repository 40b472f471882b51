//! The quality floor of recommendations: a wholesaler of gifts, two years of invoices, what customers buy next.
//!
//! Every fourth customer of Online Retail II (`demo/data/README.md`) and the last year before the cut, so that the test is
//! quick. Learnt from invoices before 2011-10-01; asked is what a customer bought after that and never before, among products
//! that somebody had bought.
//! `docs/decisions/recommender.md` has the figures of the whole and says how the floors were set.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use scorehouse_features::time::Timestamp;
use scorehouse_models::predictor::recommender::Repeat;
use scorehouse_training::Silent;
use scorehouse_training::fit::recommender::{FitSettings, Fitted, LogBuilder, Named, fit};
use scorehouse_training::metric::{Evaluation, RankedList, evaluate_lists};

/// One line of an invoice that sold something to somebody.
struct Line {
    customer: String,
    product: String,
    quantity: f32,
    at: Timestamp,
}

/// Sales of the last year and of what came after the cut, to every fourth customer; cancellations, returns and what is no
/// product (postage, fees) left out.
fn lines() -> Vec<Line> {
    let first = Timestamp::parse("2010-10-01").unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/data/online_retail_ii.csv.zst");
    let file = zstd::stream::read::Decoder::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().unwrap().clone();
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (invoice, product, quantity) = (place("InvoiceNo"), place("StockCode"), place("Quantity"));
    let (customer, date) = (place("CustomerID"), place("InvoiceDate"));
    let mut lines = Vec::new();
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).unwrap() {
        let sampled = row[customer].parse::<f64>().is_ok_and(|id| (id as u32).is_multiple_of(4));
        let sold = row[quantity].parse::<f32>().is_ok_and(|quantity| quantity > 0.0);
        let goods = row[product].len() >= 5 && row[product].as_bytes()[..5].iter().all(u8::is_ascii_digit);
        let at = Timestamp::parse(&row[date]).unwrap();
        if sampled && sold && goods && at >= first && !row[invoice].starts_with('C') {
            lines.push(Line {
                customer: row[customer].to_owned(),
                product: row[product].to_owned(),
                quantity: row[quantity].parse().unwrap(),
                at,
            });
        }
    }
    lines
}

fn learnt(past: &[&Line]) -> Fitted {
    let mut log = LogBuilder::new(true);
    for line in past {
        log.add(Named {
            user: &line.customer,
            item: &line.product,
            weight: line.quantity,
            time: Some(line.at),
            basket: None,
        });
    }
    let settings = FitSettings { half_life: None, repeat: Repeat::Never, seed: 1 };
    fit(&log.finish(), settings, &Silent).unwrap()
}

/// What the recommender suggests, and what the most bought products of the last 90 days would have been worth.
fn measured(fitted: &Fitted, past: &[&Line], later: &[&Line]) -> [Evaluation; 2] {
    let parts = fitted.recommender.parts();
    let number =
        |line: &Line| Some((parts.users.number(&line.customer)?, parts.items.number(&line.product)?));
    let owned: BTreeSet<(u32, u32)> = past.iter().filter_map(|line| number(line)).collect();
    let mut taken: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (user, item) in later.iter().filter_map(|line| number(line)).filter(|pair| !owned.contains(pair)) {
        taken.entry(user).or_default().insert(item);
    }
    let recent = |line: &&&Line| line.at.days_since(parts.until) > -90.0;
    let mut buyers: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    for (user, item) in past.iter().filter(recent).filter_map(|line| number(line)) {
        buyers.entry(item).or_default().insert(user);
    }
    let mut popular: Vec<u32> = buyers.keys().copied().collect();
    popular.sort_by_key(|item| (std::cmp::Reverse(buyers[item].len()), *item));
    let taken: Vec<(u32, Vec<u32>)> =
        taken.into_iter().map(|(user, items)| (user, items.into_iter().collect())).collect();
    let pasts: Vec<_> = taken.iter().map(|(user, _)| parts.histories.of(*user)).collect();
    let ours = fitted.recommender.top(&pasts, parts.until, 20);
    let ours: Vec<Vec<u32>> =
        ours.into_iter().map(|list| list.into_iter().map(|(item, _)| item).collect()).collect();
    let unseen = |user: &u32| -> Vec<u32> {
        popular.iter().filter(|item| !owned.contains(&(*user, **item))).take(20).copied().collect()
    };
    let theirs: Vec<Vec<u32>> = taken.iter().map(|(user, _)| unseen(user)).collect();
    [ours, theirs].map(|lists| {
        let ranked: Vec<RankedList<'_>> =
            lists.iter().zip(&taken).map(|(suggested, (_, taken))| RankedList { suggested, taken }).collect();
        evaluate_lists(&ranked, parts.items.len(), 20, 100, 1)
    })
}

#[test]
fn what_customers_of_a_wholesaler_buy_next_is_found_far_better_than_by_what_sells_now() {
    let lines = lines();
    let cut = Timestamp::parse("2011-10-01").unwrap();
    let (past, later): (Vec<&Line>, Vec<&Line>) = lines.iter().partition(|line| line.at < cut);
    let fitted = learnt(&past);
    let [ours, popular] = measured(&fitted, &past, &later);
    let of = |evaluation: &Evaluation, name: &str| evaluation.value(name).unwrap();
    let (recall, ndcg) = (of(&ours, "recall@20"), of(&ours, "ndcg@20"));
    assert!(ours.rows > 400, "{} customers are asked", ours.rows);
    // Four samples of customers and two seeds gave recall 0.0916 to 0.1054, NDCG 0.0997 to 0.1226 and at least 2.1 times the
    // recall of what sells now: the floors lie an eighth, and of the last a fifth, under the lowest.
    assert!(recall >= 0.08, "recall {recall}, popular {}", of(&popular, "recall@20"));
    assert!(ndcg >= 0.088, "NDCG {ndcg}, popular {}", of(&popular, "ndcg@20"));
    assert!(recall >= 1.7 * of(&popular, "recall@20"), "{recall} against {}", of(&popular, "recall@20"));
}
