//! What every registry must do. An implementation's tests call [`check`] with a way to make an empty one and to
//! open the same one again.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "these are tests, for other crates' tests"
)]

use scorehouse_features::ids::ModelName;
use scorehouse_features::time::Timestamp;

use crate::artifact::Artifact;
use crate::calibration::Calibration;
use crate::encoder::Encoder;
use crate::error::ModelError;
use crate::ids::{AliasName, ModelVersion};
use crate::predictor::{Linear, Predictor, Scale};
use crate::registry::{AliasMove, AuditAction, Parents, RegisterRequest, Registry, Selector, TrainingWindow};
use crate::signature::{Output, Signature};

/// Makes handles onto one registry: each call gives another handle onto the same state, first empty.
pub trait Open {
    /// The registry opened.
    type Registry: Registry;

    /// A handle.
    fn open(&self) -> Self::Registry;
}

/// A small artifact, told from others by its intercept.
#[must_use]
pub fn artifact(intercept: f64) -> Vec<u8> {
    let signature =
        Signature { entity: None, feature_set: None, inputs: Vec::new(), output: Output::Probability };
    let encoder = Encoder::new(Vec::new(), &signature).unwrap();
    let linear = Linear::new(intercept, Vec::new(), Scale::LogOdds).unwrap();
    let model = Artifact::new(signature, encoder, Predictor::Linear(linear), Calibration::Identity).unwrap();
    model.to_bytes().unwrap()
}

fn name(text: &str) -> ModelName {
    ModelName::new(text).unwrap()
}

fn request(model: &str, intercept: f64) -> RegisterRequest {
    RegisterRequest {
        model: name(model),
        artifact: artifact(intercept),
        metrics: serde_json::json!({"log_loss": 0.4, "auc": {"mean": 0.85}}),
        window: Some(TrainingWindow { from: Timestamp(5), to: Timestamp(9) }),
        parents: Parents { feature_set: None, data_digest: Some("abc".into()) },
        params: serde_json::json!({"seed": 7}),
        report: Some("reports/win-1.html".into()),
        who: "ada".into(),
        when: Timestamp(1_000),
    }
}

fn alias_move(alias: &AliasName, to: Option<u32>) -> AliasMove {
    AliasMove {
        model: name("win"),
        alias: alias.clone(),
        to: to.map(ModelVersion),
        who: "grace".into(),
        when: Timestamp(2_000),
        why: "it is better".into(),
    }
}

/// Runs the suite; panics where the registry does not do what it must.
pub fn check<O: Open>(new: impl Fn() -> O) {
    versions_count_up_and_are_told_in_full(&new().open());
    the_same_bytes_are_registered_once(&new().open());
    a_broken_artifact_is_not_registered(&new().open());
    unknown_names_are_refused_with_the_known_ones(&new().open());
    an_alias_moves_and_leaves_a_trail(&new().open());
    another_handle_sees_every_change(&new());
}

fn versions_count_up_and_are_told_in_full(registry: &impl Registry) {
    for (i, intercept) in [0.1, 0.2, 0.3].into_iter().enumerate() {
        let registered = registry.register(&request("win", intercept)).unwrap();
        assert_eq!((registered.version, registered.created), (ModelVersion(i as u32 + 1), true));
    }
    assert_eq!(registry.register(&request("churn", 0.1)).unwrap().version, ModelVersion(1));
    let asked = request("win", 0.2);
    let record = registry.get(&name("win"), ModelVersion(2)).unwrap();
    assert_eq!(record.digest, Artifact::verify(&asked.artifact).unwrap());
    assert_eq!((record.bytes, record.kind.as_str()), (asked.artifact.len() as u64, "linear"));
    assert_eq!((&record.metrics, &record.params), (&asked.metrics, &asked.params));
    assert_eq!((record.window, &record.parents), (asked.window, &asked.parents));
    assert_eq!((record.report, record.who, record.when), (asked.report, asked.who, asked.when));
    assert_eq!(registry.artifact_bytes(&name("win"), ModelVersion(2)).unwrap(), asked.artifact);
    let numbers: Vec<u32> = registry.versions(&name("win")).unwrap().iter().map(|v| v.version.0).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let listed = registry.list().unwrap();
    assert_eq!(
        listed.iter().map(|m| (m.name.as_str(), m.latest.0)).collect::<Vec<_>>(),
        [("churn", 1), ("win", 3)]
    );
}

