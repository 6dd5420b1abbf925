# SPDX-License-Identifier: MIT
"""Both sides of connections by a published port.

serve PORT                   inside: answers to the first byte of each connection
    u  reads a number and so many bytes, then says how many came, without waiting for an end
    h  reads until the other side's end, says how many bytes came, and where the peer is
    d  reads a number, sends so many bytes and ends
    r  resets the connection
upload ADDRESS PORT COUNT    sends 64 MiB and waits for the answer, without closing first, COUNT times
half ADDRESS PORT            ends its side, then reads the answer: prints it
many ADDRESS PORT COUNT      COUNT connections at once, each with a question and an answer
download ADDRESS PORT        takes 16 MiB slowly, prints how many came
reset ADDRESS PORT           prints how a connection ends that the other side resets
closed ADDRESS PORT          succeeds when nobody listens
"""

import socket
import struct
import sys
import threading
import time

SIZE = 64 << 20
BLOCK = b"x" * 65536
# Far longer than anything takes, also on a busy machine.
PATIENCE_S = 120


def take(connection, count):
    left = count
    while left:
        got = connection.recv(min(left, len(BLOCK)))
        if not got:
            break
        left -= len(got)
    return count - left


def send_zeros(connection, count):
    for _ in range(count // len(BLOCK)):
        connection.sendall(BLOCK)


def answer(connection, peer):
    with connection:
        kind = connection.recv(1)
        if kind == b"u":
            count = struct.unpack("!Q", connection.recv(8, socket.MSG_WAITALL))[0]
            connection.sendall(b"%d\n" % take(connection, count))
            connection.recv(1)
        elif kind == b"h":
            came = take(connection, 1 << 40)
            connection.sendall(b"%d %s\n" % (came, peer[0].encode()))
        elif kind == b"d":
            send_zeros(connection, struct.unpack("!Q", connection.recv(8, socket.MSG_WAITALL))[0])
        elif kind == b"r":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def serve(port):
    listener = socket.create_server(("", int(port)), backlog=512)
    while True:
        threading.Thread(target=answer, args=listener.accept(), daemon=True).start()


def connect(address, port):
    return socket.create_connection((address, int(port)), timeout=PATIENCE_S)


def upload(address, port, count):
    for _ in range(int(count)):
        with connect(address, port) as connection:
            connection.sendall(b"u" + struct.pack("!Q", SIZE))
            send_zeros(connection, SIZE)
            assert connection.recv(100) == b"%d\n" % SIZE


def half(address, port):
    with connect(address, port) as connection:
        connection.sendall(b"h" + b"y" * 1000)
        connection.shutdown(socket.SHUT_WR)
        print(connection.makefile().read(), end="")


def many(address, port, count):
    connections = [connect(address, port) for _ in range(int(count))]
    for connection in connections:
        connection.sendall(b"h" + b"y" * 1000)
    for connection in connections:
        connection.shutdown(socket.SHUT_WR)
        assert connection.makefile().read().startswith("1000 ")
        connection.close()


def download(address, port):
    with connect(address, port) as connection:
        connection.sendall(b"d" + struct.pack("!Q", 16 << 20))
        time.sleep(0.2)  # what nobody takes has to wait somewhere
        print(take(connection, 1 << 40))


def reset(address, port):
    with connect(address, port) as connection:
        connection.sendall(b"r")
        try:
            print("ended" if connection.recv(1) == b"" else "answered")
        except ConnectionResetError:
            print("reset")


def closed(address, port):
    try:
        connect(address, port).close()
    except ConnectionRefusedError:
        return
    sys.exit("somebody listens")


globals()[sys.argv[1]](*sys.argv[2:])
