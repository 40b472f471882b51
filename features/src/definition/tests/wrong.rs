//! Mistakes, and how they are told.

use crate::definition::tests::{WHOLE, mistakes};

/// The mistakes of the whole project after one change.
fn after(from: &str, to: &str) -> String {
    assert!(WHOLE.contains(from), "{from}");
    mistakes(&WHOLE.replacen(from, to, 1))
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_name() {
    let text =
        "[project]\nname = \"x\"\n\n[source.orders]\nevent_time = \"at\"\n  colums = { at = \"time\" }\n";
    let found = mistakes(text);
    assert!(
        found.contains(
            "scorehouse.toml:6:3: unknown key `colums` in [source.orders]; did you mean `columns`?"
        ),
        "{found}"
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = "[projct]\nname = 3\n[server]\nlisten = \"nowhere\"\n[limits]\nmemory = \"lots\"\n[model.x]\npipeline = \"wni\"\n";
    let found = mistakes(text);
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), 5, "{found}");
    assert!(found.contains("1:2: unknown section [projct]; did you mean `project`?"), "{found}");
    assert!(found.contains("`project` is missing"), "{found}");
    assert!(found.contains("4:10: `listen` is \"nowhere\"; expected host:port"), "{found}");
    assert!(found.contains("6:10: `memory` is \"lots\"; expected a size"), "{found}");
    assert!(found.contains("8:12: unknown pipeline `wni`; did you mean `win`?"), "{found}");
}

#[test]
fn broken_toml_is_told_with_its_place() {
    let found = mistakes("[project]\nname = \"x\nseed = 1\n");
    assert!(found.starts_with("scorehouse.toml:2:"), "{found}");
}

#[test]
fn a_duplicate_key_is_a_mistake() {
    assert!(mistakes("[project]\nname = \"x\"\nname = \"y\"\n").contains("3:1: duplicate key"));
}

#[test]
fn a_mistake_inside_an_expression_is_told_at_its_character() {
    let text = "[project]\nname = \"x\"\n[source.s]\nevent_time = \"at\"\ncolumns = { at = \"time\", quantity = \"int\" }\nkeep = \"quantity > 0 AND quantiti < 9\"\n";
    let found = mistakes(text);
    assert!(found.contains("6:26: unknown name `quantiti` (in `keep`); did you mean `quantity`?"), "{found}");
}

#[test]
fn wrong_types_are_told_with_what_was_expected() {
    for (from, to, told) in [
        ("unit_price = \"float\"", "unit_price = \"money\"", "unknown type `money`; expected one of"),
        ("unit_price = \"float\"", "unit_price = \"double\"", "unknown type `double`; did you mean `float`?"),
        ("max_rejected = 0.05", "max_rejected = 5", "`max_rejected` is 5; expected a share from 0 to 1"),
        ("delay = \"1h\"", "delay = \"1 hour\"", "\"1 hour\" is not a span such as 30d"),
        ("delay = \"1h\"", "delay = 3", "`delay` is 3; expected text in quotes"),
        ("delimiter = \";\"", "delimiter = \";;\"", "`delimiter` is \";;\"; expected one ASCII character"),
        ("windows-1252", "windows-1", "expected a WHATWG encoding label"),
        ("unit_price >= 0", "unit_price", "the expression must be bool, but is float"),
        ("seed = 7", "seed = -7", "`seed` is -7; expected a whole number"),
        ("holdout = 0.3", "holdout = 0.9", "expected a share above 0, 0.5 at most"),
        ("prior = { rate = 0.25, rows = 40 }", "prior = 1", "expected a rate above 0 and below 1"),
        ("rows = 40", "rows = 0", "`rows` is 0; expected a number of rows above 0"),
        ("\"deal.amount\" = \"down\"", "\"deal.amount\" = \"sideways\"", "expected \"up\" or \"down\""),
        (
            "\"deal.amount\" = \"down\"",
            "\"deal.amuont\" = \"down\"",
            "reads no feature `deal.amuont`; did you mean",
        ),
        ("format = \"%Y-%m-%d %H:%M:%S\"", "format = \"%Q\"", "`format` is no format of times"),
        ("\"logistic\", ", "\"logistics\", ", "unknown learner `logistics`; did you mean `logistic`?"),
        (
            "event_time = \"ordered\"",
            "event_time = \"orderd\"",
            "`event_time` names no column: `orderd`; did you mean `ordered`?",
        ),
        (
            "event_time = \"ordered\"",
            "event_time = \"invoice\"",
            "`event_time` names column `invoice` of type text",
        ),
        ("NOT cancelled", "ordered < as_of()", "`as_of()` has no meaning over the rows of a source"),
        (
            "bought for {value} in {window}",
            "bought for {values}",
            "unknown placeholder `{values}` in `words`; did you mean `{value}`?",
        ),
    ] {
        let found = after(from, to);
        assert!(found.contains(told), "{to}: {found}");
        assert_eq!(found.lines().count(), 1, "one mistake, told once: {found}");
    }
}

