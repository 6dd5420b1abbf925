#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A registry that serves an OCI layout as the repository "demo", not faster than it is told, and counts what it sends.

registry_slow_server.py LAYOUT BYTES_PER_SECOND

Prints its port on the first line. GET /sent answers the bytes of blobs sent so far, GET /blobs the size of them all.
"""
import http.server
import json
import os
import socket
import sys
import threading
import time

layout, rate = sys.argv[1], int(sys.argv[2])
lock = threading.Lock()
sent = 0
free_at = 0.0


def spend(count):
    """Waits until `count` bytes more may go out, by whatever connection."""
    global free_at, sent
    with lock:
        sent += count
        free_at = max(free_at, time.monotonic()) + count / rate
        pause = free_at - time.monotonic()
    if pause > 0:
        time.sleep(pause)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        # What is in here when a client is killed was sent for nothing.
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)

    def do_GET(self):
        if self.path == "/sent":
            return self.answer(str(sent).encode(), "text/plain")
        if self.path == "/v2/":
            return self.answer(b"{}", "application/json")
        kind, name = self.path.split("/")[-2:]
        if kind == "manifests":
            if not name.startswith("sha256:"):
                entry = json.load(open(os.path.join(layout, "index.json")))["manifests"][0]
                name = entry["digest"]
            data = open(self.blob(name), "rb").read()
            return self.answer(data, "application/vnd.oci.image.manifest.v1+json")
        return self.send_blob(self.blob(name))

    def blob(self, digest):
        return os.path.join(layout, "blobs", *digest.split(":"))

    def send_blob(self, path):
        size = os.path.getsize(path)
        begin, end = 0, size
        field = self.headers.get("Range")
        if field:
            first, last = field.removeprefix("bytes=").split("-")
            begin, end = int(first), min(size, int(last) + 1 if last else size)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - begin))
        self.end_headers()
        with open(path, "rb") as file:
            file.seek(begin)
            while begin < end:
                data = file.read(min(16384, end - begin))
                spend(len(data))
                self.wfile.write(data)
                begin += len(data)

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
