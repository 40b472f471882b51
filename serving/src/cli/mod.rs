//! The command line: every command is a thin function over the rooms below.

mod args;
mod check;
mod demo;
mod demo_keys;
mod evaluation;
mod examples;
mod failure;
mod features;
mod forecast;
mod history;
mod ingest;
mod init;
mod keys;
mod models;
mod monitor;
mod output;
mod progress;
mod recommend;
mod register;
mod replay;
mod score;
mod serve;
mod session;
mod train;
mod webhooks;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::args::{Cli, Command};
use crate::cli::failure::Outcome;
use crate::cli::session::Session;

/// Runs the command line of this process and gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(cli.json);
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli) -> Outcome<()> {
    match &cli.command {
        Command::Init(args) => init::run(args, cli.json),
        Command::Demo(args) => demo::run(cli, args),
        Command::Check => check::run(&Session::open(cli)?),
        Command::Ingest(args) => ingest::run(&Session::open(cli)?, args),
        Command::Features(command) => features::run(&Session::open(cli)?, command),
        Command::Train(args) => train::run(&Session::open(cli)?, args),
        Command::Models(command) => models::run(&Session::open(cli)?, command),
        Command::Score(args) => score::run(&Session::open(cli)?, args),
        Command::Forecast(args) => forecast::run(&Session::open(cli)?, args),
        Command::Recommend(args) => recommend::run(&Session::open(cli)?, args),
        Command::Monitor(args) => monitor::run(&Session::open(cli)?, args),
        Command::Replay(args) => replay::run(&Session::open(cli)?, args),
        Command::Webhooks(command) => webhooks::run(&Session::open(cli)?, command),
        Command::Keys(command) => keys::run(&Session::open(cli)?, command),
        Command::Serve(args) => serve::run(&Session::open(cli)?, args),
    }
}
