"""What a client's test program in Python needs: the plan of the run, a line for each check."""

import hashlib
import json
import os
import sys
import traceback


def plan():
    """What the driver set up: see `plan_of` in run."""
    with open(os.environ["ENTRYWAY_CLIENT_PLAN"], encoding="utf-8") as file:
        return json.load(file)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def one_line(text, most=400):
    """Printable ASCII: what goes wrong may be bytes of an archive."""
    text = " ".join(str(text).split())
    text = "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= most else text[:most] + "..."


def ok(what):
    print(f"ok\t{what}", flush=True)


def fail(what, why):
    print(f"FAIL\t{what}\t{one_line(why)}", flush=True)


def skip(what, why):
    print(f"SKIP\t{what}\t{one_line(why)}", flush=True)


def check(what, function):
    """Runs one check; an assertion's message, or the exception, is why it failed."""
    try:
        function()
    except AssertionError as error:
        frame = traceback.extract_tb(sys.exc_info()[2])[-1]
        fail(what, str(error) or f"line {frame.lineno}: {frame.line}")
    except Exception as error:  # whatever a client raises where it should not
        fail(what, f"{type(error).__name__}: {error}")
    else:
        ok(what)


def same(content, expected, what="content"):
    """Fails unless the bytes are those of a file or archive of the plan."""
    if isinstance(expected, dict):
        expected = expected["sha256"]
    if sha256(content) != expected:
        head = content[:120]
        raise AssertionError(f"{what}: {len(content)} bytes that begin with {head!r}")


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what + ': ' if what else ''}{got!r}, not {expected!r}")
