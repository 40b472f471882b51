//! The demo's project file against the checker and the simulator's exports.

use std::path::{Path, PathBuf};

use scorehouse_features::definition::{FileFormat, Origin, Project};
use scorehouse_simulator::{SimulationRequest, simulate};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../project")
}

fn project() -> Project {
    Project::load(&folder()).unwrap_or_else(|found| {
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

#[test]
fn the_demo_project_checks() {
    let project = project();
    let models: Vec<&str> = project.models.keys().map(AsRef::as_ref).collect();
    assert_eq!(models, ["win", "win_crm_only", "churn", "upsell"]);
}

#[test]
fn the_silo_reads_what_the_crm_knows_and_the_shared_store_reads_that_and_more() {
    let project = project();
    let features = |set: &str| -> Vec<String> {
        project.feature_sets[set].features.iter().map(|field| field.name.to_string()).collect()
    };
    let (shared, silo) = (features("win"), features("win_crm_only"));
    assert!(silo.iter().all(|feature| shared.contains(feature)));
    assert!(silo.iter().all(|feature| !feature.starts_with("customer.") && !feature.starts_with("product.")));
    let more = shared.iter().filter(|feature| !silo.contains(feature)).count();
    assert!(more >= 20, "{more}");
}

#[test]
fn every_feature_of_a_probability_model_has_words() {
    let project = project();
    for set in project.feature_sets.values() {
        let mute: Vec<String> =
            set.features.iter().filter(|f| f.words.is_none()).map(|f| f.name.to_string()).collect();
        assert!(mute.is_empty(), "{}: {mute:?}", set.name);
    }
}

#[test]
fn every_source_finds_its_columns_in_the_exports() {
    let out = tempfile::tempdir().unwrap();
    let orders = folder().join("../data/online_retail_ii.csv.zst");
    let anchor = jiff::civil::date(2026, 3, 2);
    let request = SimulationRequest { orders: &orders, out: out.path(), seed: 1, scale: 0.1, anchor };
    let report = simulate(&request).unwrap();
    for source in project().sources.values() {
        assert!(matches!(source.format, FileFormat::Csv(_)));
        let path = source.path.as_deref().unwrap().replace('*', "");
        let file = report.files.iter().find(|file| file.path.ends_with(&path));
        let header = header(&file.unwrap_or_else(|| panic!("no {path}")).path);
        for column in &source.columns {
            if let Origin::Read { header: wanted, .. } = &column.origin {
                assert!(header.contains(wanted), "{path}: no {wanted} among {header:?}");
            }
        }
    }
}

fn header(path: &Path) -> Vec<String> {
    let bytes = std::fs::read(path).unwrap();
    let text = if path.extension().is_some_and(|e| e == "zst") {
        zstd::decode_all(&bytes[..]).unwrap()
    } else {
        bytes
    };
    csv::Reader::from_reader(&text[..]).headers().unwrap().iter().map(str::to_owned).collect()
}
