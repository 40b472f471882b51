//! From interactions to a frozen recommender.

use scorehouse_features::time::{Span, Timestamp};
use scorehouse_models::ModelError;
use scorehouse_models::predictor::recommender::{
    Component, Histories, Names, Parts, Past, Recommender, Repeat, Reranker, Strength, WeightScale,
};

use super::blend::{Blend, Fading, search, share_of_popularity};
use super::candidates::{Candidate, Ground};
use super::log::InteractionLog;
use super::pool::{Pool, PoolMaker};
use super::popularity::{lift, popularity};
use super::second_look::{Facts, Lesson, SecondLook};
use super::showing::{Asked, Showing, asked, halves, showings, with_second_look};
use super::split::{Held, Split, split};
use super::tune::{Tuned, tune};
use crate::error::TrainingError;
use crate::progress::Progress;

/// What is asked of a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitSettings {
    /// Time after which an interaction counts half; none: chosen on what is held back.
    pub half_life: Option<Span>,
    /// Which items of a user's past may be suggested again.
    pub repeat: Repeat,
    /// Seed of everything random.
    pub seed: u64,
}

/// A fitted recommender with what speaks for and against it.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The recommender, fitted on everything.
    pub recommender: Recommender,
    /// Every candidate and the blend on held-back users that had no say in the weights, and `second_look` where one was
    /// learnt; what answers are made by stands last.
    pub showings: Vec<Showing>,
    /// What these users were shown, and what they took up.
    pub asked: Vec<Asked>,
    /// How it was put together.
    pub blend: Blend,
    /// Time after which an interaction counts half in the popularity that was chosen.
    pub popularity_half_life: Option<Span>,
    /// Where the log was cut, when it was split by time.
    pub held_from: Option<Timestamp>,
    /// Users held back, for choosing and for measuring.
    pub held: usize,
    /// What came of a second look at the best candidates; none when there were no facts to look at.
    pub second_look: Option<SecondLook>,
}

/// With fewer held-back users than this nothing is chosen: a plain item-to-item model is fitted.
const ENOUGH_TO_CHOOSE: usize = 20;
/// The most popular items under every way of fading that come into every pool.
const POPULAR: usize = 60;
/// Fits a recommender.
///
/// Candidates are fitted without the latest stretch of time (or, without time, a fifth of some users' items),
/// blended by what half of the held-back users took up, measured on the other half, and those that count are
/// fitted again on everything.
///
/// # Errors
/// [`TrainingError::Artifact`] when the log has no interactions, and what learners report.
pub fn fit(
    log: &InteractionLog,
    settings: FitSettings,
    progress: &dyn Progress,
) -> Result<Fitted, TrainingError> {
    fit_with(log, settings, None, progress)
}

/// As [`fit`]; with `facts` of customers and products, a second look at the best candidates is learnt, and kept where
/// it is clearly better for users that it did not learn from.
///
/// # Errors
/// As [`fit`], and what reading facts reports.
pub fn fit_with(
    log: &InteractionLog,
    settings: FitSettings,
    facts: Option<&dyn Facts>,
    progress: &dyn Progress,
) -> Result<Fitted, TrainingError> {
    if log.rows.is_empty() {
        let why = "there are no interactions to learn from".to_owned();
        return Err(ModelError::Invalid { part: "recommender", why }.into());
    }
    let split = split(log, settings.repeat, settings.seed);
    if split.held.len() < ENOUGH_TO_CHOOSE {
        progress.message("too few users to choose by: item-to-item weights and popularity as they are");
        let second_look = facts.map(|_| SecondLook::untried("too few users could be held back"));
        return Ok(Fitted { second_look, ..plain(log, settings, progress)? });
    }
    let chosen = choose(&split, log, settings, facts, progress)?;
    let until = log.until();
    let ground =
        Ground { log, strength: chosen.strength, repeat: settings.repeat, seed: settings.seed, progress };
    let kept = chosen.kept();
    let mut components = Vec::new();
    for (candidate, weight) in &kept {
        components.extend(candidate.fit(ground)?.map(|component| Component { weight: *weight, ..component }));
    }
    // It reads what each component says.
    let reranker = chosen.reranker.filter(|_| components.len() == kept.len());
    let recent = popularity(log, chosen.popularity_half_life, until);
    let recommender = assemble(ground, (components, reranker), &chosen.blend, recent)?;
    Ok(Fitted {
        recommender,
        showings: chosen.showings,
        asked: chosen.asked,
        blend: chosen.blend,
        popularity_half_life: chosen.popularity_half_life,
        held_from: split.by_time.then_some(split.as_of),
        held: split.held.len(),
        second_look: chosen.second_look,
    })
}

