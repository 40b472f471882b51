"""Fetches features over HTTP from `scorehouse serve` and from Feast's feature server in turn, with the same client on the
same cores: 100 entities, 30 features of 3 views.

usage: features.py BINARIES FEAST_PYTHON [REDIS_SERVER]
FEAST_PYTHON: the Python of an environment with peers/feast/requirements.txt.
REDIS_SERVER: a redis-server to start as Feast's online store; without it Feast's default, SQLite.
"""

import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import loopback

ROUNDS = 3


def feast_server(folder, python, redis):
    servers = []
    store = []
    if redis:
        port = loopback.free_port()
        command = [redis, "--port", str(port), "--save", "", "--dir", str(folder)]
        servers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        store = [f"127.0.0.1:{port}"]
        time.sleep(0.5)
    try:
        subprocess.run([python, loopback.HERE / "peers" / "feast" / "project.py", folder, *store], check=True, stdout=subprocess.DEVNULL)
        port = loopback.free_port()
        program = pathlib.Path(python).parent / "feast"
        command = [program, "-c", folder, "serve", "-h", "127.0.0.1", "-p", str(port), "--no-access-log"]
        url = f"http://127.0.0.1:{port}"
        servers.append(loopback.start(command, f"{url}/health")[0])
    except BaseException:
        loopback.stop(servers)
        raise
    return servers, f"{url}/get-online-features"


def main():
    binaries, python = pathlib.Path(sys.argv[1]), sys.argv[2]
    redis = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        ours, theirs = pathlib.Path(ours), pathlib.Path(theirs)
        subprocess.run([binaries / "examples" / "serve_project", ours], check=True)
        servers, feast = feast_server(theirs, python, redis)
        try:
            listen = f"127.0.0.1:{loopback.free_port()}"
            command = [str(binaries / "scorehouse"), "--project", str(ours), "serve", "--listen", listen]
            servers.append(loopback.start(command, f"http://{listen}/readyz")[0])
            asked = {"ours": (f"http://{listen}/v1/features/online", ours), "feast": (feast, theirs)}
            found = {(name, rows): [] for rows in (1, 100) for name in asked}
            for _ in range(ROUNDS):
                for (name, rows), rates in found.items():
                    url, folder = asked[name]
                    rates.append(loopback.ask(url, folder / f"features_{rows}.json", may_break=name == "feast"))
                    print(f"{name:6} {rows:3} {rates[-1][0]:10,.1f} requests/s, p99 {rates[-1][1]:.2f} ms", flush=True)
        finally:
            loopback.stop(servers)
    peer = f"Feast, {'Redis' if redis else 'SQLite'}"
    for rows in (1, 100):
        rate, p99 = [
            [statistics.median(one[at] for one in found[name, rows]) for name in asked] for at in (0, 1)
        ]
        loopback.figure(f"30 features of {rows} entities", "/s", rate[0], peer, rate[1])
        loopback.figure("  p99", "ms", p99[0], peer, p99[1])


main()
