//! What right project files mean.

use crate::definition::tests::{WHOLE, parse};
use crate::definition::*;
use crate::ids::FeatureName;
use crate::time::{DAY, Span, Timestamp};
use crate::value::{Value, ValueType};

fn local_names(view: &View) -> Vec<&str> {
    view.features.iter().map(|f| f.name.as_str()).collect()
}

#[test]
fn the_smallest_project_needs_six_lines() {
    let project = parse(
        "[project]\nname = \"telco\"\n[model.churn]\npipeline = \"table\"\ntable = \"train.csv\"\nlabel = \"label\"\nid = \"id\"\n",
    );
    let Pipeline::Table(table) = &project.models["churn"].pipeline else { panic!("not a table") };
    assert_eq!((table.id.as_deref(), table.holdout, table.candidates.len()), (Some("id"), 0.25, 3));
    assert_eq!(project.settings, Settings::default());
    assert_eq!(project.state.to_str(), Some("/project/state"));
}

#[test]
fn the_score_log_is_read_in_its_units_and_kept_by_default() {
    let plain = parse("[project]\nname = \"p\"\n");
    assert_eq!(plain.score_log, crate::definition::ScoreLogSettings::default());
    let text = "[project]\nname = \"p\"\n[score_log]\nenabled = false\nmemory = \"2MiB\"\noverflow = \"drop\"\nflush = \"5s\"\nkeep = \"365d\"\n";
    let log = parse(text).score_log;
    assert_eq!((log.enabled, log.memory, log.overflow), (false, 2 << 20, crate::definition::Overflow::Drop));
    assert_eq!((log.flush.0, log.keep.map(|span| span.0)), (5_000_000, Some(365 * crate::time::DAY)));
}

#[test]
fn settings_are_read_in_their_units() {
    let project = parse(WHOLE);
    assert_eq!((project.name.as_str(), project.seed), ("wholesale", 7));
    assert_eq!((project.settings.memory_limit, project.settings.body_limit), (512 << 20, 1 << 20));
    assert_eq!((project.settings.listen.as_str(), project.settings.threads), ("0.0.0.0:9000", 2));
}

#[test]
fn a_source_has_its_read_columns_first_and_then_its_computed_ones() {
    let project = parse(WHOLE);
    let source = &project.sources["order_lines"];
    let names: Vec<&str> = source.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "invoice",
            "quantity",
            "unit_price",
            "stock_code",
            "customer_id",
            "ordered",
            "amount",
            "cancelled",
            "refund"
        ]
    );
    assert_eq!(source.columns[6].value_type, ValueType::Float);
    assert_eq!(source.available, Availability::Delay(Span(3_600_000_000)));
    let Origin::Read { header, required, .. } = &source.columns[4].origin else { panic!("computed") };
    assert_eq!((header.as_str(), *required), ("Customer ID", true));
    let Origin::Read { required, .. } = &source.columns[5].origin else { panic!("computed") };
    assert!(*required, "a row without its event time has no place in history");
    let FileFormat::Csv(options) = &source.format else { panic!("not CSV") };
    assert_eq!((options.delimiter, options.decimal, options.null.len()), (Some(b';'), b',', 2));
    assert_eq!(project.sources["accounts"].format, FileFormat::Parquet);
    assert!(project.sources["page_visit"].path.is_none());
}

#[test]
fn a_computed_column_reads_the_ones_before_it() {
    let project = parse(WHOLE);
    let columns = &project.sources["order_lines"].columns;
    let Origin::Computed(amount) = &columns[6].origin else { panic!("read") };
    let row = [Value::Text("C1".into()), Value::Int(3), Value::Float(2.5)];
    assert_eq!(amount.evaluate(&row, Timestamp(0)), Value::Float(7.5));
}

#[test]
fn windows_spread_into_one_feature_each() {
    let project = parse(WHOLE);
    let view = &project.views["orders"];
    assert_eq!(
        local_names(view),
        [
            "lines_30d",
            "lines_6w",
            "lines",
            "revenue_30d",
            "revenue_6w",
            "revenue",
            "big_lines_365d",
            "recency",
            "product_1",
            "product_2",
            "recent_product_1_30d",
            "recent_product_2_30d",
            "first_order_30d",
            "first_order_6w",
            "first_order",
            "products",
        ]
    );
    let ViewKind::Window(window) = &view.kind else { panic!("not a window") };
    assert_eq!(window.features.len(), view.features.len());
    assert_eq!(window.features[1].window, Some(Span(42 * DAY)));
    assert_eq!(window.features[9].aggregate.column().map(|c| c.as_str()), Some("stock_code"));
    assert!(window.features[6].filter.is_some() && window.filter.is_some());
    assert_eq!(view.features[3].words.as_deref(), Some("bought for {value} in 30 days"));
    assert_eq!(view.features[5].words.as_deref(), Some("bought for {value} in all time"));
    assert_eq!(view.features[14].value_type, ValueType::Time);
}

