"""What a client finds on the server: projects, pipelines, jobs and archives of its own, so that one
client's deletions are not another's. Everything is put there through the routes a CI would use."""

import itertools

import archives
from server import escaped

REFS = ["main", "feature/x y", "release/1.0+rc#1", "umlaut-\u00e4"]

_numbers = itertools.count(1001)


class World:
    def __init__(self, server, client):
        self.server, self.client = server, client
        token = lambda role, scope="api": server.token(client, role, scope)
        self.ingest = token("maintainer", "ingest")
        self.tokens = {
            "maintainer": token("maintainer"),
            "developer": token("developer"),
            "reporter": token("reporter"),
            "guest": token("guest"),
            "read_api": token("maintainer", "read_api"),
            "ingest": self.ingest,
            "outsider": server.token(client + "-elsewhere", "maintainer"),
            # Of the right form, and nobody's.
            "unknown": "ewt_" + "A" * 40,
        }
        self.ingest_elsewhere = server.token(client + "-elsewhere", "maintainer", "ingest")
        self.projects, self.pipelines, self.jobs, self.refs = {}, [], {}, []
        self.files = {}
        self._build()

    def project(self, name, visibility, public_pipelines=True, group=None, ingest=None):
        path = f"{group or self.client}/{name}"
        made = self.server.ingest(
            ingest or self.ingest, "PUT", f"/projects/{escaped(path)}",
            {"visibility": visibility, "public_pipelines": public_pipelines},
        )
        self.projects[name] = {"id": made["id"], "path": path, "escaped": escaped(path)}
        return path

    def pipeline(self, path, ref, status="success", ingest=None):
        number = next(_numbers)
        told = {"ref": ref, "sha": f"{number:040x}", "status": status, "source": "push"}
        self.server.ingest(
            ingest or self.ingest, "PUT", f"/projects/{escaped(path)}/pipelines/{number}", told,
        )
        self.pipelines.append({"id": number, "project": path} | told)
        return number

    def job(self, key, path, pipeline, name, content=None, status="success", query="",
            ingest=None, **more):
        """A job, known to the client's program as `key`, with an archive or without."""
        number = next(_numbers)
        made = self.server.ingest(
            ingest or self.ingest, "PUT", f"/projects/{escaped(path)}/jobs/{number}",
            {"pipeline_id": pipeline, "name": name, "stage": "test", "status": status} | more,
        )
        self.jobs[key] = {"id": number, "name": name, "pipeline": pipeline, "status": status}
        if made.get("token"):
            self.jobs[key]["token"] = made["token"]
        if content is not None:
            self.server.upload(ingest or self.ingest, number, content, query)
            self.jobs[key]["sha256"] = archives.sha256(content)
            self.jobs[key]["size"] = len(content)
        return number

    def _build(self):
        private = self.project("private", "private", public_pipelines=False)
        mark = lambda text: archives.small(f"{self.client} {text}")

        # Of `main`: an older success, the one that counts, and a newer failure.
        older = self.pipeline(private, "main")
        self.job("older", private, older, "build", mark("older"))
        main = self.pipeline(private, "main")
        whole, files = archives.archive(f"{self.client} main build")
        self.files = {
            name: {"sha256": archives.sha256(content), "size": len(content)}
            for name, content in files.items()
        }
        self.job("build", private, main, "build", whole)
        self.job("build job", private, main, "build job", mark("main build job"))
        self.job("test 1/2", private, main, "test 1/2", mark("main test 1/2"))
        self.job("bare", private, main, "bare")
        self.job("keep", private, main, "keep me", mark("keep"), query="?expire_in=1+week",
                 created_at="2026-01-01T00:00:00.000Z", started_at="2026-01-01T00:00:01.000Z",
                 finished_at="2026-01-01T00:01:01.000Z", coverage=12.5)
        for number in range(1, 4):
            key = f"delete {number}"
            self.job(key, private, main, key, mark(key))
        failed = self.pipeline(private, "main", "failed")
        self.job("failed", private, failed, "build", mark("failed"), status="failed")

        for ref in REFS[1:]:
            pipeline = self.pipeline(private, ref)
            self.job(ref, private, pipeline, "build", mark(f"{ref} build"))
        self.refs = [{"ref": "main", "job": name, "key": name}
                     for name in ("build", "build job", "test 1/2")]
        self.refs += [{"ref": ref, "job": "build", "key": ref} for ref in REFS[1:]]
        for row in self.refs:
            row["marker"] = f"{self.client} {row['ref']} {row['job']}"

        running = self.pipeline(private, "running", "running")
        self.job("running", private, running, "deploy", status="running")
        for number in range(1, 7):
            self.job(f"upload {number}", private, running, f"upload {number}", status="running")

        for name in ("internal", "public"):
            path = self.project(name, name)
            self.job(name, path, self.pipeline(path, "main"), "build", mark(name))

        doomed = self.project("doomed", "private")
        self.job("doomed older", doomed, self.pipeline(doomed, "main"), "build", mark("doomed 1"))
        self.job("doomed latest", doomed, self.pipeline(doomed, "main"), "build", mark("doomed 2"))

        foreign, theirs = self.client + "-elsewhere", self.ingest_elsewhere
        path = self.project("foreign", "private", group=foreign, ingest=theirs)
        self.job("foreign running", path, self.pipeline(path, "main", "running", ingest=theirs),
                 "deploy", status="running", ingest=theirs)

    def plan(self, url):
        """What a client's test program is told; JSON."""
        return {
            "client": self.client,
            "url": url,
            "projects": self.projects,
            "tokens": self.tokens,
            "jobs": self.jobs,
            "refs": self.refs,
            "files": self.files,
        }