fn the_same_bytes_are_registered_once(registry: &impl Registry) {
    registry.register(&request("win", 0.1)).unwrap();
    let before = registry.revision().unwrap();
    let again = registry.register(&request("win", 0.1)).unwrap();
    assert_eq!((again.version, again.created), (ModelVersion(1), false));
    assert_eq!(registry.revision().unwrap(), before);
    assert_eq!(registry.versions(&name("win")).unwrap().len(), 1);
}

fn a_broken_artifact_is_not_registered(registry: &impl Registry) {
    let mut broken = request("win", 0.1);
    let middle = broken.artifact.len() / 2;
    broken.artifact[middle] ^= 1;
    assert!(matches!(registry.register(&broken), Err(ModelError::Tampered { .. })));
    assert!(registry.list().unwrap().is_empty());
}

fn unknown_names_are_refused_with_the_known_ones(registry: &impl Registry) {
    registry.register(&request("win", 0.1)).unwrap();
    let champion = AliasName::champion();
    let refused = registry.versions(&name("wim")).unwrap_err();
    assert!(matches!(&refused, ModelError::UnknownModel { known, .. } if known == &["win"]), "{refused}");
    let refused = registry.get(&name("win"), ModelVersion(2)).unwrap_err();
    assert!(matches!(refused, ModelError::UnknownVersion { latest: Some(ModelVersion(1)), .. }));
    assert!(registry.get(&name("win"), ModelVersion(0)).is_err());
    let refused = registry.resolve(&name("win"), &Selector::Alias(champion.clone())).unwrap_err();
    assert!(matches!(refused, ModelError::UnknownAlias { .. }));
    let refused = registry.move_alias(&alias_move(&champion, Some(9))).unwrap_err();
    assert!(matches!(refused, ModelError::UnknownVersion { .. }));
    assert!(registry.aliases(&name("win")).unwrap().is_empty());
}

fn an_alias_moves_and_leaves_a_trail(registry: &impl Registry) {
    registry.register(&request("win", 0.1)).unwrap();
    registry.register(&request("win", 0.2)).unwrap();
    let champion = AliasName::champion();
    let resolve = || registry.resolve(&name("win"), &Selector::Alias(champion.clone()));
    assert_eq!(registry.move_alias(&alias_move(&champion, Some(1))).unwrap(), None);
    assert_eq!(resolve().unwrap(), ModelVersion(1));
    assert_eq!(registry.move_alias(&alias_move(&champion, Some(2))).unwrap(), Some(ModelVersion(1)));
    assert_eq!(resolve().unwrap(), ModelVersion(2));
    let before = registry.revision().unwrap();
    assert_eq!(registry.move_alias(&alias_move(&champion, Some(2))).unwrap(), Some(ModelVersion(2)));
    assert_eq!(registry.revision().unwrap(), before);
    assert_eq!(registry.move_alias(&alias_move(&champion, None)).unwrap(), Some(ModelVersion(2)));
    assert!(resolve().is_err());
    assert!(registry.revision().unwrap() > before);

    let trail = registry.audit(&name("win")).unwrap();
    let told: Vec<_> = trail.iter().map(|e| (e.action, e.from.map(|v| v.0), e.to.map(|v| v.0))).collect();
    let (register, moved) = (AuditAction::Register, AuditAction::MoveAlias);
    let expected = [
        (register, None, Some(1)),
        (register, None, Some(2)),
        (moved, None, Some(1)),
        (moved, Some(1), Some(2)),
        (moved, Some(2), None),
    ];
    assert_eq!(told, expected);
    assert!(trail.windows(2).all(|w| w[0].number < w[1].number));
    let last = &trail[4];
    assert_eq!(
        (last.who.as_str(), last.why.as_str(), last.when),
        ("grace", "it is better", Timestamp(2_000))
    );
    assert_eq!(last.alias.as_ref(), Some(&champion));
}

fn another_handle_sees_every_change(state: &impl Open) {
    let (writer, reader) = (state.open(), state.open());
    let start = reader.revision().unwrap();
    writer.register(&request("win", 0.1)).unwrap();
    let registered = reader.revision().unwrap();
    assert!(registered > start);
    writer.move_alias(&alias_move(&AliasName::champion(), Some(1))).unwrap();
    assert!(reader.revision().unwrap() > registered);
    let champion = Selector::Alias(AliasName::champion());
    assert_eq!(reader.resolve(&name("win"), &champion).unwrap(), ModelVersion(1));
    assert_eq!(state.open().list().unwrap(), writer.list().unwrap());
}
