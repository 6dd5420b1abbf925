#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A token server for docker-registry's token authentication, on a free port of loopback.

registry_token_server.py KEY CERTIFICATE USER PASSWORD

Prints its port on the first line. Whoever has no user name gets no rights; the wrong password gets 401.
Spec: distribution "Token Authentication Specification".
"""
import base64
import http.server
import json
import subprocess
import sys
import time
import urllib.parse

key, certificate, user, password = sys.argv[1:]


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(service, scopes):
    lines = open(certificate).read().split("-----")[2]
    header = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(lines.split())]}
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":")
        access.append({"type": kind, "name": name, "actions": actions.split(",")})
    now = int(time.time())
    claims = {"iss": "test", "sub": "", "aud": service, "exp": now + 3600, "nbf": now - 10, "iat": now, "jti": str(now), "access": access}
    text = encoded(json.dumps(header).encode()) + "." + encoded(json.dumps(claims).encode())
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), stdout=subprocess.PIPE, check=True)
    return text + "." + encoded(signature.stdout)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        scopes = query.get("scope", [])
        given = self.headers.get("Authorization")
        right = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if given is not None and given != right:
            self.answer(401, {"details": "incorrect username or password"})
        else:
            self.answer(200, {"token": token(query["service"][0], scopes if given else []), "expires_in": 3600})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