#[test]
fn names_that_lead_nowhere_are_told_with_the_nearest() {
    for (from, to, told) in [
        ("source = \"stock\"", "source = \"stok\"", "unknown source `stok`; did you mean `stock`?"),
        (
            "entity = \"product\"",
            "entity = \"products\"",
            "unknown entity `products`; did you mean `product`?",
        ),
        (
            "\"quantity\", \"country\"]",
            "\"quantity\", \"contry\"]",
            "source `stock` has no column `contry`; did you mean `country`?",
        ),
        ("sum(amount)", "sum(amout)", "source `order_lines` has no column `amout`; did you mean `amount`?"),
        ("sum(amount)", "sun(amount)", "unknown aggregate `sun`; did you mean `sum`?"),
        ("sum(amount)", "sum(invoice)", "column `invoice` is text; expected int or float"),
        ("sum(amount)", "sum(amount * 2)", "expected the name of a column; `compute` one"),
        ("\"count()\"", "\"count(invoice)\"", "`count` takes no column"),
        ("last(stock_code, 2)", "last(stock_code, 0)", "`last` cannot look `0` rows back"),
        (
            "ln(deal.amount)",
            "ln(deal.amont)",
            "unknown name `deal.amont` (in `log_amount`); did you mean `deal.amount`?",
        ),
        ("ln(deal.amount)", "lm(deal.amount)", "unknown function `lm` (in `log_amount`); did you mean `ln`?"),
        (
            "deal_facts.*\"",
            "deal_fact.*\"",
            "no feature of `opportunity` fits `deal_fact.*`; did you mean `deal_facts`?",
        ),
        ("\"!deal.stage\"", "\"!deal.stag\"", "`!deal.stag` leaves nothing out; did you mean `deal.stage`?"),
        ("\"request.discount\"]", "\"request.rebate\"]", "request field `rebate` is not declared"),
        ("feature_set = \"deal_close\"", "feature_set = \"deals\"", "unknown feature set `deals`"),
        ("closed = \"closed\"", "closed = \"close\"", "unknown source `close`; did you mean `closed`?"),
        (
            "key = \"deal.account_id\"",
            "key = \"deal.account\"",
            "unknown feature `deal.account`; did you mean `deal.account_id`?",
        ),
        ("key = \"deal.account_id\"", "key = \"deal.amount\"", "`deal.amount` cannot hold a key"),
        (
            "in_stock = \"product.stock.quantity",
            "in_stock = \"product.stok.quantity",
            "unknown name `product.stok.quantity` (in `in_stock`); did you mean `product.stock.quantity`?",
        ),
    ] {
        let found = after(from, to);
        assert!(found.contains(told), "{to}: {found}");
    }
}

#[test]
fn a_columns_name_leaves_the_stores_own_alone() {
    let found = after("cancelled = \"starts", "__arrival = \"1\", cancelled = \"starts");
    assert!(found.contains("a column cannot be called `__arrival`"), "{found}");
}

#[test]
fn a_key_column_holds_text() {
    let found = after("customer_id = { type = \"text\", header", "customer_id = { type = \"int\", header");
    assert!(
        found.contains("column `customer_id` of source `order_lines` is int, but holds a key"),
        "{found}"
    );
    assert_eq!(found.lines().count(), 2, "the view and the churn model need it: {found}");
}

#[test]
fn what_lies_out_of_reach_says_why() {
    let deep = after("deal.amount / account.size.staff", "account.size.loud");
    assert!(deep.contains("`account.size.loud` itself reads through a reference"), "{deep}");
    let other = after("ln(deal.amount)", "orders.lines_30d + 0.0");
    assert!(other.contains("view `orders` is of `customer`, not of `opportunity`"), "{other}");
    let request =
        after("staff = \"greatest(account.employees, 1)\"", "staff = \"account.employees * request.factor\"");
    assert!(request.contains("unknown name `request.factor`"), "{request}");
}

#[test]
fn a_circle_of_derived_views_is_named() {
    let found = after("ln(deal.amount)", "deal_facts.net");
    assert!(
        found.contains("read each other in a circle: deal_facts -> size_of_deal -> deal_facts"),
        "{found}"
    );
    assert_eq!(found.lines().count(), 1, "the views in the circle are not blamed for one another: {found}");
}