/// What was found out on the held-back users.
struct Chosen {
    strength: Strength,
    candidates: Vec<Candidate>,
    blend: Blend,
    basket: Option<f32>,
    popularity_half_life: Option<Span>,
    showings: Vec<Showing>,
    asked: Vec<Asked>,
    second_look: Option<SecondLook>,
    reranker: Option<Reranker>,
}

impl Chosen {
    /// The candidates that count, with their weights.
    fn kept(&self) -> Vec<(Candidate, f32)> {
        let profile = self.candidates.iter().copied().zip(self.blend.weights.iter().copied());
        let basket = self.basket.map(|weight| (Candidate::Basket, weight));
        profile.chain(basket).filter(|(_, weight)| *weight > 0.0).collect()
    }
}

fn choose(
    split: &Split,
    log: &InteractionLog,
    settings: FitSettings,
    facts: Option<&dyn Facts>,
    progress: &dyn Progress,
) -> Result<Chosen, TrainingError> {
    let presence = Strength { half_life: settings.half_life, scale: WeightScale::Presence };
    let FitSettings { repeat, seed, .. } = settings;
    let mut ground = Ground { log: &split.train, strength: presence, repeat, seed, progress };
    let Tuned { candidate, component, strength } = tune(split, ground, settings.half_life)?;
    ground.strength = strength;
    let mut candidates = vec![candidate];
    let mut components = vec![component];
    let others = [Candidate::Cosine, Candidate::NextPurchase, Candidate::GraphFilter, Candidate::Factors];
    for other in others.into_iter().filter(|c| split.by_time || *c != Candidate::NextPurchase) {
        if let Some(component) = other.fit(ground)? {
            candidates.push(other);
            components.push(component);
        }
    }
    let fadings = fadings(split);
    let always = popular_items(&fadings);
    let items = log.items.len();
    let maker =
        PoolMaker { components: &components, strength, repeat, as_of: split.as_of, always: &always, items };
    progress.stage("ask held-back users", split.held.len() as u64);
    let pools = maker.pools(&split.held, &|by| progress.advance(by));
    let (choosing, measuring) = halves(&pools);
    progress.stage("find weights", 0);
    let blend = search(&choosing, components.len(), &fadings);
    let mut showings = showings(&measuring, &components, &blend, &fadings[blend.fading], (items, seed));
    let looked = match facts {
        Some(facts) => {
            progress.stage("learn a second look", 0);
            let fading = &fadings[blend.fading];
            let lesson = Lesson {
                facts,
                split,
                pools: &pools,
                names: components.iter().map(|component| component.name.as_str()).collect(),
                weights: &blend.weights,
                popular: share_of_popularity(&fading.popularity, blend.popularity_weight),
                lift: lift(&fading.popularity, blend.lift_exponent),
                popularity: &fading.popularity,
                seed,
            };
            Some(lesson.learn()?)
        }
        None => None,
    };
    let asked = asked(split, &measuring, &fadings[blend.fading], &blend, looked.as_ref());
    showings = with_second_look(showings, looked.as_ref());
    let basket = basket_weight(split, log, &maker, ground, &blend, &fadings[blend.fading])?;
    let popularity_half_life = fadings[blend.fading].half_life;
    let (second_look, reranker) = looked.map(|looked| (looked.look, looked.reranker)).unzip();
    let reranker = reranker.flatten();
    Ok(Chosen {
        strength,
        candidates,
        blend,
        basket,
        popularity_half_life,
        showings,
        asked,
        second_look,
        reranker,
    })
}

/// Ways in which popularity may fade, in relation to the time the log covers; the first never fades.
fn fadings(split: &Split) -> Vec<Fading> {
    let from = split.train.rows.first().map_or(0, |row| row.time.0);
    let span = split.train.until().0.saturating_sub(from);
    let mut half_lives = vec![None];
    if split.by_time && span > 0 {
        half_lives.extend([8, 16, 32, 64, 128].map(|share| Some(Span((span / share).max(1)))));
    }
    let fading =
        |half_life| Fading { half_life, popularity: popularity(&split.train, half_life, split.as_of) };
    half_lives.into_iter().map(fading).collect()
}

fn popular_items(fadings: &[Fading]) -> Vec<u32> {
    let mut items: Vec<u32> = Vec::new();
    for fading in fadings {
        let mut order: Vec<u32> = (0..fading.popularity.len() as u32).collect();
        let of = |item: &u32| fading.popularity[*item as usize];
        order.sort_by(|a, b| of(b).total_cmp(&of(a)).then_with(|| a.cmp(b)));
        items.extend(order.into_iter().take(POPULAR));
    }
    items.sort_unstable();
    items.dedup();
    items
}

/// Baskets asked about when the weight of the basket component is chosen.
const BASKETS: usize = 1500;

