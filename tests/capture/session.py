"""Sessions for `run`: what a client says, byte by byte, and over which writes it is spread.

This file knows sockets and literal frames, and nothing of wirehook's code. It refuses to judge the answers: it only
waits for as many bytes as an echo has.
"""

import socket
import sys
import time

KEY = bytes([0x37, 0xFA, 0x21, 0x3D])

REQUEST = (
    b"GET /chat HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def frame(first, payload):
    """A masked frame (section 5.2)."""
    length = len(payload)
    if length < 126:
        header = bytes([first, 0x80 | length])
    elif length < 1 << 16:
        header = bytes([first, 0xFE]) + length.to_bytes(2, "big")
    else:
        header = bytes([first, 0xFF]) + length.to_bytes(8, "big")
    return header + KEY + bytes(byte ^ KEY[i % 4] for i, byte in enumerate(payload))


def echoed(payload):
    """How many bytes the unmasked frame with this payload has."""
    length = len(payload)
    return length + (2 if length < 126 else 4 if length < 1 << 16 else 10)


class Client:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.say(REQUEST % address.encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)

    def say(self, data):
        self.socket.sendall(data)

    def hear(self, count):
        while count:
            data = self.socket.recv(count)
            assert data, "the server has closed too early"
            count -= len(data)

    def echo(self, first, payload):
        self.say(frame(first, payload))
        self.hear(echoed(payload))

    def in_pieces(self, data, sizes):
        """Each piece is a segment of its own: the pause lets the server read it before the next one comes."""
        for size in sizes:
            self.say(data[:size])
            data = data[size:]
            time.sleep(0.02)
        self.say(data)

    def end(self):
        while self.socket.recv(1 << 16):
            pass
        self.socket.close()


def all_kinds(address):
    """Every kind of frame, all three forms of lengths."""
    client = Client(address)
    client.echo(0x81, b"Hello")
    client.echo(0x81, "grüße, 你好".encode())
    client.echo(0x82, bytes(range(0, 100)))
    client.echo(0x81, b"")
    client.echo(0x82, b"")
    client.echo(0x81, b"a" * 125)
    client.echo(0x82, b"b" * 126)
    client.echo(0x82, bytes(i % 251 for i in range(65535)))
    client.echo(0x82, bytes(i % 241 for i in range(65536)))
    client.echo(0x81, b"t" * 200_000)
    client.echo(0x89, b"ping")
    client.echo(0x89, b"")
    client.say(frame(0x8A, b"unasked"))
    # Three fragments with a ping between.
    client.say(frame(0x01, b"Hel"))
    client.say(frame(0x00, b"l"))
    client.echo(0x89, b"between")
    client.say(frame(0x80, b"o"))
    client.hear(echoed(b"Hello"))
    # Five frames in one write.
    client.say(b"".join(frame(0x81, b"%d" % i) for i in range(5)))
    client.hear(5 * echoed(b"0"))
    client.say(frame(0x88, (1000).to_bytes(2, "big") + b"done"))
    client.end()


def split(address):
    """Frames over several segments, cut within the header and within the payload."""
    client = Client(address)
    client.in_pieces(frame(0x81, b"cut in the payload"), [10, 5])
    client.hear(echoed(b"cut in the payload"))
    client.in_pieces(frame(0x82, b"cut in the header"), [1, 1, 2])
    client.hear(echoed(b"cut in the header"))
    payload = bytes(i % 239 for i in range(1000))
    client.in_pieces(frame(0x82, payload), [3, 400, 400])
    client.hear(echoed(payload))
    # The end of one frame and the beginning of the next in one segment.
    client.in_pieces(frame(0x81, b"one") + frame(0x81, b"two") + frame(0x81, b"three"), [12, 10])
    client.hear(echoed(b"one") + echoed(b"two") + echoed(b"three"))
    client.say(frame(0x88, b""))
    client.end()


def refused(address):
    """A frame without a mask, which the server answers with Close 1002."""
    client = Client(address)
    client.say(bytes.fromhex("810548656c6c6f"))
    client.end()


SESSIONS = {"all-kinds": all_kinds, "split": split, "refused": refused}

if __name__ == "__main__":
    SESSIONS[sys.argv[1]](sys.argv[2])
