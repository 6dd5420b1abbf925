#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Encrypts a private key (PKCS #8, DER, from standard input) as skopeo and podman want it, with the password PASSWORD.

Usage: encrypt_signing_key.py PASSWORD <key.der >key.pem
Spec: go-tuf "encrypted"; cosign "Key format"."""
import base64
import hashlib
import json
import os
import sys

import nacl.secret

N, R, P = 32768, 8, 1
salt, nonce = os.urandom(32), os.urandom(24)
key = hashlib.scrypt(sys.argv[1].encode(), salt=salt, n=N, r=R, p=P, dklen=32, maxmem=1 << 27)
ciphertext = nacl.secret.SecretBox(key).encrypt(sys.stdin.buffer.read(), nonce).ciphertext


def text(data):
    return base64.b64encode(data).decode()


document = json.dumps({
    "kdf": {"name": "scrypt", "params": {"N": N, "r": R, "p": P}, "salt": text(salt)},
    "cipher": {"name": "nacl/secretbox", "nonce": text(nonce)},
    "ciphertext": text(ciphertext),
})
encoded = text(document.encode())
print("-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----")
for at in range(0, len(encoded), 64):
    print(encoded[at:at + 64])
print("-----END ENCRYPTED COSIGN PRIVATE KEY-----")