/// The weight of the basket component, found by hiding one item of later baskets of customers taken for
/// strangers; none when there are no baskets.
fn basket_weight(
    split: &Split,
    log: &InteractionLog,
    maker: &PoolMaker<'_>,
    ground: Ground<'_>,
    blend: &Blend,
    fading: &Fading,
) -> Result<Option<f32>, ModelError> {
    let Some(component) = Candidate::Basket.fit(ground)? else { return Ok(None) };
    let held = later_baskets(split, log);
    if held.len() < ENOUGH_TO_CHOOSE {
        return Ok(Some(1.0));
    }
    let components: Vec<Component> = maker.components.iter().cloned().chain([component]).collect();
    let pools = PoolMaker { components: &components, repeat: Repeat::Never, ..*maker }.pools(&held, &|_| ());
    let lift = lift(&fading.popularity, blend.lift_exponent);
    let popular = share_of_popularity(&fading.popularity, blend.popularity_weight);
    let quality = |weight: f32| {
        let weights: Vec<f32> = blend.weights.iter().copied().chain([weight]).collect();
        let quality = |pool: &Pool| pool.quality(&pool.list(&weights, popular.as_deref(), &lift));
        pools.iter().map(quality).sum::<f64>()
    };
    let mut best = (quality(0.0), 0.0);
    for weight in [0.25, 0.5, 1.0, 2.0, 4.0] {
        let tried = quality(weight);
        if tried > best.0 {
            best = (tried, weight);
        }
    }
    Ok(Some(best.1))
}

/// Baskets after the split with one known item hidden, the basket as the past.
fn later_baskets(split: &Split, log: &InteractionLog) -> Vec<Held> {
    if !split.by_time {
        return Vec::new();
    }
    let mut known = vec![false; log.items.len()];
    split.train.rows.iter().for_each(|row| known[row.item as usize] = true);
    let later = log.rows.iter().filter(|row| row.time >= split.as_of && row.weight > 0.0);
    let mut pairs: Vec<(u32, u32)> = later
        .filter(|row| known[row.item as usize])
        .filter_map(|row| row.basket.map(|basket| (basket, row.item)))
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let baskets: Vec<&[(u32, u32)]> = pairs.chunk_by(|a, b| a.0 == b.0).filter(|b| b.len() >= 2).collect();
    let every = baskets.len().div_ceil(BASKETS).max(1);
    baskets.into_iter().step_by(every).map(|basket| hide_one(basket, split.as_of)).collect()
}

fn hide_one(basket: &[(u32, u32)], as_of: Timestamp) -> Held {
    // Which one is settled by the basket's number: as good as drawn, and the same every time.
    let hidden = basket[0].0 as usize % basket.len();
    let rest = basket.iter().enumerate().filter(|(at, _)| *at != hidden);
    let past = rest.map(|(_, (_, item))| Past { item: *item, weight: 1.0, last: as_of }).collect();
    Held { user: u32::MAX, past, targets: vec![basket[hidden].1] }
}

/// The recommender for a log too small to choose anything by.
fn plain(log: &InteractionLog, settings: FitSettings, progress: &dyn Progress) -> Result<Fitted, ModelError> {
    let strength = Strength { half_life: settings.half_life, scale: WeightScale::Presence };
    let ground = Ground { log, strength, repeat: settings.repeat, seed: settings.seed, progress };
    let candidate = Candidate::ItemToItem { normalised: 0.0 };
    let components: Vec<Component> = candidate.fit(ground)?.into_iter().collect();
    let blend =
        Blend { weights: vec![1.0; components.len()], popularity_weight: 0.1, fading: 0, lift_exponent: 0.0 };
    let recent = popularity(log, settings.half_life, log.until());
    let recommender = assemble(ground, (components, None), &blend, recent)?;
    Ok(Fitted {
        recommender,
        second_look: None,
        showings: Vec::new(),
        asked: Vec::new(),
        blend,
        popularity_half_life: settings.half_life,
        held_from: None,
        held: 0,
    })
}

fn assemble(
    ground: Ground<'_>,
    (components, reranker): (Vec<Component>, Option<Reranker>),
    blend: &Blend,
    popularity: Vec<f32>,
) -> Result<Recommender, ModelError> {
    let log = ground.log;
    let pasts = log.pasts(log.until());
    Recommender::new(Parts {
        items: Names::new(log.items.iter().map(String::as_str))?,
        users: Names::new(log.users.iter().map(String::as_str))?,
        histories: Histories::new(pasts.iter().map(Vec::as_slice))?,
        strength: ground.strength,
        repeat: ground.repeat,
        components,
        reranker,
        lift: lift(&popularity, blend.lift_exponent),
        popularity,
        popularity_weight: blend.popularity_weight,
        until: log.until(),
    })
}
