"""The servers that `against` compares: what each needs, how it is built, how it is started."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import loopback

HERE = Path(__file__).resolve().parent


class Missing(Exception):
    """Why a rival cannot be here."""


def first_line(command):
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return (ran.stdout + ran.stderr).splitlines()[0]


def build_go(go, source, program):
    command = [go, "build", "-o", program, source]
    subprocess.run(command, check=True, env={**os.environ, "GOWORK": "off"})
    return program


def find_go(named):
    go = shutil.which(named)
    if go is None:
        raise Missing(f"no {named} (name one with --go; Debian: golang-go)")
    return go


class Entryway:
    """`entryway serve` over a data folder that all archives were pushed into."""

    name = "entryway"
    does = {"gzip", "range"}
    has_child_per_request = False

    def __init__(self, options, scratch):
        self.program = options.program or loopback.release_program()
        self.data = scratch / "data"
        self.pushed = set()
        self.version = first_line([self.program, "--version"])

    def start(self, archive, _):
        project = f"bench/{archive.file.stem}"
        if project not in self.pushed:
            loopback.push(self.program, self.data, archive.file, project)
            self.pushed.add(project)
        server, base = loopback.start_entryway(self.program, self.data)
        return server, lambda entry: base + loopback.raw_path(project, entry)


class Nginx:
    """nginx over the extracted files, and `file.gz` for `file` to who accepts gzip."""

    name = "nginx"
    does = {"gzip", "range"}
    has_child_per_request = False

    def __init__(self, options, scratch):
        program = loopback.command("nginx")
        if program is None:
            raise Missing("no nginx (Debian: nginx-light)")
        self.version = first_line([program, "-v"])

    def start(self, archive, folder):
        server, base = loopback.start_nginx(folder, archive.extracted)
        return server, lambda entry: f"{base}/{entry}"


class ServeDir:
    """tower-http's ServeDir over the extracted files, with `file.gz` too."""

    name = "ServeDir"
    does = {"gzip", "range"}
    has_child_per_request = False

    def __init__(self, options, scratch):
        cargo = shutil.which("cargo")
        if cargo is None:
            raise Missing("no cargo")
        target = loopback.ROOT / "target/benches-http/servedir"
        manifest = HERE / "servedir/Cargo.toml"
        command = [cargo, "build", "--release", "--locked", "--quiet", "--manifest-path", manifest]
        build = subprocess.run([*command, "--target-dir", target])
        if build.returncode != 0:
            raise Missing("its build failed")
        self.program = target / "release/entryway-bench-servedir"
        lock = (HERE / "servedir/Cargo.lock").read_text()
        version = re.search(r'name = "tower-http"\nversion = "(.*)"', lock)[1]
        self.version = f"tower-http {version}"

    def start(self, archive, _):
        server, base = loopback.start([self.program, archive.extracted])
        return server, lambda entry: f"{base}/{entry}"


class GoZip:
    """A server on Go's archive/zip that keeps the archive open."""

    name = "Go archive/zip"
    does = set()
    has_child_per_request = False

    def __init__(self, options, scratch):
        go = find_go(options.go)
        self.program = build_go(go, HERE / "go/ziphttp.go", scratch / "ziphttp")
        self.version = first_line([go, "version"])

    def start(self, archive, _):
        server, base = loopback.start([self.program, archive.file])
        return server, lambda entry: f"{base}/{entry}"


class PerRequest:
    """A process for each request, which reads the directory with Go's archive/zip."""

    name = "process per request"
    does = set()
    has_child_per_request = True

    def __init__(self, options, scratch):
        go = find_go(options.go)
        self.program = build_go(go, HERE / "per_request/serve.go", scratch / "per-request")
        self.child = build_go(go, HERE / "per_request/zipcat/zipcat.go", scratch / "zipcat")
        self.version = first_line([go, "version"])

    def start(self, archive, _):
        server, base = loopback.start([self.program, self.child, archive.file])
        return server, lambda entry: f"{base}/{entry}"


ALL = [Entryway, Nginx, ServeDir, GoZip, PerRequest]
