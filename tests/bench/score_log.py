"""What the score log costs: processor time of a server per request, with the log and without, in turn.

usage: score_log.py BINARY    (needs wrk; makes two shops in a temporary folder and trains them)
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

binary = str(pathlib.Path(sys.argv[1]).resolve())
here = pathlib.Path(__file__).parent
folder = pathlib.Path(tempfile.mkdtemp())


def run(*args, cwd):
    subprocess.run([binary, *args, "--quiet"], cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def serve(shop, port):
    server = subprocess.Popen([binary, "serve", "--listen", f"127.0.0.1:{port}"], cwd=shop, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz")
            return server
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def seconds(server):
    fields = open(f"/proc/{server.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


run("init", "on", cwd=folder)
run("ingest", cwd=folder / "on")
run("train", cwd=folder / "on")
shutil.copytree(folder / "on", folder / "off")
with open(folder / "off" / "scorehouse.toml", "a") as project:
    project.write("\n[score_log]\nenabled = false\n")
servers = {name: (serve(folder / name, port), port) for name, port in (("off", 18751), ("on", 18752))}
try:
    for rows in (1, 100):
        body = folder / "body.json"
        body.write_text(json.dumps({"entities": [f"C{n:03}" for n in range(rows)]}))
        spent = {"off": [], "on": []}
        for _ in range(3):
            for name, (server, port) in servers.items():
                before = seconds(server)
                url = f"http://127.0.0.1:{port}/v1/models/churn/score"
                wrk = ["wrk", "-t1", "-c8", "-d5s", "-s", str(here / "post.lua"), url]
                said = subprocess.run(wrk, env={**os.environ, "BODY": str(body)}, capture_output=True, text=True).stdout
                time.sleep(1.5)  # the writer's share counts as well
                assert "Non-2xx" not in said, said
                spent[name].append((seconds(server) - before) / int(re.search(r"(\d+) requests in", said)[1]) * 1e6)
        for name, micros in spent.items():
            print(f"{rows:4} rows, log {name:3}: {min(micros):6.1f} to {max(micros):6.1f} µs of processor time a request")
    text = urllib.request.urlopen(f"http://127.0.0.1:{servers['on'][1]}/metrics").read().decode()
    print("\n".join(line for line in text.splitlines() if line.startswith("scorehouse_score_log_rows")))
finally:
    for server, _ in servers.values():
        server.terminate()
        server.wait()
    shutil.rmtree(folder)
