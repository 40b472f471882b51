"""Asks `scorehouse serve` for 20 of 40,000 products under six rules, one customer after the other at one connection.

usage: recommend.py BINARIES
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile

import loopback

ROUNDS, BOUND = 3, 2.0


def main():
    binaries = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subprocess.run([binaries / "examples" / "recommend_project", folder], check=True)
        listen = f"127.0.0.1:{loopback.free_port()}"
        command = [str(binaries / "scorehouse"), "--project", str(folder), "serve", "--listen", listen]
        server = loopback.start(command, f"http://{listen}/readyz")[0]
        try:
            url, body = f"http://{listen}/v1/models/shop/recommend", folder / "recommend_each.jsonl"
            found = [loopback.ask(url, body, connections=1) for _ in range(ROUNDS)]
        finally:
            loopback.stop([server])
    rate, p99 = (statistics.median(column) for column in zip(*found))
    print(f"{rate:,.0f} requests/s at one connection, {1000 / rate:.2f} ms each")
    loopback.figure("20 of 40,000 products, 128 factors, rules: p99", "ms", p99, "bound", BOUND)


main()
