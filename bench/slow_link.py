#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A TCP relay that is as slow as a link: all connections share MBIT per second in each direction, and what goes in comes out
half of MS milliseconds later. Prints its port on loopback.

Usage: slow_link.py MBIT MS TARGET_PORT

It stands in for netem where the kernel has none. What it leaves out: loss, and the slow start of TCP."""
import asyncio
import sys

CHUNK = 32 << 10
IN_FLIGHT = 4 << 20  # of one connection: more than what is on its way at 100 Mbit/s and 50 ms


class Line:
    """One direction, shared by all."""

    def __init__(self, bytes_per_second, delay):
        self.rate, self.delay, self.free_at = bytes_per_second, delay, 0.0

    def arrival(self, now, size):
        self.free_at = max(now, self.free_at) + size / self.rate
        return self.free_at + self.delay


async def relay(reader, writer, line):
    loop = asyncio.get_running_loop()
    queue, room = asyncio.Queue(), asyncio.Semaphore(IN_FLIGHT // CHUNK)

    async def deliver():
        while (item := await queue.get()) is not None:
            at, data = item
            await asyncio.sleep(max(0.0, at - loop.time()))
            writer.write(data)
            await writer.drain()
            room.release()
        if writer.can_write_eof():
            writer.write_eof()

    delivery = asyncio.create_task(deliver())
    try:
        while True:
            await room.acquire()
            data = await reader.read(CHUNK)
            if not data:
                break
            queue.put_nowait((line.arrival(loop.time(), len(data)), data))
    except ConnectionError:
        pass
    queue.put_nowait(None)
    try:
        await delivery
    except ConnectionError:
        pass


async def main():
    mbit, milliseconds, port = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    delay = milliseconds / 2000
    there, back = (Line(mbit * 1e6 / 8, delay) for _ in range(2))

    async def accept(reader, writer):
        await asyncio.sleep(2 * delay)  # the handshake
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(relay(reader, far_writer, there), relay(far_reader, writer, back))
        for end in (writer, far_writer):
            end.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=CHUNK)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
