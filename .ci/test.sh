#!/usr/bin/env bash
# Every check that decides whether a change is good, in the order that fails fastest.
# The last line tells how many tests ran. Called by `make test`.
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

step() { printf '\n== %s (%ss)\n' "$1" "$SECONDS"; }

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --locked --workspace --all-targets --quiet -- -D warnings

step "build"
cargo build --locked --workspace --bins --quiet

step "tests"
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace --no-fail-fast 2>&1 | tee "$log"
    passed=$(grep -oE '[0-9]+ passed' "$log" | tail -1 | cut -d' ' -f1)
else
    # Without nextest the tests run one binary after the other; nothing is left out.
    cargo test --locked --workspace --lib --bins --tests --no-fail-fast 2>&1 | tee "$log"
    passed=$(grep -oE '^test result: ok\. [0-9]+ passed' "$log" | awk '{n += $4} END {print n + 0}')
fi

step "examples in the documentation"
cargo test --locked --workspace --doc --quiet 2>&1 | tee "$log"
doc=$(grep -oE '^test result: ok\. [0-9]+ passed' "$log" | awk '{n += $4} END {print n + 0}')

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet

step "clean tree"
if [ -n "${CI:-}" ]; then
    git diff --exit-code
    untracked=$(git ls-files --others --exclude-standard)
    if [ -n "$untracked" ]; then
        printf 'the tests left files behind:\n%s\n' "$untracked"
        exit 1
    fi
fi

printf '\nall checks passed in %s s\n' "$SECONDS"
printf '%s passed, 0 failed\n' "$((passed + doc))"
