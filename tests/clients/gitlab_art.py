"""gitlab-art: `art update` looks for the newest good job of a ref, `art install` unpacks it.
Argument: the program. The lists it looks through are answered by the relay (list_endpoints.py)."""

import json
import os
import subprocess
import sys

from report import check, equal, plan, same

ART = sys.argv[1]
PLAN = plan()
JOBS, FILES, TOKENS = PLAN["jobs"], PLAN["files"], PLAN["tokens"]
PRIVATE = PLAN["projects"]["private"]["path"]


class Folder:
    """A project's folder with an `artifacts.yml`, a home and a cache of its own."""

    def __init__(self, name, *entries):
        self.path = os.path.abspath(name)
        os.makedirs(self.path)
        # JSON is YAML.
        with open(os.path.join(self.path, "artifacts.yml"), "w", encoding="utf-8") as file:
            json.dump(entries, file)

    def art(self, *arguments):
        environment = dict(os.environ, HOME=self.path,
                           XDG_CONFIG_HOME=os.path.join(self.path, "config"),
                           XDG_CACHE_HOME=os.path.join(self.path, "cache"))
        return subprocess.run([ART, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=60, check=False, env=environment, cwd=self.path)

    def configure(self, token, kind="private"):
        succeeded(self.art("configure", "--token-type", kind, PLAN["url"], token))
        return self

    def read(self, name):
        with open(os.path.join(self.path, name), "rb") as file:
            return file.read()

    def cached(self, key):
        return self.read(f"cache/art/{PRIVATE}/{JOBS[key]['id']}.zip")

    def names(self, under):
        """The files below a folder, as the archive names them."""
        top = os.path.join(self.path, under)
        return sorted(os.path.relpath(os.path.join(folder, name), top)
                      for folder, _, names in os.walk(top) for name in names)


def entry(install, ref="main", job="build"):
    return {"project": PRIVATE, "ref": ref, "job": job, "install": install}


def succeeded(ran):
    if ran.returncode != 0:
        raise AssertionError(f"exit {ran.returncode}: {(ran.stderr + ran.stdout)[-300:]!r}")
    return ran.stdout.decode("utf-8", "replace")


def refused(message, ran):
    said = (ran.stdout + ran.stderr).decode("utf-8", "replace")
    if ran.returncode == 0 or message not in said:
        raise AssertionError(f"exit {ran.returncode}: {said[-300:]}")


def found():
    """The newest pipeline of `main` failed: the job is one of the pipeline before."""
    said = succeeded(whole.art("update"))
    if f"{PRIVATE}: main => {JOBS['build']['id']}" not in said:
        raise AssertionError(said)
    same(whole.cached("build"), JOBS["build"])


def installed():
    succeeded(whole.art("install"))
    equal(whole.names("out"), sorted(FILES))
    for name, expected in FILES.items():
        same(whole.read(f"out/{name}"), expected, name)


def some_installed():
    folder = Folder("some", entry({"dist/": "site", "notes.txt": "about/read me.txt"}))
    folder.configure(TOKENS["reporter"])
    succeeded(folder.art("update"))
    succeeded(folder.art("install"))
    below = [name for name in FILES if name.startswith("dist/")]
    equal(folder.names("site"), sorted(name.removeprefix("dist/") for name in below))
    for name in below:
        same(folder.read("site/" + name.removeprefix("dist/")), FILES[name], name)
    same(folder.read("about/read me.txt"), FILES["notes.txt"])


def refs_installed():
    folder = Folder("refs", *(
        entry({"ref.txt": f"{index}.txt"}, row["ref"], row["job"])
        for index, row in enumerate(PLAN["refs"])
    ))
    folder.configure(TOKENS["read_api"])
    succeeded(folder.art("update"))
    succeeded(folder.art("install"))
    for index, row in enumerate(PLAN["refs"]):
        equal(folder.read(f"{index}.txt").decode(), row["marker"])


def installed_by_a_job():
    """As in a pipeline: the lock file is there, the cache is not, the token is the job's own."""
    folder = Folder("job", entry({".": "out"}))
    with open(os.path.join(folder.path, "artifacts.lock.yml"), "wb") as file:
        file.write(whole.read("artifacts.lock.yml"))
    folder.configure(JOBS["running"]["token"], "job")
    succeeded(folder.art("download"))
    same(folder.cached("build"), JOBS["build"])
    succeeded(folder.art("install"))
    equal(folder.names("out"), sorted(FILES))


def refused_to(token, message):
    folder = Folder(f"refused-{token}", entry({".": "out"})).configure(TOKENS[token])
    refused(message, folder.art("update"))
    equal(os.path.exists(os.path.join(folder.path, "artifacts.lock.yml")), False)


whole = Folder("whole", entry({".": "out"})).configure(TOKENS["reporter"])
check("update", found)
check("install of everything", installed)
check("install of a folder and a file", some_installed)
check("update and install of every ref", refs_installed)
check("download and install with a job token", installed_by_a_job)
check("update with an unknown token", lambda: refused_to("unknown", "401: 401 Unauthorized"))
check("update of a guest", lambda: refused_to("guest", "403: 403 Forbidden"))
check("update of an outsider", lambda: refused_to("outsider", "404: 404 Project Not Found"))
check("update of a job that never succeeded", lambda: refused(
    "Could not find latest successful", Folder("none", entry({".": "out"}, job="no such"))
    .configure(TOKENS["reporter"]).art("update")))
