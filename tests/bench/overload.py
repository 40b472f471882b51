"""What a server does that is asked four times as much as it can answer, and with clients that dawdle.

usage: overload.py BINARY    (makes a shop in a temporary folder and trains it; nothing but Python is needed)

Four figures of one run, by one client on the same cores: the 99th percentile of batches one by one; how many a second
the server can answer; the 99th percentile of those accepted when four times as many are sent, whatever comes back; and
how many were told to come back. Then 600 connections that stop in the middle of a request's head or body, or
that ask and never read: how long others wait meanwhile, and how many of them are left when their time is over.
"""

import json
import os
import pathlib
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

SECONDS, TIMES, CONNECTIONS, DAWDLERS = 8, 4, 256, 200
# A batch takes about this long on an idle server.
BATCH = 0.008


class Client:
    """A connection that sends one request after the other and reads no more of an answer than it must."""

    def __init__(self, port, selector):
        self.port, self.selector = port, selector
        self.open()

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.began, self.got = None, b""
        self.selector.register(self.socket, selectors.EVENT_READ, self)

    def gone(self):
        """Opens again what the server closed while nothing was asked: it waits for a head only so long."""
        began = self.began
        self.selector.unregister(self.socket)
        self.socket.close()
        self.open()
        self.began = began

    def ask(self, request, began):
        self.began, self.got, self.wants = began, b"", None
        self.request = request
        self.socket.setblocking(True)
        self.socket.sendall(request)
        self.socket.setblocking(False)

    def hear(self):
        """Status and whether it names a time to come back, once the whole answer is here."""
        try:
            part = self.socket.recv(1 << 20)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            part = b""
        if not part and not self.got:
            # What was asked at the very moment of the close was not taken: it is asked again, its clock going on.
            self.gone()
            if self.began is not None:
                self.ask(self.request, self.began)
            return None
        if not part:
            raise SystemExit("the server closed a connection in the middle of an answer")
        self.got += part
        if self.wants is None and b"\r\n\r\n" in self.got:
            self.head, rest = self.got.split(b"\r\n\r\n", 1)
            lines = self.head.lower().split(b"\r\n")
            self.wants = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            self.got = rest
        if self.wants is None or len(self.got) < self.wants:
            return None
        self.got = b""
        return int(self.head[9:12]), b"retry-after:" in self.head.lower()


def request(rows):
    body = json.dumps({"entities": [f"C{n % 60:03}" for n in range(rows)]}).encode()
    head = f"POST /v1/models/churn/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def closed(port, asked, clients, seconds):
    """Every connection asks as soon as it was answered: latencies of successes, and answers a second."""
    selector = selectors.DefaultSelector()
    began = time.perf_counter()
    for client in [Client(port, selector) for _ in range(clients)]:
        client.ask(asked, time.perf_counter())
    took = []
    while time.perf_counter() - began < seconds:
        for key, _ in selector.select(0.1):
            answer = key.data.hear()
            if answer is None:
                continue
            now = time.perf_counter()
            if answer[0] == 200:
                took.append(now - key.data.began)
            key.data.ask(asked, now)
    spent = time.perf_counter() - began
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return sorted(took), len(took) / spent


def opened(port, asked, rate, seconds):
    """A request every 1/rate seconds, whatever has become of those before it."""
    selector = selectors.DefaultSelector()
    idle = [Client(port, selector) for _ in range(CONNECTIONS)]
    took, refused, unnamed, others, late = [], 0, 0, {}, 0
    began = time.perf_counter()
    sent, under_way = 0, 0
    while True:
        now = time.perf_counter() - began
        if now >= seconds and not under_way:
            break
        due = sent / rate
        while due <= now < seconds:
            sent += 1
            if idle:
                under_way += 1
                idle.pop().ask(asked, began + due)
            else:
                late += 1
            due = sent / rate
        wait = max(0.0, min(due - (time.perf_counter() - began), 0.05)) if now < seconds else 0.05
        for key, _ in selector.select(wait):
            client = key.data
            answer = client.hear()
            if answer is None:
                continue
            under_way -= 1
            idle.append(client)
            status, again = answer
            began_at, client.began = client.began, None
            if status == 200:
                took.append(time.perf_counter() - began_at)
            elif status == 429:
                refused += 1
                unnamed += not again
            else:
                others[status] = others.get(status, 0) + 1
        if now > seconds + 30:
            raise SystemExit(f"{under_way} requests were not answered within half a minute")
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    return sorted(took), sent, refused, unnamed, others, late


