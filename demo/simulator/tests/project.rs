//! The demo's project file against the checker and the simulator's exports.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use scorehouse_features::definition::{FileFormat, Project, Source};
use scorehouse_features::source::Assembler;
use scorehouse_features::source::block::read_chunk;
use scorehouse_features::source::delimited::DelimitedFile;
use scorehouse_features::source::layout::Layout;
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

/// Rows of an export that the source takes, leaves out and refuses.
fn read(source: &Source, path: &Path) -> (usize, u64, usize) {
    let FileFormat::Csv(options) = &source.format else { panic!("{} is not a CSV source", source.name) };
    let mut file = DelimitedFile::open(path, options).unwrap();
    let layout = Layout::new(source, options, path, file.headers()).unwrap();
    let assembler = Assembler::new(source).unwrap();
    let (mut kept, mut filtered, mut refused) = (0, 0, 0);
    while let Some(chunk) = file.next_chunk(65_536).unwrap() {
        let rows = assembler.assemble(read_chunk(&layout, &chunk)).unwrap();
        kept += rows.batch.num_rows();
        filtered += rows.filtered;
        refused += rows.bad.iter().count();
    }
    (kept, filtered, refused)
}

#[test]
fn every_source_takes_every_row_of_its_export_but_the_broken_ones() {
    let out = tempfile::tempdir().unwrap();
    let orders = folder().join("../data/online_retail_ii.csv.zst");
    let anchor = jiff::civil::date(2026, 3, 2);
    let request = SimulationRequest { orders: &orders, out: out.path(), seed: 1, scale: 0.1, anchor };
    let report = simulate(&request).unwrap();
    for source in project().sources.values() {
        let path = out.path().join(source.path.as_deref().unwrap().replace('*', ""));
        let file = report.files.iter().find(|file| file.path == path);
        let file = file.unwrap_or_else(|| panic!("{} is not exported", path.display()));
        let (kept, filtered, refused) = read(source, &path);
        assert_eq!(refused as u64, file.malformed, "{}", source.name);
        assert_eq!(kept as u64 + filtered + file.malformed, file.rows, "{}", source.name);
        assert!(kept > 20 && filtered <= 6, "{}: {kept} kept, {filtered} left out", source.name);
        assert!((refused as f64) <= source.max_rejected * file.rows as f64, "{}", source.name);
    }
}
