"""websockets on Python: `pip install websockets`. Started as `python3 python-websockets.py PORT`.

Without compression, which it offers by default, and with a limit above the largest messages of any row.
"""

import asyncio
import sys

from websockets.asyncio.server import serve


async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)


async def main():
    options = {"compression": None, "max_size": 32 * 1024 * 1024, "ping_interval": None}
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), **options) as server:
        await server.serve_forever()


asyncio.run(main())
