"""The server as a process of its own: prints its port, plays until it is told to stop.

python -m tests.venue_server --venues binance,bybit --every 0.02
python -m tests.venue_server --flood 60000 --batch 20 --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import time

from tests.venue_server.flood import Flood
from tests.venue_server.server import SPEAKERS, VenueServer


async def main() -> None:
    options = argparse.ArgumentParser(prog="python -m tests.venue_server")
    options.add_argument("--venues", default=",".join(SPEAKERS))
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--seconds", type=float, default=36_000)
    options.add_argument("--every", type=float, default=0.02, help="a moment of every venue each so many s")
    options.add_argument("--trades", type=int, default=1, help="trades of a contract in a moment")
    options.add_argument("--flood", type=float, default=0, help="trades a second of all venues together")
    options.add_argument("--batch", type=int, default=20, help="trades in a message of a flood")
    options.add_argument("--seed", type=int, default=1)
    said = options.parse_args()
    venues = tuple(said.venues.split(","))
    server = VenueServer(venues, seed=said.seed, keep=not said.flood)
    await server.start(said.port)
    print(json.dumps({"port": server.port}), flush=True)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if said.flood:
        floods = [Flood(server, venue, said.batch) for venue in venues]
        while not server.links and not stop.is_set():
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        work = [asyncio.create_task(one.run(said.flood / len(venues), said.seconds)) for one in floods]
        work.append(asyncio.create_task(server.play(said.seconds, every_s=said.every)))
    else:
        work = [asyncio.create_task(server.play(said.seconds, every_s=said.every, trades=said.trades))]
    begun, stopped = time.monotonic(), asyncio.create_task(stop.wait())
    over = asyncio.create_task(asyncio.wait(work))
    await asyncio.wait([stopped, over], return_when=asyncio.FIRST_COMPLETED)
    if said.flood and not stop.is_set():
        spent = round(time.monotonic() - begun, 3)
        print(json.dumps({"flooded": sum(one.count for one in floods), "seconds": spent}), flush=True)
        await stop.wait()
    for task in work:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*work, return_exceptions=True)
    await server.stop()


asyncio.run(main())
