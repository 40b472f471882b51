"""Asks for scores over 30 stored features that are spread over ever more views, one request at a time.

usage: views.py BINARIES
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile

import loopback

VIEWS, ROUNDS = (1, 3, 10, 30), 3


def main():
    binaries = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as root:
        servers, asked = [], {}
        try:
            for views in VIEWS:
                folder = pathlib.Path(root) / str(views)
                subprocess.run([binaries / "examples" / "serve_project", folder, str(views)], check=True)
                listen = f"127.0.0.1:{loopback.free_port()}"
                command = [str(binaries / "scorehouse"), "--project", str(folder), "serve", "--listen", listen]
                servers.append(loopback.start(command, f"http://{listen}/readyz")[0])
                asked[views] = (f"http://{listen}/v1/models/load/score", folder / "score_1.json")
            found = {views: [] for views in VIEWS}
            for _ in range(ROUNDS):
                for views, (url, body) in asked.items():
                    found[views].append(loopback.ask(url, body, connections=1))
        finally:
            loopback.stop(servers)
    # With one request under way, a request takes what its rate says.
    micros = {views: statistics.median(1e6 / rate for rate, _ in rounds) for views, rounds in found.items()}
    for views in VIEWS[1:]:
        loopback.figure(f"a score over {views} views", "us", micros[views], "over 1 view", micros[1])


main()