#[test]
fn one_aggregate_over_several_windows_is_a_group_and_others_are_where_they_say_so() {
    let text = WHOLE.replacen(
        r#"words = "the deal is worth {value}""#,
        r#"group = "size", words = "the deal is worth {value}""#,
        1,
    );
    assert_ne!(text, WHOLE);
    let project = parse(&text);
    let group = |name: &str| {
        let features = &project.feature_sets["deal_close"].features;
        let found = features.iter().find(|feature| feature.name.to_string() == name);
        found.unwrap_or_else(|| panic!("{name}")).group.clone()
    };
    assert_eq!(group("deal.amount").as_deref(), Some("size"));
    assert_eq!(group("deal.created"), None);
    // What is told of an entity that is referred to stays apart from what is told of this one.
    assert_eq!(group("customer.orders.revenue_30d").as_deref(), Some("customer.orders.revenue"));
    let health = &project.views["orders"].features;
    let of = |name: &str| health.iter().find(|f| f.name.as_str() == name).unwrap().group.as_deref();
    assert_eq!((of("revenue_30d"), of("revenue")), (Some("orders.revenue"), Some("orders.revenue")));
    assert_eq!((of("product_1"), of("recency")), (Some("orders.product"), None));
    // Telling features together changes no value.
    let hash = |project: &crate::definition::Project| project.feature_sets["deal_close"].hash.clone();
    assert_eq!(hash(&project), hash(&parse(WHOLE)));
}

#[test]
fn a_derived_view_comes_after_the_views_it_reads() {
    let project = parse(WHOLE);
    let place = |name: &str| project.views.get_index_of(name).unwrap();
    assert!(place("deal_facts") > place("size_of_deal"));
    assert!(place("size_of_deal") > place("deal"));
    assert!(place("deal_facts") > place("size"));
}

#[test]
fn a_derived_feature_knows_its_inputs_by_slot() {
    let project = parse(WHOLE);
    let ViewKind::Derived(derived) = &project.views["deal_facts"].kind else { panic!("not derived") };
    let inputs: Vec<String> = derived[1].inputs.iter().map(ToString::to_string).collect();
    assert_eq!(inputs, ["deal.amount", "account.size.staff"]);
    let values = [Value::Float(900.0), Value::Int(30)];
    assert_eq!(derived[1].expression.evaluate(&values, Timestamp(0)), Value::Float(30.0));
    assert_eq!(project.request_fields["discount"], ValueType::Float);
}

#[test]
fn references_know_their_target_and_key() {
    let project = parse(WHOLE);
    let account = &project.entities["opportunity"].references["account"];
    assert_eq!((account.target.as_str(), account.key.to_string().as_str()), ("account", "deal.account_id"));
    assert_eq!(project.entities["account"].references["customer"].target.as_str(), "customer");
}

#[test]
fn patterns_expand_in_order_and_pass_over_keys() {
    let project = parse(WHOLE);
    let names: Vec<String> =
        project.feature_sets["deal_close"].features.iter().map(|f| f.name.to_string()).collect();
    assert_eq!(
        names,
        [
            "deal.created",
            "deal.amount",
            "deal_facts.age_days",
            "deal_facts.relative_amount",
            "deal_facts.net",
            "deal_facts.large",
            "account.account.region",
            "account.account.employees",
            "account.size.staff",
            "customer.orders.lines_30d",
            "customer.orders.revenue_30d",
            "customer.orders.recent_product_1_30d",
            "customer.orders.recent_product_2_30d",
            "customer.orders.first_order_30d",
            "request.discount",
        ],
        "no keys, no stage, and not `account.size.loud`, which itself reads through a reference"
    );
    let amount = &project.feature_sets["deal_close"].features[1];
    assert_eq!(amount.words.as_deref(), Some("the deal is worth {value}"));
}

