"""The three endpoints a GitLab runner needs and Entryway does not serve: handing out a job, its log
and its state. One job is handed out, once; everything about artifacts goes to the server."""

import json
import re

from relay import answer


class RunnerEndpoints:
    def __init__(self, job, dependency, size):
        self.job, self.dependency, self.size = job, dependency, size
        self.handed_out = False
        self.states = []

    def knows(self, request):
        return bool(
            re.search(r"^/api/v4/jobs/(request|\d+|\d+/trace)$", request.target.split("?")[0])
        )

    def reply(self, request):
        path = request.target.split("?")[0]
        if path.endswith("/trace"):
            return answer("202 Accepted", b"0")
        if not path.endswith("/request"):
            self.states.append(json.loads(request.body)["state"])
            return answer("200 OK", b"null")
        if self.handed_out:
            return answer("204 No Content")
        self.handed_out = True
        artifact = {"untracked": False, "when": "on_success", "expire_in": "1 week"}
        return answer("201 Created", json.dumps({
            "id": self.job["id"],
            "token": self.job["token"],
            "allow_git_fetch": False,
            "variables": [],
            "steps": [{"name": "script", "script": ["artifacts"], "timeout": 60,
                       "when": "on_success", "allow_failure": False}],
            # GitLab hands out the running job's own token for its dependencies.
            "dependencies": [{"id": self.dependency["id"], "name": self.dependency["name"],
                              "token": self.job["token"],
                              "artifacts_file": {"filename": "artifacts.zip",
                                                 "size": self.size}}],
            "artifacts": [
                artifact | {"name": None, "paths": ["out", "empty.txt"],
                            "artifact_type": "archive", "artifact_format": "zip"},
                artifact | {"name": "junit.xml", "paths": ["report.xml"],
                            "artifact_type": "junit", "artifact_format": "gzip"},
            ],
        }).encode())
