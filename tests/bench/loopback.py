"""Servers on the loopback and their client wrk, for the measurements beside peers."""

import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
SECONDS, CONNECTIONS = 4, 16


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
            if answer.code in (404, 405):  # some know POST only, or have no page for this
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


def processor_seconds(process):
    """What a server has used so far, in its own code and in the system for it."""
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stop(servers):
    for server in servers:
        server.terminate()
        server.wait()


def ask(url, body, connections=CONNECTIONS, may_break=False):
    """Requests a second and the 99th percentile. `may_break`: connections that a peer resets are told and not held against it."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", "-s", str(HERE / "post.lua"), url]
    said = subprocess.run(command, env={**os.environ, "BODY": str(body)}, capture_output=True, text=True, check=True)
    broken = re.search(r"Socket errors: .*", said.stdout)
    if broken and may_break:
        print(f"{url}: {broken.group(0)}", flush=True)
    if "Non-2xx" in said.stdout or (broken and not may_break):
        raise SystemExit(f"{url} refused requests:\n{said.stdout}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said.stdout).group(1))
    return rate, milliseconds(re.search(r"^\s+99%\s+(\S+)", said.stdout, re.MULTILINE).group(1))


def figure(what, unit, ours, peer, theirs):
    print(f"figure:\t{what}\t{ours:,.3f} {unit}\t{theirs:,.3f} {unit}\t{peer}\t{ours / theirs:.2f}", flush=True)
