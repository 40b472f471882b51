"""Asks `scorehouse serve` and a bare server in turn, with the same client on the same cores, and prints ratios.

usage: serve.py BINARIES [PROJECT]
BINARIES: the folder with scorehouse and examples/{ceiling,serve_project} (target/debug: what `make demo` builds).
PROJECT: a project with trained models, to see how soon it is ready (demo/run after `make demo`).
Needs wrk (a Debian package) and nothing else.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from loopback import CONNECTIONS, SECONDS, ask, figure, free_port, processor_seconds, start, stop

ROUNDS, REST = 5, 3


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
                        server = servers[1 if url == infer else 0]
                        used = processor_seconds(server)
                        rate, p99 = ask(url, folder / body)
                        used = 1e6 * (processor_seconds(server) - used) / (rate * SECONDS)
                        found[name].append((rate, p99, used))
                        print(f"{name:12} {rate:10,.0f} requests/s, p99 {p99:.2f} ms, {used:.1f} µs of processor", flush=True)
                time.sleep(REST)
        finally:
            stop(servers)
    median = {name: [statistics.median(round) for round in zip(*rounds)] for name, rounds in found.items()}
    rate, p99, used = ({name: figures[kind] for name, figures in median.items()} for kind in range(3))
    figure("score, 1 row a request", "/s", rate["score 1"], "bare axum", rate["bare 1"])
    figure(f"  p99 at {CONNECTIONS} connections", "ms", p99["score 1"], "bare axum", p99["bare 1"])
    figure("score, 100 rows a request", "/s", rate["score 100"], "bare axum", rate["bare 100"])
    figure("top 5 reasons, the same customer", "/s", rate["reasons 1"], "our plain score", rate["score 1"])
    figure("top 5 reasons, 30,000 in turn", "/s", rate["reasons each"], "our plain score", rate["score each"])
    # The servers' own, without the client: it hardly depends on what else the machine does.
    for name, beside in [("score 1", "bare 1"), ("score 100", "bare 100"), ("reasons each", "score each")]:
        figure(f"processor time a request, {name}", "µs", used[name], beside, used[beside])
    if len(sys.argv) > 2 and (pathlib.Path(sys.argv[2]) / "state").is_dir():
        listen = f"127.0.0.1:{free_port()}"
        command = [scorehouse, "--project", sys.argv[2], "serve", "--listen", listen]
        server, ready = start(command, f"http://{listen}/readyz")
        stop([server])
        figure("ready on the demo's data", "s", ready, "bound", 1.0)


main()
