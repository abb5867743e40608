#!/usr/bin/env python3
"""An echo of the library `websockets`: prints its URL, and runs until its standard input ends.

    servers.py [PARAMETERS OF ServerPerMessageDeflateFactory AS JSON]
"""

import json
import sys
import threading

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.sync.server import serve


def echo(connection):
    for message in connection:
        connection.send(message)


factory = ServerPerMessageDeflateFactory(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}"))
with serve(echo, "127.0.0.1", 0, extensions=[factory], compression=None, max_size=None) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/", flush=True)
    sys.stdin.read()
    server.shutdown()
