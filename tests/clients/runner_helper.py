"""What GitLab's own runner helper (14.7.1) was seen to send, byte for byte, as it cannot be
installed from a package registry: its uploader and its downloader, with zips as its two writers
make them."""

import gzip
import os
import socket
from urllib.parse import urlsplit

import archives
from report import check, equal, plan, same

PLAN = plan()
JOBS, TOKENS = PLAN["jobs"], PLAN["tokens"]
HOST = urlsplit(PLAN["url"]).netloc
AGENT = "gitlab-runner 14.7.1 (; go1.17.6; linux/amd64)"


class Connection:
    """One connection, with nothing between the bytes written here and the socket."""

    def __init__(self):
        host, port = HOST.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self.incoming = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def head(self):
        """A status and the fields of an answer."""
        line = self.incoming.readline()
        if not line.startswith(b"HTTP/1.1 "):
            raise AssertionError(f"no answer: {line!r}")
        fields = {}
        while (field := self.incoming.readline()) not in (b"\r\n", b""):
            name, _, value = field.decode("latin-1").partition(":")
            fields[name.strip().lower()] = value.strip()
        return int(line.split()[1]), fields

    def body(self, fields):
        if "chunked" not in fields.get("transfer-encoding", ""):
            return self.incoming.read(int(fields.get("content-length", 0)))
        parts = []
        while (length := int(self.incoming.readline(), 16)) > 0:
            parts.append(self.incoming.read(length))
            self.incoming.readline()
        self.incoming.readline()
        return b"".join(parts)


def upload(key, content, filename="default.zip", query="", expect=True, token=None, step=32768):
    """The uploader's POST: one part, in chunks of 32 KiB, the head first and a wait for 100."""
    boundary = os.urandom(30).hex()
    target = f"/api/v4/jobs/{JOBS[key]['id']}/artifacts?{query}"
    fields = [
        f"POST {target} HTTP/1.1", f"Host: {HOST}", f"User-Agent: {AGENT}",
        "Transfer-Encoding: chunked",
        f"Content-Type: multipart/form-data; boundary={boundary}",
        *(["Expect: 100-continue"] if expect else []),
        f"Job-Token: {token or JOBS[key]['token']}", "Accept-Encoding: gzip", "", "",
    ]
    form = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; "
            f"filename=\"{filename}\"\r\nContent-Type: application/octet-stream\r\n\r\n").encode()
    form += content + f"\r\n--{boundary}--\r\n".encode()
    connection = Connection()
    connection.send("\r\n".join(fields).encode())
    if expect:
        status, answer = connection.head()
        if status != 100:
            return status, connection.body(answer)
    for start in range(0, len(form), step):
        chunk = form[start:start + step]
        connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    connection.send(b"0\r\n\r\n")
    status, answer = connection.head()
    return status, connection.body(answer)


def created(*arguments, **more):
    status, body = upload(*arguments, **more)
    equal((status, b"" if status == 201 else body[:300]), (201, b""))


def download(key, query="", token=None):
    """The downloader's GET: the query's sign stands even where nothing follows it."""
    connection = Connection()
    connection.send(
        f"GET /api/v4/jobs/{JOBS[key]['id']}/artifacts?{query} HTTP/1.1\r\nHost: {HOST}\r\n"
        f"User-Agent: {AGENT}\r\nJob-Token: {token or JOBS['running']['token']}\r\n"
        "Accept-Encoding: gzip\r\n\r\n".encode()
    )
    status, fields = connection.head()
    return status, fields, connection.body(fields)


def downloaded(key, expected, query=""):
    status, fields, body = download(key, query)
    equal((status, fields.get("content-length")), (200, str(len(body))))
    same(body, expected)


def entry(key, name, expected):
    """One file of what was handed in, through the API for people."""
    connection = Connection()
    connection.send(
        f"GET /api/v4/projects/{PLAN['projects']['private']['escaped']}/jobs/{JOBS[key]['id']}"
        f"/artifacts/{name} HTTP/1.1\r\nHost: {HOST}\r\nPRIVATE-TOKEN: {TOKENS['reporter']}"
        "\r\n\r\n".encode()
    )
    status, fields = connection.head()
    body = connection.body(fields)
    equal(status, 200)
    same(body, archives.sha256(expected))


