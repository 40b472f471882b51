use scorehouse_features::definition::{FeatureField, FeatureSet, Pipeline, Project, RerankSpec};
use scorehouse_features::ids::ModelName;
use scorehouse_features::value::ValueType;
use scorehouse_models::predictor::recommender::{FactsRead, OWN, Parts, Recommender, Reranker};
use scorehouse_models::predictor::{ForestBuilder, SplitRule, TreeNode};
use scorehouse_models::{
    Artifact, EncodedColumn, Encoder, InputField, Output, Predictor, Scale, Signature, Transform,
};
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, point, register, upsell_artifact};
use crate::kept::replay;

const UPSELL: &str = "/v1/models/upsell/recommend";
const HASH: &str = "as declared";

fn items(answer: &Json) -> Vec<&str> {
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
    items.iter().map(|item| item["item"].as_str().unwrap()).collect()
}

/// Declares that a second look may read what lies in stock.
fn declare(project: &mut Project) {
    let model = project.models.get_mut(&ModelName::new("upsell").unwrap()).unwrap();
    let Pipeline::Upsell(spec) = &mut model.pipeline else { panic!("not upsell") };
    let field = FeatureField {
        name: "product.stock".parse().unwrap(),
        value_type: ValueType::Int,
        words: None,
        group: None,
    };
    let product = FeatureSet {
        name: "rerank_product".parse().unwrap(),
        entity: "product".parse().unwrap(),
        features: vec![field],
        hash: HASH.into(),
        views: Vec::new(),
    };
    spec.rerank = Some(RerankSpec { customer: None, product: Some(product) });
}

/// The six products, those with more than 50 in stock first.
fn artifact(hash: &str) -> Artifact {
    let plain = upsell_artifact();
    let Predictor::Recommender(recommender) = &plain.predictor else { panic!("no recommender") };
    let names = OWN.iter().copied().chain(["said.item_to_item", "product.product.stock"]);
    let field =
        |name: &str| InputField { name: name.into(), value_type: ValueType::Float, words: None, group: None };
    let inputs: Vec<InputField> = names.map(field).collect();
    let signature =
        Signature { entity: None, feature_set: None, inputs: inputs.clone(), output: Output::Value };
    let column = EncodedColumn::new(inputs.len() - 1, Transform::Number);
    let mut forest = ForestBuilder::new(1, 0.0, Scale::LogOdds);
    let leaf = |value| TreeNode::Leaf { value, cover: 1.0 };
    let rule = SplitRule::AtMost(50.0);
    let split = TreeNode::Split { column: 0, rule, missing_left: true, left: 1, right: 2 };
    forest.add(&[split, leaf(0.0), leaf(5.0)]).unwrap();
    let reranker = Reranker {
        inputs,
        customer: FactsRead::default(),
        product: FactsRead { features: vec!["product.stock".parse().unwrap()], hash: hash.into() },
        encoder: Encoder::new(vec![column], &signature).unwrap(),
        forest: forest.finish(),
    };
    let parts = Parts { reranker: Some(reranker), ..recommender.parts().clone() };
    let predictor = Predictor::Recommender(Box::new(Recommender::new(parts).unwrap()));
    Artifact { predictor, ..plain }
}

/// A fixture whose second version looks twice; the first does not.
fn fixture(change: impl FnOnce(&mut Project), hash: &str) -> Fixture {
    let fixture = Fixture::changed(change);
    let second = register(fixture.registry.as_ref(), "upsell", &artifact(hash));
    point(fixture.registry.as_ref(), "upsell", "challenger", second);
    fixture.state.live.refresh().unwrap();
    fixture
}

async fn stock(fixture: &Fixture, product: &str, stock: u32) {
    let row = json!({"product_id": product, "stock": stock, "country": "GB", "at": "2024-03-30"});
    assert_eq!(fixture.post("/v1/events/catalogue", row).await.status, 200);
}

#[tokio::test]
async fn a_second_look_reads_products_as_they_are_now_and_breaks_no_rule() {
    let fixture = fixture(declare, HASH);
    let body = json!({"customer": "A-1", "n": 3, "version": 2});
    let plain = fixture.post(UPSELL, body.clone()).await.json();
    assert_eq!(items(&plain), ["P-4", "P-3", "P-1"], "{plain}");
    stock(&fixture, "P-3", 90).await;
    let json = fixture.post(UPSELL, body.clone()).await.json();
    assert_eq!(items(&json), ["P-3", "P-4", "P-1"], "{json}");
    assert_eq!(json["items"][0]["place"], 2, "{json}");
    // Scores and reasons are what they were.
    assert_eq!(json["items"][0]["score"], plain["items"][1]["score"]);
    assert_eq!(json["items"][1]["because"], plain["items"][0]["because"]);
    stock(&fixture, "P-3", 0).await;
    let json = fixture.post(UPSELL, body).await.json();
    assert_eq!(items(&json), ["P-4", "P-1"], "{json}");
}

#[tokio::test]
async fn a_stranger_is_shown_what_is_popular_without_a_second_look() {
    let fixture = fixture(declare, HASH);
    stock(&fixture, "P-4", 90).await;
    let json = fixture.post(UPSELL, json!({"n": 3, "version": 2})).await.json();
    assert_eq!(items(&json), ["P-2", "P-3", "P-4"], "{json}");
    assert!(json["items"][0].get("place").is_none(), "{json}");
}

#[tokio::test]
async fn a_version_without_a_second_look_is_as_it_was_where_one_is_declared() {
    let body = json!({"customer": "A-1", "basket": ["P-1"], "n": 4, "version": 1});
    let declared = fixture(declare, HASH).post(UPSELL, body.clone()).await.json();
    assert_eq!(declared, Fixture::new().post(UPSELL, body).await.json());
    assert!(declared["items"][0].get("place").is_none());
}

#[tokio::test]
async fn without_the_declaration_the_scores_of_such_a_version_decide() {
    let fixture = fixture(|_| {}, HASH);
    stock(&fixture, "P-3", 90).await;
    let json = fixture.post(UPSELL, json!({"customer": "A-1", "n": 3, "version": 2})).await.json();
    assert_eq!(items(&json), ["P-4", "P-3", "P-1"], "{json}");
}

#[tokio::test]
async fn a_second_look_made_for_other_definitions_is_refused() {
    let fixture = fixture(declare, "as it was declared once");
    let refused = fixture.post(UPSELL, json!({"version": 2})).await;
    assert!(refused.status.is_client_error() || refused.status.is_server_error());
    let message = refused.json()["error"]["message"].to_string();
    assert!(message.contains("train it again"), "{message}");
}

#[tokio::test]
async fn a_replay_looks_a_second_time_to_the_last_bit_and_names_what_moved_it() {
    let fixture = fixture(declare, HASH);
    for body in [
        json!({"customer": "A-1", "n": 3, "version": 2}),
        json!({"n": 2, "version": 2}),
        json!({"customer": "A-1", "version": 1}),
    ] {
        assert_eq!(fixture.post(UPSELL, body).await.status, 200);
    }
    let report = replay(&fixture);
    assert_eq!((report.rows, report.same, report.different), (3, 3, 0), "{report:?}");
    stock(&fixture, "P-3", 90).await;
    let report = replay(&fixture);
    // Only the first was looked at twice.
    assert_eq!((report.rows, report.same), (3, 2), "{report:?}");
    assert!(report.features.iter().any(|skew| skew.feature == "reranked"), "{report:?}");
}
