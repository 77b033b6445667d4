"""glab: `job artifact`, and `api` for the rest. Arguments: the program, and the
command that has `artifact` in this version."""

import hashlib
import os
import subprocess
import sys
from urllib.parse import urlsplit

from report import check, equal, plan, same

GLAB, GROUP = sys.argv[1:]
PLAN = plan()
JOBS, FILES, TOKENS = PLAN["jobs"], PLAN["files"], PLAN["tokens"]
PRIVATE = PLAN["projects"]["private"]
HOST = urlsplit(PLAN["url"]).netloc


def home(token):
    """A folder with glab's configuration for a token."""
    folder = os.path.abspath(f"home-{token}")
    config = os.path.join(folder, "glab-cli")
    os.makedirs(config, exist_ok=True)
    path = os.path.join(config, "config.yml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            "host: 127.0.0.1\ncheck_update: false\ntelemetry: false\nhosts:\n  127.0.0.1:\n"
            f"    api_protocol: http\n    api_host: {HOST}\n    git_protocol: https\n"
            f"    token: {TOKENS[token]}\n"
        )
    os.chmod(path, 0o600)
    return folder


def glab(*arguments, token="reporter", cwd=None):
    folder = home(token)
    environment = dict(os.environ, HOME=folder, XDG_CONFIG_HOME=folder,
                       GLAB_CHECK_UPDATE="false", GLAB_SEND_TELEMETRY="0")
    return subprocess.run([GLAB, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60, check=False, env=environment, cwd=cwd)


def succeeded(ran):
    if ran.returncode != 0:
        raise AssertionError(f"exit {ran.returncode}: {(ran.stderr + ran.stdout)[-300:]!r}")
    return ran.stdout


def refused(code, message, ran):
    said = (ran.stdout + ran.stderr).decode("utf-8", "replace")
    # Some versions end with 0 where `api` was answered with an error.
    if str(code) not in said or message not in said:
        raise AssertionError(f"exit {ran.returncode}: {said[-300:]}")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def job_artifact(ref, job, row):
    folder = os.path.abspath(f"out-{row}")
    os.makedirs(folder)
    # A folder that is no git repository: the project is named.
    succeeded(glab(GROUP, "artifact", ref, job, "--path", folder, "--repo", PRIVATE["path"],
                   cwd=folder))
    return folder


def unpacked_whole():
    folder = job_artifact("main", "build", "whole")
    for name, expected in FILES.items():
        same(read(os.path.join(folder, name)), expected, name)


def unpacked(row, number):
    folder = job_artifact(row["ref"], row["job"], number)
    equal(read(os.path.join(folder, "ref.txt")).decode(), row["marker"])


def api(target, *more, token="reporter"):
    return glab("api", target, *more, token=token)


BASE = f"projects/{PRIVATE['escaped']}/jobs"
BUILD = f"{BASE}/{JOBS['build']['id']}/artifacts"

check(f"{GROUP} artifact main build", unpacked_whole)
# It puts the ref into the URL as it is: only refs that can stand there can be asked for.
for index, row in enumerate(PLAN["refs"]):
    if row["ref"].isascii() and not set(row["ref"]) & set(" #") and row["job"] != "build":
        check(f"{GROUP} artifact {row['ref']} {row['job']!r}",
              lambda row=row, index=index: unpacked(row, index))
check(f"{GROUP} artifact of no such job", lambda: refused(
    404, "404", glab(GROUP, "artifact", "main", "no such", "--repo", PRIVATE["path"])))
check(f"{GROUP} artifact with an unknown token", lambda: refused(
    401, "401 Unauthorized",
    glab(GROUP, "artifact", "main", "build", "--repo", PRIVATE["path"], token="unknown")))

check("api, the archive", lambda: same(succeeded(api(BUILD)), JOBS["build"]))
for name, quoted in (("notes.txt", "notes.txt"), ("random.bin", "random.bin"),
                     ("dist/out file.txt", "dist/out%20file.txt"),
                     ("dist/100%.txt", "dist/100%25.txt"), ("empty.txt", "empty.txt")):
    check(f"api, {name}", lambda name=name, quoted=quoted: same(
        succeeded(api(f"{BUILD}/{quoted}")), FILES[name]))
row = next(row for row in PLAN["refs"] if row["ref"] == "feature/x y")
check("api, a file by ref", lambda: same(
    succeeded(api(f"{BASE}/artifacts/feature%2Fx%20y/raw/ref.txt?job=build")),
    hashlib.sha256(row["marker"].encode()).hexdigest()))
check("api, a file that is not there", lambda: refused(
    404, "404 File Not Found", api(f"{BUILD}/no/such.txt")))
check("api, a guest", lambda: refused(403, "403 Forbidden", api(BUILD, token="guest")))
check("api -X POST keep", lambda: succeeded(
    api(f"{BASE}/{JOBS['keep']['id']}/artifacts/keep", "-X", "POST", token="developer")))
check("api -X DELETE", lambda: succeeded(
    api(f"{BASE}/{JOBS['delete 1']['id']}/artifacts", "-X", "DELETE", token="maintainer")))
check("what is deleted is 404", lambda: refused(
    404, "404 Not Found", api(f"{BASE}/{JOBS['delete 1']['id']}/artifacts")))
check("api -X DELETE of a whole project", lambda: succeeded(
    api(f"projects/{PLAN['projects']['doomed']['escaped']}/artifacts", "-X", "DELETE",
        token="maintainer")))
check("what was not the latest is gone", lambda: refused(404, "404 Not Found", api(
    f"projects/{PLAN['projects']['doomed']['escaped']}/jobs/{JOBS['doomed older']['id']}/artifacts"
)))
