"""What the benchmarks over HTTP share: servers on loopback, what they cost, and load by wrk."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")

NGINX_CONF = """
{user}
worker_processes auto;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
daemon off;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    gzip_static on;
    open_file_cache max=1000 inactive=60s;
    open_file_cache_valid 60s;
    keepalive_requests 1000000000;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    types {{ text/plain txt; }}
    server {{
        listen 127.0.0.1:{port} reuseport;
        root {root};
    }}
}}
"""


# --- processes --------------------------------------------------------------------------------


def family(pid):
    """A process and its children, which are listed by the thread that started them."""
    members = [pid]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            members += map(int, (thread / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    return members


def cpu_seconds(pid):
    """User and system time of a process, its threads, its children, and the children that ended."""
    total = 0
    for each in family(pid):
        try:
            stat = Path(f"/proc/{each}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(map(int, stat.rsplit(")", 1)[1].split()[11:15]))
    return total / TICKS


def memory_mib(pid, field):
    """A field of /proc/PID/status, over a process and its children."""
    total = 0
    for each in family(pid):
        try:
            status = Path(f"/proc/{each}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # A process that is ending has no memory any more, and says nothing of it.
        if found := re.search(rf"{field}:\s+(\d+)", status):
            total += int(found[1])
    return total / 1024


def peak_mib(pid):
    return memory_mib(pid, "VmHWM")


def start(arguments):
    """A server that says its address at the end of its first line, and that address.

    It is out of reach of an interrupt from the keyboard, which is for the caller to handle.
    """
    quiet = {"ENTRYWAY_LOG": "warn", **os.environ}
    server = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, start_new_session=True, env=quiet
    )
    try:
        line = server.stdout.readline()
    except BaseException:
        stop([server])
        raise
    if not line:
        sys.exit(f"{arguments[0]} ended with {server.wait()}")
    return server, line.split()[-1]


def stop(servers):
    """Ends servers by SIGTERM, and waits until they have."""
    servers = list(servers)
    for server in servers:
        server.send_signal(signal.SIGTERM)
    for server in servers:
        server.wait(timeout=30)


def exit_on_signals():
    """Has SIGINT and SIGTERM end this program through its `finally` clauses, which stop servers; a
    second signal does not disturb them."""
    def leave(number, _):
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, leave)


def demand_commands(packages):
    """Ends this program unless the commands are here, each given with its package of Debian."""
    if missing := [name for name in packages if command(name) is None]:
        wanted = " ".join(packages[name] for name in missing)
        sys.exit(f"no {', '.join(missing)} here (Debian: apt-get install {wanted})")


def command(name):
    """Where a command is, also one for administrators."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


# --- servers ----------------------------------------------------------------------------------


def release_program():
    """Builds entryway as it is released, and says where it is."""
    build = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "entryway-server"]
    subprocess.run(build, cwd=ROOT, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "release", "entryway")


def push(program, data, archive, project):
    """Stores an archive as what job build of ref main of a public project made."""
    target = ["--project", project, "--ref", "main", "--job", "build", "--visibility", "public"]
    subprocess.run([program, "push", archive, "--data", data, *target], check=True,
                   capture_output=True)


def raw_path(project, entry):
    """Where an entry of what `push` stored is fetched, as endpoint D."""
    project = project.replace("/", "%2F")
    return f"/api/v4/projects/{project}/jobs/artifacts/main/raw/{entry}?job=build"


def start_entryway(program, data, *options):
    return start([program, "serve", "--data", data, "--listen", "127.0.0.1:0", *options])


def start_nginx(folder, root):
    """nginx over the files below `root`; its own files lie in `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf = folder / "nginx.conf"
    # Workers would run as nobody where root starts nginx, and perhaps not reach the files.
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(NGINX_CONF.format(dir=folder, port=port, root=root, user=user))
    nginx = [command("nginx"), "-c", conf, "-p", folder]
    server = subprocess.Popen(nginx, stderr=subprocess.DEVNULL, start_new_session=True)
    return server, f"http://127.0.0.1:{port}"


def wait_for(url, process):
    """The body at a URL, as soon as the server gives it."""
    for _ in range(200):
        if process.poll() is not None:
            sys.exit(f"the server ended with {process.returncode}")
        try:
            with ask(url) as response:
                return response.read()
        except TimeoutError:
            break
        except OSError:
            time.sleep(0.05)
    sys.exit(f"no answer from {url}")


# --- clients ----------------------------------------------------------------------------------

# Whatever the environment and the user's ~/.curlrc say: no proxy stands before a server on loopback.
CURL = ["curl", "-q", "--noproxy", "*"]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(request):
    """The answer to a request or for a URL."""
    return DIRECT.open(request, timeout=60)


# --- figures ----------------------------------------------------------------------------------


def open_tsv(path):
    """A file for figures with its head, made with its folder: to be called before anything is
    measured, so that a run does not fail at its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    file.write("bench\tsystem\tcase\tvalue\tunit\trounds\n")
    return file


# --- load -------------------------------------------------------------------------------------

# wrk rounds what it prints for people; without a function for each request or response, a script
# costs the load nothing.
SUMMARY = """
done = function(summary, latency, requests)
    local errors = summary.errors
    io.write(string.format(
        '\\nsummary {"requests": %d, "bytes": %.0f, "seconds": %f, "errors": %d}\\n',
        summary.requests, summary.bytes, summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


class Load(NamedTuple):
    requests: int
    bytes: int
    seconds: float


def load(url, seconds, connections, fields=()):
    """What wrk fetched; the program ends if any request failed or had a status above 399."""
    wrk = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", "60s"]
    for field in fields:
        wrk += ["-H", field]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SUMMARY)
        script.flush()
        wrk += ["-s", script.name, url]
        output = subprocess.run(wrk, check=True, capture_output=True, text=True).stdout
    summary = json.loads(re.search(r"^summary (.*)$", output, re.MULTILINE)[1])
    if summary.pop("errors"):
        sys.exit(f"wrk met errors:\n{output}")
    return Load(**summary)
