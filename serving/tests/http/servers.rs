use std::path::Path;
use std::time::Duration;

use scorehouse::monitor::{Trainer, Watches, follow};
use scorehouse_models::Registry;
use scorehouse_models::registry::RegisterRequest;

use crate::fixture::{Fixture, days_ago, registering, win_artifact};
use crate::monitor::{kinds, looked, monitored, serve, told, write_program};

/// No trainer is there, so that every try is heard of.
const NOBODY: &str = "/nowhere/scorehouse";

/// A program that notes its start in `runs`, waits for `go` and says that it trained.
fn patient(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("trainer");
    let says = r#"{"models": [{"version": 3, "champion": true, "gate": {"why": "it lost least"}}]}"#;
    let text = format!(
        "#!/bin/sh\necho run >> '{0}/runs'\nwhile [ ! -e '{0}/go' ]; do sleep 0.02; done\necho '{says}'\n",
        folder.display()
    );
    write_program(&path, &text);
    path
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..4_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}

/// True once a server has looked at `win`, and until another does.
fn tells_limits(fixture: &Fixture) -> bool {
    fixture.state.metrics.text().unwrap().contains(r#"scorehouse_limits_crossed{model="win"} 1"#)
}

#[tokio::test]
async fn of_two_servers_on_one_project_one_looks_and_the_other_takes_over_without_telling_again() {
    let first = monitored();
    let second = first.beside(false);
    serve(&first, 100, |_| 2_000).await;
    let folder = tempfile::tempdir().unwrap();
    let trainer = patient(folder.path());
    let runs = || std::fs::read_to_string(folder.path().join("runs")).unwrap_or_default().lines().count();
    let one = follow(&first.state, Trainer::new(trainer.clone())).unwrap();
    until("the first trains", || runs() == 1).await;
    let other = follow(&second.state, Trainer::new(trainer)).unwrap();
    std::fs::write(folder.path().join("go"), "").unwrap();
    until("the first has trained", || kinds(&first).len() == 2).await;
    assert!(tells_limits(&first) && !tells_limits(&second), "one of them looks");

    first.state.changes.close();
    tokio::task::spawn_blocking(move || one.join()).await.unwrap();
    until("the second takes over", || tells_limits(&second)).await;
    second.state.changes.close();
    tokio::task::spawn_blocking(move || other.join()).await.unwrap();
    second.state.changes.hear().unwrap();
    assert_eq!(kinds(&second), ["limit_crossed", "retrained"], "told once, by whichever");
    assert_eq!(runs(), 1);
}

#[tokio::test]
async fn a_server_that_died_does_not_keep_others_from_looking() {
    let fixture = monitored();
    serve(&fixture, 100, |_| 2_000).await;
    let watches = Watches::open(&scorehouse::stores::registry_path(&fixture.state.project)).unwrap();
    // It was heard of two minutes ago, when it took the watch for one.
    let then = scorehouse_features::time::Timestamp(fixture.state.clock.now().0 - 120_000_000);
    assert!(watches.take("win", "the dead", then).unwrap());
    let following = follow(&fixture.state, Trainer::new(NOBODY.into())).unwrap();
    until("it looks", || tells_limits(&fixture)).await;
    assert!(!watches.take("win", "another", fixture.state.clock.now()).unwrap());
    fixture.state.changes.close();
    tokio::task::spawn_blocking(move || following.join()).await.unwrap();
    assert!(watches.take("win", "another", fixture.state.clock.now()).unwrap(), "the stop leaves it");
}

#[tokio::test]
async fn what_one_server_told_another_with_a_state_of_its_own_does_not_tell_again() {
    let first = monitored();
    let second = first.beside(true);
    serve(&first, 100, |_| 2_000).await;
    serve(&second, 100, |_| 2_000).await;
    assert_eq!(looked(&first, NOBODY).len(), 1);
    assert_eq!(kinds(&first), ["limit_crossed", "retraining_failed"]);
    // The registry says that somebody has trained the model since.
    let artifact = win_artifact(&first.state.project, 0.75);
    let request =
        RegisterRequest { who: "retraining".into(), when: days_ago(0), ..registering("win", &artifact) };
    first.registry.register(&request).unwrap();
    assert_eq!(looked(&second, NOBODY).len(), 1);
    assert_eq!(kinds(&second), Vec::<&str>::new(), "told already, and trained already");
    serve(&second, 4_000, |n| n * 773 % 1000).await;
    assert_eq!(looked(&second, NOBODY), []);
    assert_eq!(told(&second).last().unwrap().0, "limit_kept", "it is over, though another began it");
    // To the first that is a limit crossed anew.
    looked(&first, NOBODY);
    assert_eq!(kinds(&first), ["limit_crossed", "retraining_failed", "limit_crossed"]);
}