#[test]
fn a_feature_sets_hash_follows_what_decides_its_values_and_nothing_else() {
    let hash = |text: &str| parse(text).feature_sets["customer_health"].hash.clone();
    let original = hash(WHOLE);
    assert_eq!(original.len(), 64);
    let same = [
        ("data/orders/*.csv.gz", "elsewhere/*.csv.gz"),
        ("bought for {value} in {window}", "{value}"),
        ("unit_price = \"float\"", "unit_price = \"float\", extra = \"text\""),
        (
            "[features.customer_health]",
            "[features.other]\nentity = \"customer\"\nfeatures = [\"orders.lines\"]\n[features.customer_health]",
        ),
        ("ln(deal.amount)", "log10(deal.amount)"),
    ];
    for (from, to) in same {
        assert_eq!(hash(&WHOLE.replace(from, to)), original, "{from} -> {to}");
    }
    let other = [
        ("quantity * unit_price", "quantity * unit_price * 1.2"),
        ("where = \"NOT cancelled\"", "where = \"NOT cancelled AND quantity > 0\""),
        ("amount > 1000", "amount > 2000"),
        ("delay = \"1h\"", "delay = \"2h\""),
        ("keep = \"unit_price >= 0\"", "keep = \"unit_price > 0\""),
        ("\"6w\", \"all\"", "\"7w\", \"all\""),
        ("header = \"InvoiceDate\"", "header = \"Date\""),
        ("null = [\"NA\", \"-\"]", "null = [\"NA\"]"),
    ];
    for (from, to) in other {
        assert_ne!(hash(&WHOLE.replace(from, to)), original, "{from} -> {to}");
    }
}

#[test]
fn a_derived_features_hash_follows_its_inputs() {
    let hash = |text: &str| parse(text).feature_sets["deal_close"].hash.clone();
    let original = hash(WHOLE);
    assert_ne!(hash(&WHOLE.replace("ln(deal.amount)", "log10(deal.amount)")), original);
    assert_ne!(hash(&WHOLE.replace("ttl = \"400d\"", "ttl = \"300d\"")), original);
}

#[test]
fn models_know_their_sources_and_defaults() {
    let project = parse(WHOLE);
    let Pipeline::Win(win) = &project.models["win"].pipeline else { panic!("not win") };
    assert_eq!(win.at, [Span(DAY), Span(14 * DAY), Span(30 * DAY)], "in order");
    assert_eq!((win.fit.candidates.len(), win.fit.holdout), (2, 0.3));
    assert_eq!(win.fit.prior, Prior { rate: 0.25, rows: 40.0 });
    assert_eq!(win.fit.monotone["deal.amount"], Direction::Down);
    assert_eq!(win.won.value_type(), ValueType::Bool);
    let Pipeline::Churn(churn) = &project.models["churn"].pipeline else { panic!("not churn") };
    assert_eq!((churn.every, churn.horizon), (Span(30 * DAY), Span(90 * DAY)));
    assert_eq!((churn.fit.prior, churn.fit.monotone.len()), (Prior { rate: 0.5, rows: 2.0 }, 0));
    assert_eq!(churn.from, Timestamp::parse("2010-06-01").ok());
    assert!(matches!(churn.definition, ChurnDefinition::NonContractual { filter: Some(_), .. }));
    let Pipeline::Churn(cancel) = &project.models["cancel"].pipeline else { panic!("not churn") };
    assert!(matches!(cancel.definition, ChurnDefinition::Contractual { filter: Some(_), .. }));
    let Pipeline::Interactions(next) = &project.models["next"].pipeline else { panic!("not interactions") };
    assert_eq!((next.user.as_str(), next.item.as_str(), next.repeat), ("user", "item", false));
    assert_eq!(next.horizon, Span(30 * DAY));
    let shorter = WHOLE.replace("half_life = ", "horizon = \"14d\"\nhalf_life = ");
    let Pipeline::Upsell(upsell) = &parse(&shorter).models["upsell"].pipeline else { panic!("not upsell") };
    assert_eq!(upsell.horizon, Span(14 * DAY));
    let Pipeline::Table(risk) = &project.models["risk"].pipeline else { panic!("not a table") };
    assert_eq!(risk.positive.as_deref(), Some("1"));
}

