#!/usr/bin/env bash
# Says what is missing, and how to get it on Debian, before anything is built.
set -u
missing=0
need() { # command, what it is for, how to get it
    if ! command -v "$1" >/dev/null 2>&1; then
        printf 'missing: %-10s %s\n         %s\n' "$1" "$2" "$3"
        missing=1
    fi
}
need cargo "builds Scorehouse (Rust 1.95 or newer)" "https://rustup.rs"
need cc "links it, and builds SQLite and zstd" "apt-get install build-essential"
need python3 "runs the notebooks and fetches ONNX Runtime" "apt-get install python3 python3-venv"
if command -v python3 >/dev/null 2>&1 && ! python3 -c 'import venv, ensurepip' >/dev/null 2>&1; then
    printf 'missing: %-10s %s\n         %s\n' python3-venv "makes the virtual environment" "apt-get install python3-venv"
    missing=1
fi
if command -v cargo >/dev/null 2>&1; then
    have=$(cargo --version | awk '{print $2}')
    if [ "$(printf '1.95.0\n%s\n' "$have" | sort -V | head -1)" != "1.95.0" ]; then
        printf 'too old: cargo %s; Scorehouse needs 1.95 or newer\n         rustup update stable\n' "$have"
        missing=1
    fi
fi
exit $missing
