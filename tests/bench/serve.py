"""Asks `scorehouse serve` and a bare server in turn, with the same client on the same cores, and prints ratios.

usage: serve.py BINARIES [PROJECT]
BINARIES: the folder with scorehouse and examples/{ceiling,serve_project} (target/debug: what `make demo` builds).
PROJECT: a project with trained models, to see how soon it is ready (demo/run after `make demo`).
Needs wrk (a Debian package) and nothing else.
"""

import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROUNDS, SECONDS, CONNECTIONS = 5, 4, 16
REST = 3


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until_ready(url, started, process):
    while time.perf_counter() - started < 60:
        if process.poll() is not None:
            raise SystemExit(f"the server for {url} stopped with code {process.returncode}")
        try:
            urllib.request.urlopen(url, timeout=1).read()
            return time.perf_counter() - started
        except urllib.error.HTTPError as answer:
            if answer.code == 405:  # the bare server knows POST only
                return time.perf_counter() - started
            time.sleep(0.002)
        except OSError:
            time.sleep(0.002)
    raise SystemExit(f"{url} was not ready within a minute")


def start(arguments, url, env=None):
    started = time.perf_counter()
    process = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(env or {})}
    )
    try:
        return process, until_ready(url, started, process)
    except SystemExit:
        process.kill()
        raise


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[unit]


def ask(url, body):
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(HERE / "post.lua"), url]
    said = subprocess.run(command, env={**os.environ, "BODY": str(body)}, capture_output=True, text=True, check=True)
    if "Non-2xx" in said.stdout or "Socket errors" in said.stdout:
        raise SystemExit(f"{url} refused requests:\n{said.stdout}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said.stdout).group(1))
    return rate, milliseconds(re.search(r"^\s+99%\s+(\S+)", said.stdout, re.MULTILINE).group(1))


def figure(what, unit, ours, peer, theirs):
    print(f"figure:\t{what}\t{ours:,.3f} {unit}\t{theirs:,.3f} {unit}\t{peer}\t{ours / theirs:.2f}", flush=True)


def main():
    binaries = pathlib.Path(sys.argv[1])
    scorehouse = str(binaries / "scorehouse")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([binaries / "examples" / "serve_project", folder], check=True)
        ours, theirs = free_port(), free_port()
        servers = []
        try:
            listen = f"127.0.0.1:{ours}"
            command = [scorehouse, "--project", str(folder), "serve", "--listen", listen]
            servers.append(start(command, f"http://{listen}/readyz")[0])
            bare = f"127.0.0.1:{theirs}"
            servers.append(start([str(binaries / "examples" / "ceiling"), bare], f"http://{bare}/infer")[0])
            score, infer = f"http://{listen}/v1/models/load/score", f"http://{bare}/infer"
            asked = {
                "bare 1": (infer, "ceiling_1.json"),
                "score 1": (score, "score_1.json"),
                "reasons 1": (score, "reasons_1.json"),
                "score each": (score, "score_each.jsonl"),
                "reasons each": (score, "reasons_each.jsonl"),
                "bare 100": (infer, "ceiling_100.json"),
                "score 100": (score, "score_100.json"),
            }
            found = {name: [] for name in asked}
            # Together what is compared; between the groups the score log is rolled, which should not count for the next.
            for group in [["bare 1", "score 1"], ["reasons 1"], ["score each", "reasons each"], ["bare 100", "score 100"]]:
                for _ in range(ROUNDS):
                    for name in group:
                        url, body = asked[name]
                        found[name].append(ask(url, folder / body))
                        print(f"{name:12} {found[name][-1][0]:10,.0f} requests/s, p99 {found[name][-1][1]:.2f} ms", flush=True)
                time.sleep(REST)
        finally:
            for server in servers:
                server.terminate()
                server.wait()
    rate = {name: statistics.median(rate for rate, _ in rounds) for name, rounds in found.items()}
    p99 = {name: statistics.median(p99 for _, p99 in rounds) for name, rounds in found.items()}
    figure("score, 1 row a request", "/s", rate["score 1"], "bare axum", rate["bare 1"])
    figure(f"  p99 at {CONNECTIONS} connections", "ms", p99["score 1"], "bare axum", p99["bare 1"])
    figure("score, 100 rows a request", "/s", rate["score 100"], "bare axum", rate["bare 100"])
    figure("top 5 reasons, the same customer", "/s", rate["reasons 1"], "our plain score", rate["score 1"])
    figure("top 5 reasons, 30,000 in turn", "/s", rate["reasons each"], "our plain score", rate["score each"])
    if len(sys.argv) > 2 and (pathlib.Path(sys.argv[2]) / "state").is_dir():
        listen = f"127.0.0.1:{free_port()}"
        command = [scorehouse, "--project", sys.argv[2], "serve", "--listen", listen]
        server, ready = start(command, f"http://{listen}/readyz")
        server.terminate()
        server.wait()
        figure("ready on the demo's data", "s", ready, "bound", 1.0)


main()