def at(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))] * 1e3


def dawdle(port, server):
    """Connections that stop half-way; what others notice, and what is left of them."""
    files = lambda: len(os.listdir(f"/proc/{server.pid}/fd"))
    # What the server opens for itself, such as its log, is open by then.
    closed(port, request(1), 1, 1)
    time.sleep(0.5)
    before = files()
    head = b"POST /v1/models/churn/score HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    kinds = {
        "stop in the head": head,
        "stop in the body": head + b"content-length: 1000\r\n\r\n{",
        "never read": b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n" * 300,
    }
    held = []
    for sends in kinds.values():
        for _ in range(DAWDLERS):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", port))
            one.sendall(sends)
            held.append(one)
    took, _ = closed(port, request(1), 1, 2)
    most = files() - before
    ended = None
    for waited in range(200):
        if files() <= before:
            ended = waited / 10
            break
        time.sleep(0.1)
    left = files() - before
    print(f"figure:\tdawdling connections\t{len(held)} ({', '.join(kinds)}): {most} open, "
          f"p99 of others {at(took, 0.99):.2f} ms; {left} left" + (f" after {ended + 2:.0f} s" if ended is not None else ""))
    for one in held:
        one.close()


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    folder = pathlib.Path(tempfile.mkdtemp())
    run = lambda *args, cwd: subprocess.run([binary, *args, "--quiet"], cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run("init", "shop", cwd=folder)
    shop = folder / "shop"
    run("ingest", cwd=shop)
    run("train", cwd=shop)
    with open(shop / "scorehouse.toml", "a") as project:
        project.write('\n[server]\nheader_timeout = "3s"\nrequest_timeout = "5s"\nbody_limit = "8MiB"\n')
    server = subprocess.Popen([binary, "serve", "--listen", f"127.0.0.1:{port}"], cwd=shop, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz")
                break
            except OSError:
                time.sleep(0.05)
        closed(port, request(1000), 1, 1)
        took, _ = closed(port, request(1000), 1, 2)
        rows = max(200, min(10_000, int(1000 * BATCH / (at(took, 0.5) / 1e3))))
        asked = request(rows)
        alone, _ = closed(port, asked, 1, SECONDS)
        _, capacity = closed(port, asked, 2 * (os.cpu_count() or 1), SECONDS)
        took, sent, refused, unnamed, others, late = opened(port, asked, TIMES * capacity, SECONDS)
        print(f"figure:\tunloaded, {rows} rows a request\tp50 {at(alone, 0.5):.2f} ms, p99 {at(alone, 0.99):.2f} ms")
        print(f"figure:\tcapacity\t{capacity:.0f} requests/s")
        print(f"figure:\t{TIMES} x capacity\t{sent / SECONDS:.0f} requests/s sent: {len(took)} accepted "
              f"({len(took) / SECONDS / capacity:.2f} of capacity), {refused} answered 429 ({unnamed} of them without Retry-After), "
              f"others {others or 'none'}, {late} not sent for want of connections")
        print(f"figure:\taccepted at {TIMES} x capacity\tp50 {at(took, 0.5):.2f} ms, p99 {at(took, 0.99):.2f} ms: "
              f"{at(took, 0.99) / at(alone, 0.99):.2f} x unloaded (aim: below 3)")
        dawdle(port, server)
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


main()
