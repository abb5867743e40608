#!/usr/bin/env python3
"""The cases of the Autobahn test suite: which to run, and the verdict.

    suite.py spec REPORT_FOLDER SERVER_URL [PATTERN...]
        prints the specification that tells wstest what to run
    suite.py server-spec REPORT_FOLDER URL [PATTERN...]
        prints the one for wstest as the server, on that URL
    suite.py check REPORT_FOLDER [PATTERN...]
        reads the report, prints what is wrong and one tally line

Exit status: 0 fine, 1 the verdict is not strict, 2 anything else. What is
expected is in expected.json beside this file.
"""

import collections
import fnmatch
import json
import os
import sys

AGENT = "wirehook"
# The verdicts that the tally line always names; others are added when they occur.
USUAL = ("OK", "NON-STRICT", "INFORMATIONAL", "FAILED")


class Problem(Exception):
    """Why there is no verdict, in words for a reader of the output."""


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as error:
        raise Problem(f"cannot read {path}: {error}") from error


def load_expected():
    return load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.json"))


def in_order(case):
    """Sorts 6.4.2 before 6.4.10, and copes with an id of another shape."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in case.split(".")]


def select(expected, patterns):
    """The ids of the cases that are to run."""
    every = [
        f"{section}.{number}"
        for section, count in expected["cases"].items()
        for number in range(1, count + 1)
    ]
    if not patterns:
        return every
    for pattern in patterns:
        if not fnmatch.filter(every, pattern):
            left_out = ", ".join(expected["left_out"])
            raise Problem(
                f"no case matches {pattern!r} (cases are named like 7.1.6, patterns like '6.4.*'; "
                f"{left_out} are never run)"
            )
    return [case for case in every if any(fnmatch.fnmatchcase(case, p) for p in patterns)]


def specification(expected, folder, url, patterns, is_server=False):
    cases = select(expected, patterns)
    peer = {"url": url} if is_server else {"servers": [{"agent": AGENT, "url": url}]}
    return {
        "outdir": folder,
        **peer,
        # A whole run asks for whatever this wstest has, so that one with other
        # cases is noticed. With patterns, wstest gets the ids and not the
        # patterns: it waits forever when a pattern matches nothing.
        "cases": cases if patterns else ["*"],
        "exclude-cases": list(expected["left_out"]),
        "exclude-agent-cases": {},
    }


def faults(expected, cases, results):
    """One line for each case that is not as it must be, in order."""
    found = {}
    for case in cases:
        if case not in results:
            found[case] = "missing in the report"
    for case, result in results.items():
        if case not in cases:
            found[case] = "in the report, but not one of the expected cases"
            continue
        allowed = {"OK"}
        if case in expected["informational"]:
            allowed.add("INFORMATIONAL")
        verdicts = result.get("behavior"), result.get("behaviorClose")
        if not allowed.issuperset(verdicts):
            found[case] = f"behavior {verdicts[0]}, closing behavior {verdicts[1]}"
    return [f"case {case}: {found[case]}" for case in sorted(found, key=in_order)]


def tally(results):
    behaviors = collections.Counter(str(result.get("behavior")) for result in results.values())
    closings = collections.Counter(str(result.get("behaviorClose")) for result in results.values())
    parts = [f"{behaviors.pop(name, 0)} {name}" for name in USUAL]
    parts += [f"{count} {name}" for name, count in sorted(behaviors.items())]
    # A case can be answered well and closed badly; without this such a run
    # would fail below a tally in which all is well.
    bad = sum(closings.values()) - closings["OK"] - closings["INFORMATIONAL"]
    if bad:
        parts.append(f"{bad} closed wrongly")
    noun = "case" if len(results) == 1 else "cases"
    return f"autobahn: {len(results)} {noun}, " + ", ".join(parts)


def check(expected, folder, patterns):
    cases = select(expected, patterns)
    index = load(os.path.join(folder, "index.json"))
    results = index.get(AGENT) if isinstance(index, dict) else None
    if not isinstance(results, dict) or not all(isinstance(r, dict) for r in results.values()):
        raise Problem(f"the report in {folder} has no results of {AGENT!r}")
    found = faults(expected, cases, results)
    for line in found:
        print(line)
    if len(results) != len(cases):
        print(f"expected {len(cases)} cases, the report holds {len(results)}")
    print(tally(results))
    print(f"autobahn: report: {os.path.join(folder, 'index.html')}")
    return 1 if found else 0


def main(arguments):
    try:
        expected = load_expected()
        if len(arguments) >= 3 and arguments[0] == "spec":
            print(json.dumps(specification(expected, *arguments[1:3], arguments[3:]), indent=2))
            return 0
        if len(arguments) >= 3 and arguments[0] == "server-spec":
            spec = specification(expected, *arguments[1:3], arguments[3:], is_server=True)
            print(json.dumps(spec, indent=2))
            return 0
        if len(arguments) >= 2 and arguments[0] == "check":
            return check(expected, arguments[1], arguments[2:])
        raise Problem("usage: suite.py spec|server-spec REPORT URL [PATTERN...] | check REPORT [PATTERN...]")
    except Problem as problem:
        print(f"autobahn: error: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
