//! The notebooks run against a live server.

use std::process::Command;

use scorehouse_tests::{Server, repository, run_ok};

#[test]
fn notebook_01_takes_a_training_set_plots_it_and_scores_it_back() {
    let python = std::env::var("SCOREHOUSE_PYTHON")
        .unwrap_or_else(|_| repository().join(".venv/bin/python").to_string_lossy().into_owned());
    assert!(
        Command::new(&python)
            .args(["-c", "import nbclient, pandas, matplotlib"])
            .output()
            .is_ok_and(|o| o.status.success()),
        "{python} lacks what the notebooks need; `make python` installs it"
    );
    let folder = tempfile::tempdir().unwrap();
    run_ok(folder.path(), &["init", "shop"]).unwrap();
    let shop = folder.path().join("shop");
    run_ok(&shop, &["ingest", "--quiet"]).unwrap();
    run_ok(&shop, &["train", "--quiet"]).unwrap();
    let server = Server::start(&shop).unwrap();
    let run = Command::new(&python)
        .arg(repository().join("notebooks/run.py"))
        .arg(repository().join("notebooks/01_training_set.ipynb"))
        .env("SCOREHOUSE_URL", server.url(""))
        .env("SCOREHOUSE_PLOTS", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}");
}
