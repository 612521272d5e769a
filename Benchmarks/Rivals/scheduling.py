"""What scheduling costs on asyncio's own loop or on uvloop's: each figure the median of batches, in
nanoseconds of wall time. Prints one JSON object. Arguments: asyncio or uvloop, and how many batches."""

import asyncio
import json
import socket
import sys
import time
from statistics import median

BATCHES = int(sys.argv[2]) if len(sys.argv) > 2 else 31


async def measured(steps, batch):
    """The first batch warms up."""
    times = []
    for number in range(BATCHES + 1):
        begin = time.perf_counter_ns()
        await batch()
        if number > 0:
            times.append((time.perf_counter_ns() - begin) / steps)
    return median(times)


async def sleep_0():
    async def batch():
        for _ in range(2000):
            await asyncio.sleep(0)
    return await measured(2000, batch)


async def gather_100():
    async def nothing(number):
        return number

    async def batch():
        for _ in range(10):
            await asyncio.gather(*(nothing(number) for number in range(100)))
    return await measured(10, batch)


async def lock():
    guard = asyncio.Lock()

    async def batch():
        for _ in range(2000):
            await guard.acquire()
            guard.release()
    return await measured(2000, batch)


async def event():
    ping, pong = asyncio.Event(), asyncio.Event()

    async def answer():
        for _ in range(500):
            await ping.wait()
            ping.clear()
            pong.set()

    async def batch():
        task = asyncio.create_task(answer())
        for _ in range(500):
            ping.set()
            await pong.wait()
            pong.clear()
        await task
    return await measured(1000, batch)


async def queue():
    items = asyncio.Queue(16)

    async def produce():
        for number in range(2000):
            await items.put(number)

    async def batch():
        task = asyncio.create_task(produce())
        for _ in range(2000):
            await items.get()
        await task
    return await measured(2000, batch)


async def future():
    loop = asyncio.get_running_loop()

    async def batch():
        for _ in range(1000):
            result = loop.create_future()
            loop.call_soon(result.set_result, None)
            await result
    return await measured(1000, batch)


async def callbacks(schedule):
    loop = asyncio.get_running_loop()

    async def batch():
        left, done = 1000, loop.create_future()

        def step():
            nonlocal left
            left -= 1
            if left == 0:
                done.set_result(None)
        for _ in range(1000):
            schedule(loop, step)
        await done
    return await measured(1000, batch)


async def timer_cancel():
    loop = asyncio.get_running_loop()

    async def batch():
        for _ in range(1000):
            loop.call_later(10, int).cancel()
    return await measured(1000, batch)


async def socketpair_round_trip():
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=here)
    echo_reader, echo_writer = await asyncio.open_connection(sock=there)

    async def echo():
        while data := await echo_reader.read(65536):
            echo_writer.write(data)

    task = asyncio.create_task(echo())

    async def batch():
        for _ in range(500):
            writer.write(b"x")
            await reader.read(65536)
    figure = await measured(500, batch)
    writer.close()
    await task
    echo_writer.close()
    return figure


async def main():
    figures = {
        "sleep_0_ns": await sleep_0(), "gather_100_ns": await gather_100(), "lock_ns": await lock(),
        "event_ns": await event(), "queue_ns": await queue(), "future_ns": await future(),
        "call_soon_ns": await callbacks(lambda loop, step: loop.call_soon(step)),
        "call_later_ns": await callbacks(lambda loop, step: loop.call_later(0, step)),
        "timer_cancel_ns": await timer_cancel(),
        "socketpair_round_trip_ns": await socketpair_round_trip(),
    }
    print(json.dumps({name: round(figure) for name, figure in figures.items()}))


if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(main())
