//! The second look: are lists better for what is known of the customer and of each product?

use rayon::prelude::*;
use scorehouse_features::time::{DAY, Span, Timestamp};
use scorehouse_models::predictor::Predictor;
use scorehouse_models::predictor::recommender::{
    FactsRead, OWN, RERANKED, Reranker, Standing, before, mean, share,
};
use scorehouse_models::{Encoder, InputField, Output, Signature};
use serde::Serialize;

use super::pool::{LENGTH, Pool};
use super::split::{Held, Split};
use crate::dataset::{Column, Dataset, screen};
use crate::error::TrainingError;
use crate::fit::assemble::assemble;
use crate::fit::boosted::BoostedFit;
use crate::fit::boosting::{
    Binned, Boosted, BoostingParams, InvalidBoosting, List, Lists, boost_lists, least,
};
use crate::fit::candidate::{Fitted, Learned};
use crate::fit::design::{Block, Design};
use crate::metric::{Evaluation, RankedList, clear_gain, evaluate_lists};

/// What is known of customers and products at a moment.
pub trait Facts: Sync {
    /// What is read of a customer.
    fn of_customer(&self) -> FactsRead;

    /// What is read of a product.
    fn of_product(&self) -> FactsRead;

    /// The features of customers as of `as_of`, one column each, in the order of [`Facts::of_customer`].
    ///
    /// # Errors
    /// What reading the history reports.
    fn customers(&self, keys: &[&str], as_of: Timestamp) -> Result<Vec<Column>, TrainingError>;

    /// The features of products as of `as_of`.
    ///
    /// # Errors
    /// What reading the history reports.
    fn products(&self, keys: &[&str], as_of: Timestamp) -> Result<Vec<Column>, TrainingError>;
}

/// What came of the second look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecondLook {
    /// True when answers are reordered.
    pub adopted: bool,
    /// Why, or why not.
    pub why: String,
    /// Mean of NDCG@20 and recall@20 of users it did not learn from, without and with; none when it was not measured.
    pub quality: Option<[f64; 2]>,
}

impl SecondLook {
    /// Not even tried.
    pub(super) fn untried(why: &str) -> Self {
        Self { adopted: false, why: why.to_owned(), quality: None }
    }
}

/// A second look with what it was found worth.
pub(super) struct Looked {
    pub look: SecondLook,
    pub reranker: Option<Reranker>,
    /// Its lists beside those of others, for users it did not learn from.
    pub evaluation: Option<Evaluation>,
    /// These lists, for every second held-back user.
    pub lists: Vec<Vec<u32>>,
}

impl Looked {
    fn dropped(why: &str) -> Self {
        Self { look: SecondLook::untried(why), reranker: None, evaluation: None, lists: Vec::new() }
    }
}

/// What there is to learn from: the held-back users, what is said of their candidates and how it was blended.
pub(super) struct Lesson<'a> {
    pub facts: &'a dyn Facts,
    pub split: &'a Split,
    pub pools: &'a [Pool],
    /// Names of the components in the pools.
    pub names: Vec<&'a str>,
    /// Weight of each; those without any will not be there when answers are given.
    pub weights: &'a [f32],
    /// What popularity gives to each item, if anything.
    pub popular: Option<Vec<f32>>,
    /// What scores are multiplied by.
    pub lift: Vec<f32>,
    /// Recent popularity of each item.
    pub popularity: &'a [f32],
    pub seed: u64,
}

/// With fewer held-back users than this, half of them tell too little.
pub(super) const ENOUGH: usize = 200;
/// A second look must better the mean of NDCG and recall by this share: it costs time in every answer.
const WORTH_IT: f64 = 0.003;
/// Every how many-th list learnt from is watched to find the number of trees.
const WATCHED: usize = 4;
/// Most trees.
const TREES: usize = 200;
/// Bootstrap draws behind an interval.
const RESAMPLES: usize = 500;

/// The candidates of all lists, row by row.
struct Table {
    data: Dataset,
    inputs: Vec<InputField>,
    lists: Vec<List>,
    taken: Vec<bool>,
    before: Vec<f64>,
    /// The item of each row.
    items: Vec<u32>,
}

