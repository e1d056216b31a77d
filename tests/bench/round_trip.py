"""Time `query-status` through qemu.qmp: for every line, print a list: the microseconds that one took, for every few."""

import asyncio
import sys
import time

from qemu.qmp import QMPClient


async def main(socket, samples, few):
    client = QMPClient("bench")
    await client.connect(socket)
    for _ in sys.stdin:
        figures = []
        for _ in range(samples):
            start = time.perf_counter()
            for _ in range(few):
                await client.execute("query-status")
            figures.append((time.perf_counter() - start) * 1e6 / few)
        print(figures, flush=True)
    await client.disconnect()


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
