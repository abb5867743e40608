"""websockets on Python: `pip install websockets`. Started as
`python3 python-websockets.py PORT echo|compressed`.

With a limit above the largest messages of any row. `compressed` takes no context over and has its own settings otherwise;
`echo` is without compression, which it offers by default.
"""

import asyncio
import sys

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def echo(websocket):
    async for message in websocket:
        await websocket.send(message)


async def main():
    options = {"compression": None, "max_size": 32 * 1024 * 1024, "ping_interval": None}
    if sys.argv[2] == "compressed":
        takeover = {"server_no_context_takeover": True, "client_no_context_takeover": True}
        options["extensions"] = [ServerPerMessageDeflateFactory(**takeover)]
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), **options) as server:
        await server.serve_forever()


asyncio.run(main())
