"""schemathesis: asks by the server's own description of itself, and compares the answers with it.

A bounded number of requests from a fixed seed: the examples of the description, the borders of
every parameter, and generated ones. Argument: the program.
"""

import json
import os
import re
import subprocess
import sys
import urllib.request

from report import fail, ok, plan

PLAN = plan()
DESCRIPTION = PLAN["url"] + "/-/openapi.json"
HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.environ.get("ENTRYWAY_SCHEMATHESIS_EXAMPLES", "25")
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_schema_conformance"]
METHODS = {"get", "head", "post", "put", "delete", "patch", "options"}


def main():
    with urllib.request.urlopen(DESCRIPTION, timeout=60) as answer:
        described = json.load(answer)
    operations = {
        f"{method.upper()} {path}"
        for path, item in described["paths"].items() for method in item if method in METHODS
    }
    ok(f"the description can be had: {len(operations)} operations")

    environment = dict(os.environ, SCHEMATHESIS_HOOKS="schemathesis_hooks", PYTHONPATH=HERE)
    ran = subprocess.run(
        [sys.argv[1], "run", DESCRIPTION, "--checks", ",".join(CHECKS),
         "--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1",
         "--generation-deterministic", "--generation-with-security-parameters", "false",
         "--continue-on-failure", "--request-timeout", "20", "--workers", "1", "--warnings", "off",
         "--no-color", "--report", "json", "--report-json-path", "report.json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment, timeout=540, check=False,
    )
    with open("output.txt", "w", encoding="utf-8") as out:
        out.write(ran.stdout)
    if ran.returncode not in (0, 1):
        fail("schemathesis runs", f"exit {ran.returncode}: {ran.stdout[-600:]}")
        return
    # The part on failures has a heading for each operation, "____ GET /path ____".
    part = ran.stdout.partition("= FAILURES =")[2] or ran.stdout.partition("= ERRORS =")[2]
    broken = {}
    for block in re.split(r"\n_{3,} ", part)[1:]:
        name, _, text = block.partition(" ___")
        broken[name.strip()] = re.sub(r"^_+", "", text)
    for operation in sorted(operations):
        if operation in broken:
            fail(f"{operation} answers as described", broken.pop(operation))
        else:
            ok(f"{operation} answers as described")
    for name, text in broken.items():
        fail(name, text)
    if ran.returncode == 1 and "= FAILURES =" not in ran.stdout and "= ERRORS =" not in ran.stdout:
        fail("schemathesis ends well", ran.stdout[-600:])


main()
