"""The built program on a data folder of its own: serve, tokens, and the ingest routes."""

import http.client
import json
import os
import queue
import signal
import subprocess
import threading
import time
from urllib.parse import quote

HANG = 120


class Failed(Exception):
    """The server does not do what the tests stand on."""


def quiet_environment():
    """This process's environment without what changes the program or sends a client elsewhere."""
    dropped = {"ENTRYWAY_TOKEN", "ENTRYWAY_LOG", "RUST_LOG", "RUST_BACKTRACE"}
    kept = {
        name: value for name, value in os.environ.items()
        if name not in dropped and not name.lower().endswith("_proxy")
        and not name.startswith(("GITLAB_", "CI_"))
    }
    kept["NO_PROXY"] = kept["no_proxy"] = "127.0.0.1"
    return kept


class Server:
    """`entryway serve` on a free loopback port, until `stop`."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.data = os.path.join(folder, "data")
        self.log_path = os.path.join(folder, "server.log")
        self.secrets = []
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [program, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--access-log"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                env=quiet_environment(),
            )
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        prefix, deadline = "listening on http://", time.monotonic() + HANG
        while True:
            try:
                line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            if line is None:
                self.process.kill()
                raise Failed(f"the server said no address; its log: {self.log()}")
            if line.startswith(prefix):
                break
        host, _, port = line[len(prefix):].strip().rpartition(":")
        self.address = (host, int(port))

    def _read(self, lines):
        for line in self.process.stdout:
            lines.put(line.decode("utf-8", "replace"))
        lines.put(None)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        """Asks it to stop; the exit code, or a word on what happened instead."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(HANG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "no end"

    def token(self, prefix, role, scope="api"):
        """A new token, from the command that operators use."""
        made = subprocess.run(
            [self.program, "token", "create", "--data", self.data, "--name", "clients",
             "--project", prefix, "--role", role, "--scope", scope],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=HANG, check=False,
            env=quiet_environment(),
        )
        if made.returncode != 0:
            raise Failed(f"token create: exit {made.returncode}: {made.stderr}")
        token = made.stdout.strip()
        self.secrets.append(token)
        return token

    def call(self, method, target, headers=None, body=None):
        """One request: status, fields, body."""
        connection = http.client.HTTPConnection(*self.address, timeout=HANG)
        try:
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def ingest(self, token, method, target, value):
        """One of the ingest routes: JSON in and out."""
        fields = {"PRIVATE-TOKEN": token, "Content-Type": "application/json"}
        path = "/ingest/v1" + target
        status, _, body = self.call(method, path, fields, json.dumps(value).encode())
        if not 200 <= status < 300:
            raise Failed(f"{method} {path} {value}: {status} {body[:300]!r}")
        answer = json.loads(body)
        if isinstance(answer, dict) and answer.get("token"):
            self.secrets.append(answer["token"])
        return answer

    def upload(self, token, job, content, query=""):
        """Hands in an archive for a job, with an ingest token."""
        fields, body = multipart(content)
        fields["PRIVATE-TOKEN"] = token
        target = f"/api/v4/jobs/{job}/artifacts{query}"
        status, _, answer = self.call("POST", target, fields, body)
        if status != 201:
            raise Failed(f"POST {target}: {status} {answer[:300]!r}")


def multipart(content, filename="artifacts.zip"):
    """A form with the one part `file`: its header fields and its body."""
    boundary = "entryway-9d1c4c0f6e"
    head = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; "
            f"filename=\"{filename}\"\r\nContent-Type: application/octet-stream\r\n\r\n")
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def escaped(path):
    """A project's path as one segment of a URL."""
    return quote(path, safe="")
