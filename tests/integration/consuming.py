"""A consumer in a process of its own, to be killed in the middle of its work.

``python -m tests.integration.consuming URL GROUP PAUSE_AFTER`` prints the number of each event that
it processes, and then stops for good within the one after ``PAUSE_AFTER``.
"""

import asyncio
import sys

from gateway.store.events.consumer import Delivery, StreamConsumer


async def main(url: str, group: str, pause_after: int) -> None:
    """Process entries until killed."""
    processed = 0

    async def process(delivery: Delivery) -> None:
        nonlocal processed
        if processed == pause_after:
            print("pausing", flush=True)
            await asyncio.sleep(60)
        processed += 1
        print(delivery.fields[b"number"].decode(), flush=True)

    async with StreamConsumer(url, group, "first", batch=10, since_s=3600) as consumer:
        await consumer.run(process)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