FILES = {name: archives.FILES[name] for name in (
    "index.html", "notes.txt", "pixel.png", "random.bin", "empty.txt", "dist/out file.txt",
    "p\u00e4th/\u00f6\u4e16.txt",
)}
QUERY = "artifact_format=zip&artifact_type=archive&expire_in=1+week"
ESCAPED = {"dist/out file.txt": "dist/out%20file.txt",
           "p\u00e4th/\u00f6\u4e16.txt": "p%C3%A4th/%C3%B6%E4%B8%96.txt"}

for number, writer in ((1, "legacy"), (2, "fastzip")):
    key = f"upload {number}"
    content = archives.runner_archive(FILES, writer)
    check(f"artifacts-uploader, {writer} writer", lambda key=key, content=content: created(
        key, content, query=QUERY))
    check(f"artifacts-uploader, {writer} writer, the same again",
          lambda key=key, content=content: created(key, content, query=QUERY))
    for query in ("", "direct_download=true"):
        check(f"artifacts-downloader ?{query}, {writer} writer",
              lambda key=key, content=content, query=query: downloaded(
                  key, archives.sha256(content), query))
    for name, expected in FILES.items():
        check(f"{name!a} of the {writer} writer's archive",
              lambda key=key, name=name, expected=expected: entry(
                  key, ESCAPED.get(name, name), expected))

whole = archives.runner_archive(archives.FILES, "fastzip")
check("a larger upload without Expect", lambda: created("upload 3", whole, query=QUERY,
                                                        expect=False))
check("a larger upload comes back", lambda: downloaded("upload 3", archives.sha256(whole)))
check("an upload in chunks of 7 bytes", lambda: created(
    "upload 4", archives.small("chunks of 7"), query=QUERY, step=7))
check("expire_in=never", lambda: created(
    "upload 5", archives.small("never"),
    query="artifact_format=zip&artifact_type=archive&expire_in=never"))
check("a dependency's archive", lambda: downloaded("build", JOBS["build"]))

# Reports: taken, and no archive of the job.
check("a junit report, gzip", lambda: created(
    "upload 6", gzip.compress(b"<testsuite/>", mtime=0), filename="junit.xml.gz",
    query="artifact_format=gzip&artifact_type=junit&expire_in=1+week"))
check("a dotenv report, raw", lambda: created(
    "upload 6", b"VERSION=1\n", filename=".env",
    query="artifact_format=raw&artifact_type=dotenv&expire_in=1+week"))


def refused(expected, status, *rest):
    equal((status, b"" if status == expected else rest[-1][:300]), (expected, b""))


check("reports are no archive", lambda: refused(404, *download("upload 6")))
check("a job without an archive is 404", lambda: refused(404, *download("bare")))
check("another job's token may not hand in", lambda: refused(403, *upload(
    "upload 6", archives.small("another"), query=QUERY, token=JOBS["upload 5"]["token"])))
check("an unknown token may not hand in", lambda: refused(403, *upload(
    "upload 6", archives.small("another"), query=QUERY, token=TOKENS["unknown"])))
check("an unknown token may not download", lambda: refused(401, *download(
    "build", token=TOKENS["unknown"])))
check("what is no zip is 400", lambda: refused(400, *upload(
    "upload 6", archives.noise(40000), query=QUERY)))


def cut_off():
    """The uploader dies in the middle: nothing is there, and the same job can hand in again."""
    connection = Connection()
    connection.send(
        f"POST /api/v4/jobs/{JOBS['upload 6']['id']}/artifacts?{QUERY} HTTP/1.1\r\nHost: {HOST}\r\n"
        f"Transfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=xyz\r\n"
        f"Job-Token: {JOBS['upload 6']['token']}\r\n\r\n".encode()
    )
    form = (b"--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"default.zip\"\r\n"
            b"\r\n" + archives.small("cut off")[:100])
    connection.send(b"%x\r\n%s\r\n" % (len(form), form))
    connection.incoming.close()
    connection.socket.close()
    refused(404, *download("upload 6"))
    created("upload 6", archives.small("after the cut"), query=QUERY)


check("a body without its end is not kept", cut_off)