#[test]
fn a_request_field_has_one_type() {
    let found =
        after("request = { country = \"text\" }", "request = { country = \"text\", discount = \"int\" }");
    assert!(found.contains("request field `discount` is int here, but float elsewhere"), "{found}");
}

#[test]
fn churn_is_with_a_contract_or_without() {
    let both = after("ended = \"page_visit\"", "ended = \"page_visit\"\nactivity = \"page_visit\"");
    assert!(both.contains("`activity` and `started` exclude each other"), "{both}");
    let half = after("ended = \"page_visit\"\n", "");
    assert!(half.contains("`ended` is missing"), "{half}");
}

#[test]
fn two_features_of_one_name_are_refused() {
    let found = after(
        "lines = \"count()\"",
        "lines = \"count()\"\nlines_30d = { aggregate = \"count()\", windows = [\"all\"] }",
    );
    assert!(found.contains("feature `lines_30d` of view `orders` stands twice"), "{found}");
}

#[test]
fn a_mistake_in_a_source_is_not_blamed_on_its_views() {
    let found = after("quantity = \"int\", unit_price", "quantity = \"int\", unit_price_ = 3, unit_price");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn any_text_gives_mistakes_and_never_a_panic() {
    for text in [
        "",
        "\u{feff}",
        "[",
        "x",
        "[project]",
        "project = 3",
        "[[project]]",
        "[source]\nx = 3",
        "[view.x]\nfeatures = 3",
        "[view.x]\nkind = \"derived\"\nfeatures = { a = 3, b = {} }",
        "[model.x]\npipeline = 3",
        "[features.x]\nfeatures = \"a\"",
        "entity = []",
        "[entity.x]\nrefers_to = 3",
        "[model.x]\npipeline = \"upsell\"\nrules = 3\nrequest = 3",
        "[source.s]\ncompute = 1\ncolumns = 2",
    ] {
        assert!(!mistakes(text).is_empty(), "{text}");
    }
}

#[test]
fn mistakes_about_the_arrangement_of_answers_are_told_with_what_was_meant() {
    for (from, to, told) in [
        ("weight = 0.2 }", "weight = 2 }", "expected a weight from 0 to 1"),
        (", weight = 0.3 }", " }", "`weight` is missing"),
        ("{ by = [", "{ bye = [", "unknown key `bye` in [diversity]; did you mean `by`?"),
        ("[\"product.stock.country\", \"left(item, 2)\"]", "[]", "`by`"),
        ("product.stock.country\", \"left", "product.stock.county\", \"left", "did you mean"),
        ("product.stock.quantity * 2", "request.country", "the expression must be float, but is text"),
        ("product.stock.quantity * 2", "customer.orders.lines_30d", "is the same for every product"),
    ] {
        let found = after(from, to);
        assert!(found.contains(told), "{told}: {found}");
    }
}

#[test]
fn mistakes_about_a_second_look_are_told_with_what_was_meant() {
    for (from, to, told) in [
        ("[\"product.stock.*\"", "[\"stock.*\"", "expected a list such as"),
        (
            "[\"product.stock.*\"",
            "[\"product.stok.*\"",
            "no feature of `product` fits `stok.*`; did you mean `stock`?",
        ),
        (
            "[\"product.stock.*\"",
            "[\"product.stock.quantty\"",
            "unknown feature `stock.quantty` of `product`",
        ),
        ("\"!customer.orders.lines_30d\"", "\"!customer.orders.lines_31d\"", "leaves nothing out"),
        ("rerank = [", "rerank = [3, ", "`rerank`"),
    ] {
        let found = after(from, to);
        assert!(found.contains(told), "{told}: {found}");
    }
}

#[test]
fn mistakes_about_a_challenger_are_told_with_what_was_meant() {
    for (from, to, told) in [
        (
            "share = 0.2",
            "shares = 0.2",
            "unknown key `shares` in [model.win.challenger]; did you mean `share`?",
        ),
        ("share = 0.2\n", "", "`share` is missing"),
        ("share = 0.2", "share = 1.5", "expected a share above 0, 1 at most"),
        ("mode = \"split\"", "mode = \"spilt\"", "unknown mode `spilt`; did you mean `split`?"),
        (
            "by = \"account\"",
            "by = \"acount\"",
            "`opportunity` refers to no `acount`; did you mean `account`?",
        ),
        (
            "[limits]",
            "[score_log]\nenabled = false\n[limits]",
            "compared by the score log, which is not enabled",
        ),
        ("[model.win.challenger]", "[model.upsell.challenger]", "always split by the customer"),
    ] {
        let found = after(from, to);
        assert!(found.contains(told), "{to}: {found}");
    }
}

#[test]
fn mistakes_about_policies_are_told_with_what_was_meant() {
    for (from, to, told) in [
        (
            "probability >= 0.7",
            "probabilty >= 0.7",
            "unknown name `probabilty` (in `when`); did you mean `probability`?",
        ),
        ("deal.amount > 10000", "deal.amont > 10000", "did you mean `deal.amount`?"),
        ("deal.amount > 10000 OR probability < 0.1", "deal.amount", "the expression must be bool"),
        ("track = \"advanced\"", "trak = \"advanced\"", "unknown key `trak` in [model.win.policy.rules.big]"),
        ("track = \"advanced\"", "action = \"x\"", "`track` is missing"),
        (
            "otherwise = {",
            "otherwse = {",
            "unknown key `otherwse` in [model.win.policy]; did you mean `otherwise`?",
        ),
        ("[model.win.policy]", "[model.risk.policy]", "unknown name"),
    ] {
        let text = match to {
            // The rules go with their policy.
            "[model.risk.policy]" => WHOLE.replace("[model.win.policy", "[model.risk.policy"),
            _ => WHOLE.replacen(from, to, 1),
        };
        let found = mistakes(&text);
        assert!(found.contains(told), "{to}: {found}");
    }
}

#[test]
fn mistakes_about_watches_and_webhooks_are_told_and_no_secret_is_repeated() {
    for (from, to, told) in [
        ("bands = [0.2, 0.5]", "bands = [0.5, 0.2]", "expected ascending edges"),
        ("bands = [0.2, 0.5]", "bands = []", "expected ascending edges"),
        (
            "bands = [0.2, 0.5]",
            "band = [0.2]",
            "unknown key `band` in [model.win.watch]; did you mean `bands`?",
        ),
        ("margin = 0.02", "margin = -1", "expected a number, 0 or more"),
        ("https://crm", "https://me:pw@crm", "without user or password"),
        ("https://crm", "ftp://crm", "expected an address"),
        ("models = [\"win\"]", "models = [\"wni\"]", "there is no model `wni`"),
        ("attempts = 5", "attempts = 0", "expected a whole number, 1 to 30"),
        ("\"CRM_WEBHOOK_SECRET\"", "\"s3cret\"", "`secret` names no environment variable"),
        ("[webhook.crm]", "[webhooks.crm]", "unknown section [webhooks]; did you mean `webhook`?"),
    ] {
        let found = after(from, to);
        assert!(found.contains(told) && !found.contains("s3cret"), "{to}: {found}");
    }
}

#[test]
fn mistakes_about_limits_and_challengers_of_a_plain_table_are_told() {
    const RISK: &str = "[model.risk]\npipeline = \"table\"\ntable = \"t.csv\"\nlabel = \"y\"\n";
    let risk = |more: &str| mistakes(&format!("[project]\nname = \"t\"\n{RISK}{more}"));
    for (more, told) in [
        ("[model.risk.monitor]\nevery = \"1d\"\n", "no limit is set; expected `score_psi`"),
        ("[model.risk.monitor]\nauc = 1.5\n", "expected a number above 0 and below 1"),
        ("[model.risk.monitor]\nfeature_psy = 1\n", "did you mean `feature_psi`?"),
        ("[model.risk.monitor]\nauc = 0.6\nat_least = 3\n", "expected a whole number, 30 or more"),
        ("[model.risk.monitor]\nauc = 0.6\nwindow = \"0d\"\n", "\"0d\" is not a span"),
        ("[model.risk.monitor]\nauc = 0.6\nrest = \"1d\"\n", "`rest` needs `retrain = true`"),
        ("[score_log]\nenabled = false\n[model.risk.monitor]\nauc = 0.6\n", "watched over by the score log"),
        ("[model.risk.challenger]\nmode = \"split\"\nshare = 0.5\n", "which rows are the challenger's"),
        ("[model.risk.challenger]\nmode = \"shadow\"\nby = \"y\"\n", "no request gives the column `y`"),
        ("[model.risk.watch]\nbands = [0.5]\n", "unknown key `watch`"),
    ] {
        let found = risk(more);
        assert!(found.contains(told), "{more}: {found}");
    }
}

/// The mistakes of the whole project with a section about access.
fn of_access(section: &str) -> String {
    mistakes(&format!("{WHOLE}\n{section}"))
}

#[test]
fn mistakes_about_access_are_told_with_what_was_meant() {
    for (section, told) in [
        ("[access]\nopn = true\n", "unknown key `opn` in [access]; did you mean `open`?"),
        ("[access]\nmetrics = \"yes\"\n", "expected \"open\" or \"closed\""),
        ("[access]\nattributes = [\"name\"]\n", "`name` is known of every caller"),
        ("[access.role.repp]\nrate = 1\n", "unknown role `repp`; did you mean `rep`?"),
        ("[access.role.rep]\nrate = 0\n", "expected a whole number, 1 to 1000000"),
        ("[access.role.rep]\nburst = 3\n", "`burst` has no meaning without `rate`"),
        ("[access.role.rep]\nmodels = [\"wni\"]\n", "there is no model `wni`"),
        ("[access.role.rep]\nsources = [\"order_line\"]\n", "did you mean `order_lines`?"),
        (
            "[access.role.rep]\nentities = { custmer = true }\n",
            "there is no entity `custmer`; did you mean `customer`?",
        ),
        ("[access.role.rep]\nentities = { customer = false }\n", "leave it out"),
        (
            "[access.role.rep]\nentities = { customer = \"caller.nme = 'x'\" }\n",
            "did you mean `caller.name`?",
        ),
        ("[access.role.rep]\nentities = { customer = \"caller.name\" }\n", "must be bool"),
        ("[access.jwt]\nissuer = \"x\"\naudience = \"y\"\n", "`jwks` is missing"),
        (
            "[access.jwt]\nissuer = \"x\"\naudience = \"y\"\njwks_url = \"login/keys\"\n",
            "expected an address",
        ),
        (
            "[access.jwt]\nissuer = \"x\"\naudience = \"y\"\njwks = \"z\"\njwks_url = \"http://z\"\n",
            "expected either",
        ),
        (
            "[access.jwt]\nissuer = \"x\"\naudience = \"y\"\njwks = \"z\"\njwks_ca = \"c\"\n",
            "without `jwks_url`",
        ),
        (
            "[access.jwt]\nissuer = \"x\"\naudience = \"y\"\njwks = \"z\"\nroles = { a = \"b\" }\n",
            "unknown role `b`",
        ),
        (
            "[access.jwt]\nissuer = \"x\"\naudience = \"y\"\njwks = \"z\"\nattributes = { a = \"b\" }\n",
            "unknown key `a`",
        ),
    ] {
        let found = of_access(section);
        assert!(found.contains(told), "{section}: {found}");
    }
}

#[test]
fn mistakes_about_the_server_are_told_with_what_was_expected() {
    for (line, told) in [
        ("origins = [\"shop.example.com\"]", "expected scheme and host alone"),
        ("origins = [\"https://shop.example.com/\"]", "expected scheme and host alone"),
        ("grpc = \"8081\"", "expected host:port"),
        ("tls = { cert = \"a\" }", "`key` is missing"),
        ("connections = 0", "expected a whole number, 1 or more"),
        ("header_timeout = 5", "expected text in quotes"),
        ("[telemetry]\notlp = \"collector:4318\"", "expected an address such as \"http://collector:4318\""),
        ("[telemetry]\nsampling = 1.5", "expected a number from 0 to 1"),
        ("[telemetry]\nsamplings = 1", "did you mean `sampling`?"),
    ] {
        let found = mistakes(&format!("[project]\nname = \"x\"\n[server]\n{line}\n"));
        assert!(found.contains(told), "{line}: {found}");
    }
}

#[test]
fn forecasts_and_actionable_features_are_checked_like_all_else() {
    for (more, told) in [
        ("[model.win.forecast]\namount = \"deal.amout\"\n", "did you mean `deal.amount`?"),
        ("[model.win.forecast]\namuont = \"deal.amount\"\n", "did you mean `amount`?"),
        (
            "[model.win.forecast]\namount = \"deal.amount\"\ntarget = \"deal.amount\"\n",
            "a feature through a reference",
        ),
        ("[model.win.actionable]\n\"deal.amuont\" = \"up\"\n", "did you mean `deal.amount`?"),
        ("[model.win.actionable]\n\"deal.amount\" = \"sideways\"\n", "expected \"up\" or \"down\""),
        ("[model.win.actionable]\n\"deal.amount\" = { min = 3, max = 2 }\n", "`max` is 2, below `min`"),
        ("[model.win.actionable]\n\"deal.amount\" = { step = 0 }\n", "expected a number above 0"),
        ("[model.win.actionable]\n\"deal.amount\" = { stp = 1 }\n", "did you mean `step`?"),
    ] {
        let found = mistakes(&format!("{WHOLE}\n{more}"));
        assert!(found.contains(told), "{more}: {found}");
    }
}