impl Lesson<'_> {
    /// Learns from every second user, measures on the others, and learns from all when that was better.
    ///
    /// Features are read as of the last moment before the split, so that nothing that was held back tells of itself.
    ///
    /// # Errors
    /// What reading facts reports, [`TrainingError::Fit`] and [`TrainingError::Artifact`], which no data should cause.
    pub fn learn(&self) -> Result<Looked, TrainingError> {
        if !self.split.by_time {
            return Ok(Looked::dropped(
                "rows could not be split by time, so nobody knows what was known before",
            ));
        }
        if self.pools.len() < ENOUGH {
            return Ok(Looked::dropped("too few users could be held back"));
        }
        let table = self.table()?;
        let rows: Vec<u32> = (0..table.data.rows as u32).collect();
        let notes = screen(&table.data.columns, table.data.rows);
        let design = Design { data: &table.data, notes: &notes, rows: &rows };
        let block = design.trees_without_rates();
        let binned = Binned::new(&block.encode(design, &[]));
        let course = Course { table: &table, binned: &binned, seed: self.seed };
        let (learn, measure): (Vec<usize>, Vec<usize>) =
            (0..table.lists.len()).partition(|list| list % 2 == 0);
        let params = course.settings(&learn)?;
        if params.trees == 0 {
            return Ok(Looked::dropped("no tree bettered the lists of users it was not grown on"));
        }
        let raw = course.raw(&course.grow(&learn, &params)?);
        let shown: Vec<Vec<u32>> = measure.iter().map(|list| table.shown(*list, &raw)).collect();
        let (look, evaluation) = self.judged(&table, (&measure, &shown), &raw);
        let reranker = match look.adopted {
            true => Some(self.frozen(
                &table,
                block,
                course.grow(&(0..table.lists.len()).collect::<Vec<_>>(), &params)?,
            )?),
            false => None,
        };
        Ok(Looked { look, reranker, evaluation: Some(evaluation), lists: shown })
    }

    fn judged(
        &self,
        table: &Table,
        (measure, shown): (&[usize], &[Vec<u32>]),
        raw: &[f64],
    ) -> (SecondLook, Evaluation) {
        let lists = table.lists();
        let quality =
            |raw: &[f64]| -> Vec<f64> { measure.par_iter().map(|list| lists.quality(*list, raw)).collect() };
        let (without, with) = (quality(&table.before), quality(raw));
        let gains: Vec<f64> = without.iter().zip(&with).map(|(without, with)| with - without).collect();
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
        let (old, new) = (mean(&without), mean(&with));
        let adopted = clear_gain(&gains).is_some_and(|gain| gain > WORTH_IT * old);
        let why = match adopted {
            true => "clearly better lists of users it did not learn from",
            false if new > old => "not clearly better lists of users it did not learn from",
            false => "no better lists of users it did not learn from",
        };
        let look = SecondLook { adopted, why: why.to_owned(), quality: Some([old, new]) };
        let ranked = shown.iter().zip(measure);
        let ranked: Vec<RankedList<'_>> = ranked
            .map(|(shown, list)| RankedList { suggested: shown, taken: &self.pools[*list].taken })
            .collect();
        (look, evaluate_lists(&ranked, self.popularity.len(), LENGTH, RESAMPLES, self.seed))
    }

    fn frozen(&self, table: &Table, block: Block, trees: Boosted) -> Result<Reranker, TrainingError> {
        let broken = |error: scorehouse_models::ModelError| TrainingError::Artifact(error.to_string());
        let fitted = Fitted { block, model: Learned::Boosted(BoostedFit { models: vec![trees] }) };
        let assembled = assemble(&[(1.0, fitted)]).map_err(broken)?;
        let Predictor::Forest(forest) = assembled.predictor else {
            return Err(TrainingError::Artifact("a second look must be a forest".to_owned()));
        };
        let inputs = table.inputs.clone();
        let signature = Signature { entity: None, feature_set: None, inputs, output: Output::Value };
        Ok(Reranker {
            encoder: Encoder::new(assembled.columns, &signature).map_err(broken)?,
            inputs: signature.inputs,
            customer: self.facts.of_customer(),
            product: self.facts.of_product(),
            forest,
        })
    }

    /// The components that will be there when answers are given, by their place in the pools.
    fn kept(&self) -> Vec<usize> {
        (0..self.names.len()).filter(|component| self.weights[*component] > 0.0).collect()
    }

    fn table(&self) -> Result<Table, TrainingError> {
        let kept = self.kept();
        let names = OWN.iter().map(|name| (*name).to_owned());
        let names: Vec<String> =
            names.chain(kept.iter().map(|at| format!("said.{}", self.names[*at]))).collect();
        let candidates: Vec<Vec<Vec<f64>>> = self
            .pools
            .par_iter()
            .zip(&self.split.held)
            .map(|(pool, held)| self.rows(pool, held, &kept))
            .collect();
        let mut own: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
        let (mut lists, mut items, mut users) = (Vec::new(), Vec::new(), Vec::new());
        for (user, rows) in candidates.iter().enumerate() {
            let from = items.len() as u32;
            for row in rows {
                // The item stands behind what is known of it.
                let (item, known) = row.split_last().unwrap_or((&0.0, &[]));
                items.push(*item as u32);
                users.push(user as u32);
                own.iter_mut().zip(known).for_each(|(column, number)| column.push(*number));
            }
            lists.push(List { rows: from..items.len() as u32, wanted: self.pools[user].taken.len() });
        }
        let mut columns: Vec<Column> =
            names.iter().zip(own).map(|(name, own)| Column::float(name, own)).collect();
        columns.extend(self.facts_of(&users, &items)?);
        let input = |column: &Column| InputField {
            name: column.name.clone(),
            value_type: column.value_type(),
            words: column.words.clone(),
            group: None,
        };
        let inputs = columns.iter().map(input).collect();
        let taken: Vec<bool> = users
            .iter()
            .zip(&items)
            .map(|(user, item)| self.pools[*user as usize].taken.binary_search(item).is_ok())
            .collect();
        let places = lists.iter().flat_map(|list| 0..list.rows.len()).map(before).collect();
        let data = Dataset {
            rows: items.len(),
            columns,
            label: taken.iter().map(|taken| f64::from(u8::from(*taken))).collect(),
            as_of: vec![self.as_of(); items.len()],
            group: Some(users),
            ..Dataset::default()
        };
        Ok(Table { data, inputs, lists, taken, before: places, items })
    }

    /// What was held back begins at the split, so this is the last moment that knows nothing of it.
    fn as_of(&self) -> Timestamp {
        self.split.as_of.before(Span(1))
    }

    /// What is known of one user's candidates, the best first; behind it stands the item.
    fn rows(&self, pool: &Pool, held: &Held, kept: &[usize]) -> Vec<Vec<f64>> {
        let ranked = pool.ranked(self.weights, self.popular.as_deref(), &self.lift, RERANKED);
        let best = ranked.first().map_or(0.0, |(score, _)| *score);
        let mean = mean(self.popularity);
        let row = |(place, (score, at)): (usize, (f32, usize))| {
            let item = pool.items[at];
            let had = held.past.binary_search_by_key(&item, |past| past.item).ok().map(|at| held.past[at]);
            let days = |last: Timestamp| self.split.as_of.0.saturating_sub(last.0) as f64 / DAY as f64;
            let said: Vec<f32> = kept.iter().map(|component| pool.said[*component][at]).collect();
            let standing = Standing {
                place,
                score: share(score, best),
                popularity: share(self.popularity[item as usize], mean),
                had: had.map(|past| (days(past.last), past.weight)),
                items_before: held.past.len(),
                said: &said,
            };
            standing.numbers().chain([f64::from(item)]).collect()
        };
        ranked.into_iter().enumerate().map(row).collect()
    }

    /// The features of each row's customer and product.
    fn facts_of(&self, users: &[u32], items: &[u32]) -> Result<Vec<Column>, TrainingError> {
        let log = &self.split.train;
        let of_users: Vec<&str> =
            self.split.held.iter().map(|held| log.users[held.user as usize].as_str()).collect();
        let mut numbers = items.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        let of_items: Vec<&str> = numbers.iter().map(|item| log.items[*item as usize].as_str()).collect();
        let place = |item: &u32| numbers.partition_point(|number| number < item) as u32;
        let places: Vec<u32> = items.iter().map(place).collect();
        let customers = self.facts.customers(&of_users, self.as_of())?;
        let products = self.facts.products(&of_items, self.as_of())?;
        let named = |side: &str, column: &Column, rows: &[u32]| {
            let taken = column.take(rows);
            Column { name: format!("{side}.{}", column.name), ..taken }
        };
        let of_customers = customers.iter().map(|column| named("customer", column, users));
        Ok(of_customers.chain(products.iter().map(|column| named("product", column, &places))).collect())
    }
}

