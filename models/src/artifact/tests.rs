//! Artifacts as files: the same bytes for the same model, refused when anything was touched.

use std::path::PathBuf;

use super::samples::{artifacts, forest};
use super::*;
use crate::baseline::{InputBaseline, Spread};

fn bytes() -> Vec<u8> {
    artifacts().remove(1).1.to_bytes().unwrap()
}

#[test]
fn the_same_model_gives_the_same_bytes_and_reads_back_the_same() {
    for (name, artifact) in artifacts() {
        let first = artifact.to_bytes().unwrap();
        assert!(first == artifact.to_bytes().unwrap(), "{name}");
        let read = Artifact::from_bytes(&first).unwrap();
        assert!(first == read.to_bytes().unwrap(), "{name}");
        ScoringModel::load(&read).unwrap();
    }
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    let whole = bytes();
    for end in 0..whole.len() {
        assert!(Artifact::from_bytes(&whole[..end]).is_err(), "{end}");
    }
    let mut longer = whole;
    longer.push(0);
    assert!(matches!(Artifact::from_bytes(&longer), Err(ModelError::WrongLength { .. })));
}

#[test]
fn a_changed_byte_anywhere_is_refused() {
    let whole = bytes();
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        assert!(Artifact::from_bytes(&changed).is_err(), "{at}");
    }
}

/// A file whose own digest was made to fit again after a change.
fn resealed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut content = bytes();
    content.truncate(content.len() - 32);
    change(&mut content);
    let digest = *blake3::hash(&content).as_bytes();
    content.extend(digest);
    content
}

#[test]
fn a_section_changed_by_someone_who_fixed_the_outer_digest_is_named() {
    let changed = resealed(|content| {
        let last = content.len() - 1;
        let at = content.iter().rposition(|b| *b == b'0').unwrap_or(last);
        content[at] = b'9';
    });
    let refused = Artifact::from_bytes(&changed).unwrap_err();
    assert!(matches!(&refused, ModelError::Tampered { what } if what == "section golden"), "{refused}");
}

#[test]
fn a_later_format_is_refused_with_both_numbers() {
    let newer = resealed(|content| content[8] = FORMAT as u8 + 1);
    let refused = Artifact::from_bytes(&newer).unwrap_err();
    assert!(matches!(refused, ModelError::NewerFormat { found: 2, known: 1 }), "{refused}");
}

#[test]
fn other_files_are_not_artifacts() {
    for other in [&b""[..], b"PK\x03\x04", b"\x89SCORE\n\n....", &[0; 64]] {
        assert!(matches!(Artifact::from_bytes(other), Err(ModelError::NotAnArtifact)));
    }
}

#[test]
fn how_inputs_lay_in_training_is_kept_and_must_fit_them() {
    let numbers = || InputBaseline { missing: 2, spread: Spread::of_numbers(&[0.1, 1.0 / 3.0, 7.5]) };
    let levels = || InputBaseline { missing: 0, spread: Spread::of_levels(["gold", "basic"].into_iter()) };
    let fits = || Baseline::new(vec![numbers(), levels(), numbers(), levels()]);
    let artifact = artifacts().remove(0).1.with_baseline(fits()).unwrap();
    let read = Artifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
    assert_eq!(read.baseline, Some(fits()));
    for wrong in [vec![numbers()], vec![levels(), levels(), numbers(), levels()]] {
        assert!(artifacts().remove(0).1.with_baseline(Baseline::new(wrong)).is_err());
    }
}

#[test]
fn a_golden_sample_that_scores_otherwise_stops_loading() {
    let mut artifact = artifacts().remove(1).1;
    artifact.golden[2].output += 1e-6;
    let refused = ScoringModel::load(&artifact).unwrap_err();
    assert!(matches!(refused, ModelError::GoldenMismatch { sample: 2, .. }), "{refused}");
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let signature = samples::signature();
    let narrow = Encoder::new(samples::encoder().columns()[..2].to_vec(), &signature).unwrap();
    let forest = || Predictor::Forest(forest());
    assert!(Artifact::new(signature.clone(), narrow, forest(), Calibration::Identity).is_err());
    let mut items = signature.clone();
    items.output = Output::Items;
    assert!(Artifact::new(items, samples::encoder(), forest(), Calibration::Identity).is_err());
    let mut value = signature;
    value.output = Output::Value;
    let platt = Calibration::Platt { a: 1.0, b: 0.0 };
    assert!(Artifact::new(value, samples::encoder(), forest(), platt).is_err());
}

fn frozen(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/artifact-v1").join(format!("{name}.scorehouse"))
}

#[test]
fn every_file_written_in_format_1_still_loads_and_scores_as_it_did() {
    for (name, artifact) in artifacts() {
        let bytes = std::fs::read(frozen(name)).unwrap();
        let read = Artifact::from_bytes(&bytes).unwrap();
        assert_eq!(read.golden.len(), artifact.golden.len());
        ScoringModel::load(&read).unwrap();
    }
}

/// Run once for a new format, with another folder: frozen files are never written again.
#[test]
#[ignore = "writes the frozen files of a format"]
fn freeze_the_files_of_this_format() {
    for (name, artifact) in artifacts() {
        assert!(!frozen(name).exists(), "frozen files stay as they are");
        std::fs::create_dir_all(frozen(name).parent().unwrap()).unwrap();
        std::fs::write(frozen(name), artifact.to_bytes().unwrap()).unwrap();
    }
}