#[test]
fn storefront_rules_are_bound_to_their_inputs() {
    let project = parse(WHOLE);
    let Pipeline::Upsell(upsell) = &project.models["upsell"].pipeline else { panic!("not upsell") };
    assert_eq!((upsell.user.as_str(), upsell.item.as_str()), ("customer_id", "stock_code"));
    assert_eq!(upsell.weight.as_ref().map(|w| w.value_type()), Some(ValueType::Float), "an int is taken");
    let rule = &upsell.rules["sold_here"];
    let feature = |name: &str| name.parse::<FeatureName>().unwrap();
    let country = crate::ids::LocalName::new("country").unwrap();
    assert_eq!(
        rule.inputs,
        [
            RuleInput::Product(feature("stock.country")),
            RuleInput::Request(country),
            RuleInput::Item,
            RuleInput::Customer(feature("orders.lines_30d")),
        ]
    );
    let values = |item: &str| {
        [
            Value::Text("UK".into()),
            Value::Missing(crate::value::Missing::NotGiven),
            Value::Text(item.into()),
            Value::Int(0),
        ]
    };
    assert!(rule.expression.is_true(&values("85123A"), Timestamp(0)));
    assert!(!rule.expression.is_true(&values("POST"), Timestamp(0)));
}

#[test]
fn a_second_look_reads_features_of_both_sides_under_their_own_hash() {
    let project = parse(WHOLE);
    let rerank = |project: &Project| {
        let Pipeline::Upsell(upsell) = &project.models["upsell"].pipeline else { panic!("not upsell") };
        upsell.rerank.clone().unwrap()
    };
    let (customer, product) = (rerank(&project).customer.unwrap(), rerank(&project).product.unwrap());
    let names = |set: &FeatureSet| set.features.iter().map(|f| f.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&product), ["stock.quantity", "stock.country"]);
    assert!(names(&customer).iter().all(|name| name.starts_with("orders.") && name != "orders.lines_30d"));
    assert!(!names(&customer).is_empty() && customer.hash != product.hash);
    let one = parse(
        &WHOLE.replace("\"customer.orders.*\", \"!customer.orders.lines_30d\"", "\"product.stock.country\""),
    );
    assert!(rerank(&one).customer.is_none());
    assert_eq!(rerank(&one).product, Some(product));
}

#[test]
fn what_arranges_an_answer_is_bound_to_its_inputs() {
    let project = parse(WHOLE);
    let Pipeline::Upsell(upsell) = &project.models["upsell"].pipeline else { panic!("not upsell") };
    let (diversity, margin) =
        (upsell.arrangement.diversity.clone().unwrap(), upsell.arrangement.margin.clone().unwrap());
    assert_eq!((diversity.weight, diversity.by.len(), margin.weight), (0.2, 2, 0.3));
    assert_eq!(diversity.by[1].inputs, [RuleInput::Item]);
    assert_eq!(margin.value.inputs, [RuleInput::Product("stock.quantity".parse().unwrap())]);
    assert_eq!(margin.value.expression.evaluate(&[Value::Int(4)], Timestamp(0)), Value::Float(8.0));
    let bare =
        WHOLE.lines().filter(|line| !line.starts_with("diversity") && !line.starts_with("margin = { v"));
    let project = parse(&bare.collect::<Vec<_>>().join("\n"));
    let Pipeline::Upsell(upsell) = &project.models["upsell"].pipeline else { panic!("not upsell") };
    assert!(upsell.arrangement.is_none());
}

#[test]
fn a_policy_is_an_ordered_list_of_conditions_over_score_and_features() {
    let project = parse(WHOLE);
    let policy = project.models["win"].serving.policy.as_ref().unwrap();
    let names: Vec<&str> = policy.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["sure", "big"]);
    let amount = PolicyInput::Feature("deal.amount".parse().unwrap());
    assert_eq!(policy.inputs, [PolicyInput::Probability, PolicyInput::Low, amount]);
    let values = |probability: f64, low: f64, amount: f64| [probability, low, amount].map(Value::Float);
    let fires = |rule: usize, values: [Value; 3]| policy.rules[rule].when.is_true(&values, Timestamp(0));
    assert!(fires(0, values(0.7, 0.6, 1.0)) && !fires(0, values(0.7, 0.5, 1.0)));
    assert!(fires(1, values(0.05, 0.0, 1.0)) && !fires(1, values(0.5, 0.4, 1.0)));
    let decision = &policy.rules[0].decision;
    assert_eq!((decision.track.as_str(), decision.action.as_deref()), ("fast", Some("send the contract")));
    assert_eq!(policy.otherwise.as_ref().unwrap().track, "standard");
}

