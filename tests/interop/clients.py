#!/usr/bin/env python3
"""Clients that compress, against `wirehook echo --compress`.

    clients.py URL

First the library `websockets` with every kind of agreement, then a client by hand over zlib, which does what no
library does: blocks with BFINAL, fragments with pings between, messages of both kinds. Each check is one line;
exit status 0 if all passed, 1 if one has failed.
"""

import base64
import json
import os
import random
import socket
import sys
import urllib.parse
import zlib

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

TIMEOUT = 20
failures = 0


def check(name, passed, detail=""):
    global failures
    failures += not passed
    print(f"interop: {'ok' if passed else 'FAILED'}: {name}" + (f": {detail}" if detail and not passed else ""))


def messages():
    """Texts and bytes, short and long, that repeat and that do not."""
    noise = random.Random(7)
    rows = [{"id": number, "name": f"user{number}", "tags": ["a", "b"]} for number in range(200)]
    text = json.dumps(rows)
    yield from ("", "short", text[:100], text[:100], text, text, "ümläut ✓ " * 500)
    yield from (b"", noise.randbytes(10), noise.randbytes(70_000), bytes(200_000))
    for number in range(20):
        yield json.dumps(rows[number])


# --- the library websockets ----------------------------------------------------------------------------------


def library(url, name, **offer):
    factory = ClientPerMessageDeflateFactory(**offer)
    try:
        with connect(url, extensions=[factory], compression=None, max_size=None, open_timeout=TIMEOUT) as ws:
            agreed = [extension.name for extension in ws.protocol.extensions]
            wrong = 0
            for message in messages():
                ws.send(message)
                wrong += ws.recv(timeout=TIMEOUT) != message
            check(name, agreed == ["permessage-deflate"] and wrong == 0, f"{agreed}, {wrong} wrong echoes")
    except Exception as error:  # every failure of the library's is a failed check
        check(name, False, repr(error))


def all_of_the_library(url):
    for server in (False, True):
        for client in (False, True):
            offer = {"server_no_context_takeover": server, "client_no_context_takeover": client}
            library(url, f"websockets, no takeover of server {server}, of client {client}", **offer)
    for bits in range(9, 16):
        library(url, f"websockets, windows of {bits} bits", server_max_window_bits=bits, client_max_window_bits=bits)
    library(url, "websockets, client_max_window_bits without a value", client_max_window_bits=True)


# --- by hand -------------------------------------------------------------------------------------------------


class ByHand:
    """A client whose frames are written here, bit by bit."""

    def __init__(self, url, offer):
        address = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=TIMEOUT)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET / HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Extensions: {offer}\r\n\r\n".encode()
        )
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.receive()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        fields = dict(line.split(": ", 1) for line in lines[1:])
        self.answer = fields.get("Sec-WebSocket-Extensions", "")
        self.inflate = zlib.decompressobj(-15)

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the server has closed")
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.receive()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def send(self, first, payload):
        mask = os.urandom(4)
        length = len(payload)
        if length < 126:
            header = bytes([first, 0x80 | length])
        elif length < 65536:
            header = bytes([first, 0xFE]) + length.to_bytes(2, "big")
        else:
            header = bytes([first, 0xFF]) + length.to_bytes(8, "big")
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self.socket.sendall(header + mask + masked)

    def frame(self):
        """The next frame: its first byte, its payload."""
        first, length = self.take(2)
        if length == 126:
            length = int.from_bytes(self.take(2), "big")
        elif length == 127:
            length = int.from_bytes(self.take(8), "big")
        return first, self.take(length)

    def message(self):
        """The next message, inflated; pongs are left out."""
        while True:
            first, payload = self.frame()
            if first & 0x0F == 0x0A:
                continue
            if first & 0x40:
                payload = self.inflate.decompress(payload + b"\x00\x00\xff\xff")
            return first, payload


def compressed(compressor, payload):
    data = compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert data.endswith(b"\x00\x00\xff\xff")
    return data[:-4]


def with_bfinal(payload):
    """One stream with BFINAL, then the empty block that every message ends with."""
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(payload) + compressor.flush(zlib.Z_FINISH) + b"\x00"


def by_hand(url):
    text = json.dumps([{"number": number, "name": "value"} for number in range(100)]).encode()

    client = ByHand(url, "permessage-deflate; client_max_window_bits=8")
    check("an offer of client_max_window_bits=8 is agreed on", "client_max_window_bits=8" in client.answer, client.answer)
    # zlib can't compress with 8 bits; one byte repeated refers one byte back.
    client.send(0xC1, compressed(zlib.compressobj(wbits=-9), b"a" * 300))
    check("its message comes back", client.message() == (0xC1, b"a" * 300))

    client = ByHand(url, "permessage-deflate; server_max_window_bits=8")
    check("an offer of server_max_window_bits=8 is declined", (client.status, client.answer) == (101, ""), client.answer)
    client.send(0x81, text)
    check("its messages go as they are", client.message() == (0x81, text))

    for offer in ("permessage-deflate; unknown", "permessage-deflate; server_max_window_bits", "x-other"):
        client = ByHand(url, offer)
        check(f"'{offer}' is declined, not refused", (client.status, client.answer) == (101, ""))

    client = ByHand(url, "permessage-deflate")
    for _ in range(5):
        client.send(0xC1, with_bfinal(text))
        check("a message with BFINAL comes back", client.message() == (0xC1, text))

    client = ByHand(url, "permessage-deflate")
    compressor = zlib.compressobj(wbits=-15)
    for number in range(10):
        if "client_no_context_takeover" in client.answer:
            compressor = zlib.compressobj(wbits=-15)
        data = compressed(compressor, text + str(number).encode())
        cut = len(data) // 3
        client.send(0x41, data[:cut])
        client.send(0x89, b"between")
        client.send(0x00, data[cut : 2 * cut])
        client.send(0x80, data[2 * cut :])
        first, payload = client.message()
        client.send(0x81, b"as it is")
        plain = client.message()
        whole = first == 0xC1 and payload == text + str(number).encode() and plain == (0x81, b"as it is")
        check("fragments with a ping between, and a plain message, come back", whole)

    client = ByHand(url, "permessage-deflate")
    client.send(0xC2, compressed(zlib.compressobj(wbits=-15), bytes(100_000_000)))
    first, payload = client.frame()
    check("a bomb of 100 MB ends with 1009", (first, payload[:2]) == (0x88, (1009).to_bytes(2, "big")))

    client = ByHand(url, "permessage-deflate")
    client.send(0xC1, b"\xff\xff\xff\xff")
    first, payload = client.frame()
    check("broken data ends with 1007", (first, payload[:2]) == (0x88, (1007).to_bytes(2, "big")))


if __name__ == "__main__":
    all_of_the_library(sys.argv[1])
    by_hand(sys.argv[1])
    sys.exit(failures > 0)