impl Table {
    fn lists(&self) -> Lists<'_> {
        Lists { lists: &self.lists, taken: &self.taken, before: &self.before, length: LENGTH }
    }

    /// The items of a list in the order of `raw`.
    fn shown(&self, list: usize, raw: &[f64]) -> Vec<u32> {
        let mut rows: Vec<u32> = self.lists[list].rows.clone().collect();
        rows.sort_by(|a, b| raw[*b as usize].total_cmp(&raw[*a as usize]));
        rows.into_iter().map(|row| self.items[row as usize]).collect()
    }
}

/// Growing trees over one table.
struct Course<'a> {
    table: &'a Table,
    binned: &'a Binned,
    seed: u64,
}

impl Course<'_> {
    /// The settings whose lists of watched users are best, with their number of trees; 0 trees when none helped.
    fn settings(&self, learn: &[usize]) -> Result<BoostingParams, TrainingError> {
        let (watch, learn): (Vec<usize>, Vec<usize>) = {
            let (watch, learn): (Vec<_>, Vec<_>) =
                learn.iter().enumerate().partition(|(at, _)| at % WATCHED == 0);
            let lists = |of: Vec<(usize, &usize)>| of.into_iter().map(|(_, list)| *list).collect();
            (lists(watch), lists(learn))
        };
        let mut best = (f64::INFINITY, BoostingParams { trees: 0, ..self.start(0) });
        for leaves in [6, 16] {
            let params = self.start(leaves);
            let grown =
                boost_lists(self.binned, self.table.lists(), (&self.telling(&learn), &watch), &params)
                    .map_err(refused)?;
            let trees = least(&grown.losses);
            if trees > 0 && grown.losses[trees] < best.0 {
                best = (grown.losses[trees], BoostingParams { trees, ..params });
            }
        }
        Ok(best.1)
    }

    fn start(&self, leaves: usize) -> BoostingParams {
        BoostingParams {
            trees: TREES,
            learning_rate: 0.1,
            leaves,
            min_rows: 100,
            l2: 1.0,
            feature_share: 0.7,
            patience: 20,
            seed: self.seed,
            ..BoostingParams::default()
        }
    }

    fn grow(&self, learn: &[usize], params: &BoostingParams) -> Result<Boosted, TrainingError> {
        let params = BoostingParams { patience: 0, ..params.clone() };
        boost_lists(self.binned, self.table.lists(), (&self.telling(learn), &[]), &params).map_err(refused)
    }

    /// Lists with something that was taken up: others tell nothing of order.
    fn telling(&self, lists: &[usize]) -> Vec<usize> {
        let tells =
            |list: &&usize| self.table.lists[**list].rows.clone().any(|row| self.table.taken[row as usize]);
        lists.iter().filter(tells).copied().collect()
    }

    /// Where every row stands after all trees.
    fn raw(&self, grown: &Boosted) -> Vec<f64> {
        let rows: Vec<u32> = (0..self.binned.rows as u32).collect();
        let added = grown.raw(self.binned, &rows, grown.trees.len());
        added.iter().zip(&self.table.before).map(|(added, before)| added + before).collect()
    }
}

fn refused(error: InvalidBoosting) -> TrainingError {
    TrainingError::Fit { learner: "second look", reason: error.to_string() }
}