#[test]
fn a_watch_has_edges_and_a_webhook_an_address_and_the_name_of_a_secret() {
    let project = parse(WHOLE);
    let watch = project.models["win"].serving.watch.clone().unwrap();
    assert_eq!((watch.bands, watch.margin, watch.reasons), (vec![0.2, 0.5], 0.02, 3));
    let hook = &project.webhooks["crm"];
    assert_eq!(hook.url, "https://crm.example.com/hooks/scores");
    assert_eq!((hook.secret.as_str(), hook.attempts), ("CRM_WEBHOOK_SECRET", 5));
    assert_eq!((hook.first_wait, hook.timeout), (Span(2_000_000), Span(10_000_000)));
    assert_eq!(hook.models.as_ref().unwrap()[0].as_str(), "win");
    assert_eq!(hook.ca.as_ref().unwrap().to_str(), Some("/project/tls/ca.pem"));
}

#[test]
fn a_model_is_watched_over_by_limits_that_may_start_a_retraining() {
    let text = format!(
        "{WHOLE}\n[model.win.monitor]\nfeature_psi = 0.25\nauc = 0.6\nwindow = \"14d\"\nretrain = true\n"
    );
    let monitor = parse(&text).models["win"].serving.monitor.clone().unwrap();
    assert_eq!((monitor.every, monitor.window, monitor.at_least), (Span(DAY), Span(14 * DAY), 200));
    assert_eq!(monitor.limits, Limits { feature_psi: Some(0.25), auc: Some(0.6), ..Limits::default() });
    assert_eq!(monitor.retrain, Some(Span(7 * DAY)));
}

#[test]
fn a_challenger_over_a_plain_table_goes_by_a_column_and_one_that_recommends_by_the_customer() {
    const RISK: &str = "[project]\nname = \"t\"\n[model.risk]\npipeline = \"table\"\ntable = \"t.csv\"\nlabel = \"y\"\nid = \"row\"\n";
    let by = |by: &str| {
        let text = format!("{RISK}[model.risk.challenger]\nmode = \"split\"\nshare = 0.5\n{by}");
        parse(&text).models["risk"].serving.challenger.clone().unwrap().by
    };
    assert_eq!((by(""), by("by = \"row\"")), (SplitBy::Own, SplitBy::Own));
    assert_eq!(by("by = \"region\""), SplitBy::Column("region".to_owned()));
    let upsell = parse(&format!("{WHOLE}\n[model.upsell.challenger]\nmode = \"shadow\"\n"));
    let challenger = upsell.models["upsell"].serving.challenger.clone().unwrap();
    assert_eq!((challenger.mode, challenger.by), (ChallengerMode::Shadow, SplitBy::Own));
}

#[test]
fn a_challenger_is_tried_out_by_a_share_of_keys_or_beside_all_answers() {
    let project = parse(WHOLE);
    let challenger = project.models["win"].serving.challenger.as_ref().unwrap();
    assert_eq!((challenger.mode, challenger.share), (ChallengerMode::Split, 0.2));
    let SplitBy::Reference { role, key } = &challenger.by else { panic!("{challenger:?}") };
    assert_eq!((role.as_str(), key.to_string().as_str()), ("account", "deal.account_id"));
    assert_eq!(project.models["churn"].serving, ServingSpec::default());
    let shadow = WHOLE.replace("mode = \"split\"\nshare = 0.2\nby = \"account\"", "mode = \"shadow\"");
    let challenger = parse(&shadow).models["win"].serving.challenger.clone().unwrap();
    assert_eq!(
        (challenger.mode, challenger.share, challenger.by),
        (ChallengerMode::Shadow, 1.0, SplitBy::Own)
    );
}

#[test]
fn the_same_text_gives_the_same_project_each_time() {
    assert_eq!(format!("{:?}", parse(WHOLE)), format!("{:?}", parse(WHOLE)));
}

