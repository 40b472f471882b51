use std::collections::BTreeMap;

use scorehouse::access::Role;
use scorehouse::routes::{Who, table};
use serde_json::json;

use crate::fixture::Fixture;

/// Every route with the roles that may ask: r(ep), st(orefront), se(rvice), sc(ientist), o(perator). A new route
/// fails the test below until it stands here.
const MATRIX: &[(&str, &str)] = &[
    ("GET /", "anyone"),
    ("GET /docs/errors", "anyone"),
    ("GET /healthz", "anyone"),
    ("GET /metrics", "scientist operator"),
    ("GET /openapi.json", "anyone"),
    ("GET /readyz", "anyone"),
    ("GET /ui/app.js", "anyone"),
    ("GET /ui/icon.svg", "anyone"),
    ("GET /ui/style.css", "anyone"),
    ("GET /v1/audit", "operator"),
    ("GET /v1/changes", "rep service scientist operator"),
    ("GET /v1/deliveries", "operator"),
    ("GET /v1/entities/{entity}", "rep service scientist operator"),
    ("GET /v1/entities/{entity}/{key}", "rep service scientist operator"),
    ("GET /v1/models", "rep storefront service scientist operator"),
    ("GET /v1/models/{model}", "rep service scientist operator"),
    ("GET /v1/models/{model}/board", "rep service scientist operator"),
    ("GET /v1/models/{model}/monitor", "scientist operator"),
    ("GET /v1/project", "rep storefront service scientist operator"),
    ("GET /v2", "anyone"),
    ("GET /v2/health/live", "anyone"),
    ("GET /v2/health/ready", "anyone"),
    ("GET /v2/models/{model}", "rep storefront service scientist operator"),
    ("GET /v2/models/{model}/ready", "rep storefront service scientist operator"),
    ("GET /v2/models/{model}/versions/{version}", "rep storefront service scientist operator"),
    ("GET /v2/models/{model}/versions/{version}/ready", "rep storefront service scientist operator"),
    ("POST /v1/events/{source}", "storefront service operator"),
    ("POST /v1/features/history", "scientist operator"),
    ("POST /v1/features/online", "rep service scientist operator"),
    ("POST /v1/models/{model}/forecast", "rep service scientist operator"),
    ("POST /v1/models/{model}/recommend", "rep storefront service scientist operator"),
    ("POST /v1/models/{model}/score", "rep storefront service scientist operator"),
    ("POST /v1/outcomes", "storefront service operator"),
    ("POST /v1/webhooks/{webhook}/redeliver", "operator"),
    ("POST /v2/models/{model}/infer", "rep storefront service scientist operator"),
    ("POST /v2/models/{model}/versions/{version}/infer", "rep storefront service scientist operator"),
    ("POST /v2/repository/index", "scientist operator"),
    ("POST /v2/repository/models/{model}/load", "operator"),
    ("POST /v2/repository/models/{model}/unload", "operator"),
    ("PUT /v1/models/{model}/aliases/{alias}", "scientist operator"),
];

pub fn words(who: Who) -> String {
    match who {
        Who::Anyone => "anyone".to_owned(),
        Who::Only(roles) | Who::OpenedOr(roles) => {
            roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(" ")
        }
    }
}

#[test]
fn every_route_stands_in_the_matrix_with_the_roles_that_may_ask() {
    let told: BTreeMap<String, String> =
        table().iter().map(|route| (format!("{} {}", route.method, route.path), words(route.who))).collect();
    let wanted: BTreeMap<String, String> =
        MATRIX.iter().map(|(route, who)| ((*route).to_owned(), (*who).to_owned())).collect();
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn every_role_is_let_in_or_kept_out_at_every_route_as_the_matrix_says() {
    let fixture = Fixture::closed("");
    let keys: Vec<(Role, String)> = Role::ALL.map(|role| (role, fixture.key(role.as_str(), role))).into();
    for (route, who) in MATRIX {
        let (method, path) = route.split_once(' ').unwrap();
        let path = ["{model}", "{alias}", "{entity}", "{key}", "{source}", "{version}", "{webhook}"]
            .into_iter()
            .zip(["win", "champion", "deal", "D-1", "orders", "1", "crm"])
            .fold(path.to_owned(), |path, (parameter, value)| path.replace(parameter, value));
        let body = (method != "GET").then(|| json!({"not": "what any route takes"}));
        let nobody = fixture.ask("", method, &path, body.clone()).await;
        assert_eq!(nobody.status == 401, *who != "anyone", "{route} without a key: {}", nobody.status);
        for (role, key) in &keys {
            let answer = fixture.ask(key, method, &path, body.clone()).await;
            let allowed = *who == "anyone" || who.split(' ').any(|allowed| allowed == role.as_str());
            let status = answer.status.as_u16();
            assert!(status < 500 && status != 401, "{route} as {role}: {status}");
            assert_eq!(status == 403, !allowed, "{route} as {role}: {status}");
        }
    }
}

#[tokio::test]
async fn a_project_may_open_its_metrics_and_nothing_else() {
    let fixture = Fixture::closed("[access]\nmetrics = \"open\"\n");
    assert_eq!(fixture.get("/metrics").await.status, 200);
    assert_eq!(fixture.get("/v1/models").await.status, 401);
}
