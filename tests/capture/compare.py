"""Compares what tshark's dissector sees in a recording with what `wirehook decode --json` prints.

    compare.py WIREHOOK RECORDING

Frame by frame and for each side: FIN, opcode, MASK, length, masking key, unmasked payload. Of a payload decode prints
the beginning only, so only that is compared. Exit status: 0 all the same, 1 not.
"""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

# Checksums are judged, and a server's port, which is any, belongs to no other protocol.
TSHARK = [
    "tshark", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "tcp.try_heuristic_first:TRUE",
]  # fmt: skip

PARTS = {
    "websocket.payload.text",
    "websocket.payload.ping",
    "websocket.payload.pong",
    "websocket.payload.continue",
    "websocket.payload.close.status_code",
    "websocket.payload.close.reason",
    "data.data",
}


def tshark(recording, *args):
    run = subprocess.run([*TSHARK, "-r", recording, *args], capture_output=True, timeout=120, check=True)
    return run.stdout


def dissected(recording, server_port):
    """The frames that tshark sees, by side."""
    frames = {"client": [], "server": []}
    # The frames of the message that each side has begun.
    begun = {"client": [], "server": []}
    for packet in ElementTree.fromstring(tshark(recording, "-Y", "websocket", "-T", "pdml")):
        fields = [field for field in packet.iter("field") if field.get("name") == "tcp.srcport"]
        side = "server" if fields[0].get("show") == server_port else "client"
        frame = None
        for proto in packet:
            if proto.get("name") == "websocket":
                frame = header_of(proto)
                frames[side].append(frame)
                if frame["opcode"] < 8:
                    begun[side].append(frame)
            if frame is not None:
                take_payload(frame, proto, begun[side])
            if frame is not None and frame["fin"] and frame["opcode"] < 8:
                take_fragments(proto, begun[side])
        # What is no control frame and is final has ended its message.
        if frame is not None and begun[side] and begun[side][-1]["fin"]:
            begun[side] = []
    return frames


def header_of(proto):
    fields = {field.get("name"): field for field in proto.iter("field")}

    def number(name):
        return int(fields[name].get("show"), 0)

    length = number("websocket.payload_length")
    for name in ("websocket.payload_length_ext_16", "websocket.payload_length_ext_64"):
        if name in fields:
            length = number(name)
    key = fields.get("websocket.masking_key")
    return {
        "fin": number("websocket.fin") == 1,
        "opcode": number("websocket.opcode"),
        "mask": number("websocket.mask") == 1,
        "length": length,
        "key": key.get("value") if key is not None else None,
        "payload": "",
    }


def take_payload(frame, proto, begun):
    """Fills in what is beside a header, or after it in a section of its own."""
    # A message of several frames is shown with its last one; `take_fragments` divides it.
    if frame["opcode"] == 0 and frame["fin"] and len(begun) > 1:
        return
    values = [field.get("value") for field in proto.iter("field") if field.get("name") in PARTS]
    frame["payload"] += "".join(values)


def take_fragments(proto, begun):
    """Divides a message among its frames, in the order in which tshark lists them."""
    fragments = [field for field in proto.iter("field") if field.get("name") == "websocket.fragment"]
    if not fragments:
        return
    assert len(fragments) == len(begun), "tshark has put together another number of fragments"
    for frame, fragment in zip(begun, fragments):
        frame["payload"] = fragment.get("value")


def decoded(wirehook, recording):
    """The frames that `decode` sees, by side, and the server's port."""
    run = subprocess.run([wirehook, "decode", "--json", recording], capture_output=True, timeout=120)
    # 1 says that a rule is broken, which one of the sessions does.
    assert run.returncode in (0, 1), run.stderr
    steps = [json.loads(line) for line in run.stdout.splitlines()]
    frames = {"client": [], "server": []}
    for step in steps:
        if step["kind"] in ("frame", "error"):
            frames[step["from"]].append(step)
    return frames, steps[0]["server"].rsplit(":", 1)[1]


def differences(ours, theirs):
    """Whatever is not the same in two frames. A payload that decode doesn't know is one that it refuses to read."""
    for name in ("fin", "opcode", "mask", "length", "key"):
        if ours[name] != theirs[name]:
            yield f"{name}: decode has {ours[name]}, tshark {theirs[name]}"
    payload = ours.get("payload")
    if payload is not None and payload != theirs["payload"][: len(payload)]:
        yield f"payload: decode has {payload[:80]}, tshark {theirs['payload'][:80]}"
    if len(theirs["payload"]) != 2 * theirs["length"]:
        yield f"tshark has {len(theirs['payload']) // 2} bytes of payload, of {theirs['length']}"


def main(wirehook, recording):
    odd = tshark(recording, "-Y", "tcp.analysis.flags or tcp.checksum.status == 0 or ip.checksum.status == 0 or _ws.malformed")
    told = [f"tshark finds fault with: {line}" for line in odd.decode().splitlines()]
    ours, server_port = decoded(wirehook, recording)
    theirs = dissected(recording, server_port)
    compared = 0
    for side in ("client", "server"):
        if len(ours[side]) != len(theirs[side]):
            told.append(f"{side}: decode has {len(ours[side])} frames, tshark {len(theirs[side])}")
        for number, (our, their) in enumerate(zip(ours[side], theirs[side]), 1):
            told += [f"{side}, frame {number}: {difference}" for difference in differences(our, their)]
            compared += 1
    for line in told:
        print(f"capture: {recording}: {line}", file=sys.stderr)
    opcodes = sorted({frame["opcode"] for side in ours.values() for frame in side})
    longest = max((frame["length"] for side in ours.values() for frame in side), default=0)
    print(f"capture: {compared} frames compared, opcodes {opcodes}, up to {longest} bytes: {len(told)} differences")
    return 1 if told or not compared else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