const CLOSED: &str = r#"
[project]
name = "closed"
[server]
grpc = "127.0.0.1:8081"
tls = { cert = "tls/cert.pem", key = "tls/key.pem" }
origins = ["https://shop.example.com", "http://localhost:5173"]
connections = 10
header_timeout = "5s"
request_timeout = "1m"
[limits]
requests = 20
[telemetry]
otlp = "http://collector:4318"
sampling = 0.25
[entity.deal]
key = "deal_id"
[entity.product]
key = "product_id"
[source.deals]
event_time = "at"
columns = { deal_id = "text", at = "time", owner = "text", region = "text", amount = "float" }
[view.deal]
entity = "deal"
kind = "latest"
source = "deals"
features = ["owner", "region", "amount"]
[features.deal]
entity = "deal"
features = ["deal.amount"]
[model.win]
pipeline = "registered"
feature_set = "deal"
[access]
metrics = "open"
attributes = ["region"]
[access.role.rep]
models = ["win"]
sources = ["deals"]
entities = { deal = "deal.owner = caller.name OR deal.region = caller.region", product = true }
rate = 5
[access.jwt]
issuer = "https://login.example.com/"
audience = "scorehouse"
jwks = "jwks.json"
role = "realm.roles"
roles = { sales = "rep", ops = "operator" }
attributes = { region = "land" }
"#;

#[test]
fn access_is_closed_and_unnarrowed_unless_the_project_says_otherwise() {
    let project = parse("[project]\nname = \"x\"\n");
    assert_eq!(project.access, Access::default());
    assert!(!project.access.open && !project.access.open_metrics && project.access.roles.is_empty());
}

#[test]
fn a_role_is_narrowed_to_models_sources_and_entities() {
    let project = parse(CLOSED);
    assert!(project.access.open_metrics);
    let rep = &project.access.roles[&Role::Rep];
    assert_eq!(rep.models.as_ref().unwrap().len(), 1);
    assert_eq!(rep.sources.as_ref().unwrap().len(), 1);
    let rate = rep.rate.unwrap();
    assert_eq!((rate.per_second.get(), rate.burst.get()), (5, 5));
    let entities = rep.entities.as_ref().unwrap();
    assert_eq!(entities["product"], EntityAccess::All);
    let EntityAccess::Where(filter) = &entities["deal"] else { panic!("no condition") };
    let feature = |name: &str| CallerInput::Feature(name.parse().unwrap());
    let inputs =
        [feature("deal.owner"), CallerInput::Name, feature("deal.region"), CallerInput::Attribute(0)];
    assert_eq!(filter.inputs, inputs);
}

#[test]
fn an_issuer_maps_claims_to_name_role_and_attributes() {
    let issuer = parse(CLOSED).access.jwt.unwrap();
    assert_eq!((issuer.name.as_str(), issuer.role.as_str()), ("sub", "realm.roles"));
    assert_eq!(issuer.jwks, Jwks::File("/project/jwks.json".into()));
    assert_eq!((issuer.roles["sales"], issuer.roles["ops"]), (Role::Rep, Role::Operator));
    assert_eq!(issuer.attributes, ["land"]);
}

#[test]
fn the_server_is_held_to_what_the_project_says() {
    let settings = parse(CLOSED).settings;
    assert_eq!(settings.tls.unwrap().cert.to_str(), Some("/project/tls/cert.pem"));
    assert_eq!(settings.origins.len(), 2);
    assert_eq!(settings.grpc.as_deref(), Some("127.0.0.1:8081"));
    assert_eq!((settings.connections, settings.requests), (10, 20));
    let telemetry = settings.telemetry;
    assert_eq!((telemetry.otlp.as_deref(), telemetry.sampling), (Some("http://collector:4318"), 0.25));
    assert_eq!((settings.header_timeout, settings.request_timeout), (Span(5_000_000), Span(60_000_000)));
}

#[test]
fn what_deals_are_worth_is_an_expression_and_plans_belong_to_one_reference() {
    let more = r#"
[model.win.forecast]
amount = "deal.amount * 0.9"
[model.win.actionable]
"deal.amount" = { direction = "down", min = 100, step = 50 }
"#;
    let project = parse(&format!("{WHOLE}{more}"));
    let Pipeline::Win(win) = &project.models["win"].pipeline else { panic!("not win") };
    let forecast = win.forecast.as_ref().unwrap();
    assert_eq!(forecast.amount.inputs, ["deal.amount".parse::<FeatureName>().unwrap()]);
    assert_eq!(forecast.plan, None);
    let actionable = &win.fit.actionable["deal.amount"];
    assert_eq!(
        (actionable.direction, actionable.min, actionable.max),
        (Some(Direction::Down), Some(100.0), None)
    );
    assert_eq!(actionable.step, Some(50.0));
}
