//! What open deals come to in a period, as the server is asked.

use scorehouse_features::ids::{EntityKey, FeatureName, ModelName};
use scorehouse_features::time::Timestamp;
use scorehouse_models::ModelVersion;
use scorehouse_training::{Forecast, Period};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::error::{Noun, ServeError};
use crate::service::history::ForecastAsked;
use crate::service::moment;
use crate::state::AppState;

/// Which forecast.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"period": "2026-Q4", "by": "deal.owner_id"}))]
pub struct ForecastBody {
    /// A calendar quarter, such as `2026-Q4`; the present one if neither this nor `from` and `to` are given.
    pub period: Option<String>,
    /// In place of a quarter: the first moment that counts, RFC 3339 or a date.
    pub from: Option<String>,
    /// The first moment that does not count any more.
    pub to: Option<String>,
    /// A feature by which deals are told apart, such as `deal.owner_id`; only the total if not given.
    pub by: Option<String>,
    /// The moment whose knowledge counts, RFC 3339 or a date; now if not given. Not in the future.
    pub as_of: Option<String>,
    /// The alias that answers; `champion` if neither this nor `version` is given.
    pub alias: Option<String>,
    /// The version that answers, in place of an alias.
    pub version: Option<u32>,
}

/// The amount won in a period.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForecastAnswer {
    /// The model.
    pub model: String,
    /// The version that judged every deal.
    pub version: u32,
    /// The alias it was found by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The forecast.
    #[serde(flatten)]
    #[schema(inline, value_type = ForecastShown)]
    pub forecast: Forecast,
}

/// A forecast.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "stands only in the OpenAPI document; Forecast is what is written")]
pub struct ForecastShown {
    /// The moment whose knowledge counted.
    #[schema(format = DateTime)]
    as_of: String,
    /// `from` and `to`, and the `name` of a calendar quarter.
    #[schema(value_type = Object)]
    period: (),
    /// Wins of open deals of late for each that was expected; those that are open now are told by as much more or less.
    level: f64,
    /// How much deals of the same time hang together, 0 to 0.5.
    correlation: f64,
    /// How often the period was drawn.
    draws: u64,
    /// Open deals without an amount; they count nothing.
    without_amount: u64,
    /// All deals.
    total: ForecastLine,
    /// The deals of each value of the feature asked for, the greatest first.
    groups: Vec<ForecastLine>,
}

/// What some deals come to.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "stands only in the OpenAPI document")]
pub struct ForecastLine {
    /// The value they share; null for all deals and for those without a value.
    group: Option<String>,
    /// Already won in the period.
    won: f64,
    /// Number of deals that are open.
    open_deals: u64,
    /// What they are worth together.
    open_amount: f64,
    /// What is won of them in the period, on average.
    from_open: f64,
    /// What is won of deals yet to come, on average.
    from_new: f64,
    /// The whole, on average.
    mean: f64,
    /// One time in ten it is less.
    p10: f64,
    /// As often less as more.
    p50: f64,
    /// One time in ten it is more.
    p90: f64,
    /// What was asked for.
    target: Option<f64>,
    /// What was promised.
    commit: Option<f64>,
    /// The probability that the target is reached.
    reaches_target: Option<f64>,
    /// The probability that the promise is kept.
    reaches_commit: Option<f64>,
}

/// Forecasts with one version of a model. A caller who sees few deals adds up only these.
///
/// # Errors
/// [`ServeError::Unknown`] for a model or feature, [`ServeError::InvalidField`] for a period that is none,
/// [`ServeError::Unavailable`] in a server without history, and what forecasting reports.
pub fn forecast(
    state: &AppState,
    caller: &Caller,
    model: &str,
    body: &ForecastBody,
) -> Result<ForecastAnswer, ServeError> {
    let missing = || ServeError::Unavailable { what: "history", reason: "this server has none".into() };
    let history = state.history.as_ref().ok_or_else(missing)?;
    let selected = state.live.select(model, body.alias.as_deref(), body.version)?;
    let as_of = moment::as_of(state.clock.as_ref(), body.as_of.as_deref())?;
    let period = period(body, as_of)?;
    let by = by(state, body.by.as_deref())?;
    let name = ModelName::new(selected.model.name()).map_err(|_| unknown(state, model))?;
    let entity = selected.model.entity().ok_or_else(|| selected.model.not_suited("knows of no deals"))?;
    let now = state.clock.now();
    let narrowed = caller.is_narrowed();
    let seen =
        |key: &EntityKey| !narrowed || caller.sees(state.online.as_ref(), entity, key, now).unwrap_or(false);
    let forecast = history.forecast(&ForecastAsked {
        project: &state.project,
        registry: state.registry.as_ref(),
        model: &name,
        version: ModelVersion(selected.model.version().0),
        as_of,
        period: &period,
        by: by.as_ref(),
        seen: &seen,
    })?;
    let alias = selected.alias.as_ref().map(ToString::to_string);
    Ok(ForecastAnswer { model: model.to_owned(), version: selected.model.version().0, alias, forecast })
}

fn unknown(state: &AppState, model: &str) -> ServeError {
    ServeError::unknown(Noun::Model, model, state.project.models.keys().map(ModelName::as_str))
}

fn period(body: &ForecastBody, as_of: Timestamp) -> Result<Period, ServeError> {
    let invalid = |message: String| ServeError::InvalidField { message, nearest: None };
    let moment = |field: &str, text: &str| {
        Timestamp::parse(text).map_err(|error| ServeError::WrongType {
            field: field.into(),
            expected: error.expected.into(),
            given: format!("the text {:?}", error.given),
        })
    };
    match (&body.period, &body.from, &body.to) {
        (Some(name), None, None) => Period::named(name).map_err(|error| invalid(error.to_string())),
        (None, Some(from), Some(to)) => {
            let (from, to) = (moment("from", from)?, moment("to", to)?);
            Period::between(from, to).map_err(|error| invalid(error.to_string()))
        }
        (None, None, None) => Ok(Period::quarter_of(as_of)),
        _ => Err(invalid("give `period`, or both `from` and `to`".into())),
    }
}

fn by(state: &AppState, by: Option<&str>) -> Result<Option<FeatureName>, ServeError> {
    let Some(text) = by else { return Ok(None) };
    let known = || {
        let views = state.project.views.values();
        let names = views.flat_map(|view| view.features.iter().map(|f| format!("{}.{}", view.name, f.name)));
        let names: Vec<String> = names.collect();
        ServeError::unknown(Noun::Feature, text, names.iter().map(String::as_str))
    };
    let name: FeatureName = text.parse().map_err(|_| known())?;
    let view = state.project.views.get(&name.view);
    let exists = view.is_some_and(|view| view.features.iter().any(|feature| feature.name == name.name));
    if exists { Ok(Some(name)) } else { Err(known()) }
}
