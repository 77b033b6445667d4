"""The endpoints gitlab-art needs to find a job and Entryway does not serve: a project, its
pipelines, and a pipeline's jobs. They tell what was announced to the server, and look at no token:
whether one is good, the server says, where everything about artifacts goes."""

import json
import re
from urllib.parse import parse_qs, unquote

from relay import answer

PROJECT = re.compile(r"^/api/v4/projects/([^/]+)(/pipelines(?:/(\d+)/jobs)?)?$")


class ListEndpoints:
    def __init__(self, world):
        self.world = world

    def knows(self, request):
        path = request.target.split("?")[0]
        return request.method == "GET" and PROJECT.search(path) is not None

    def reply(self, request):
        path, _, query = request.target.partition("?")
        name, lists, pipeline = PROJECT.search(path).groups()
        query = parse_qs(query)
        project = next((project for project in self.world.projects.values()
                        if unquote(name) in (project["path"], str(project["id"]))), None)
        if project is None:
            return answer("404 Not Found", b'{"message":"404 Project Not Found"}')
        if pipeline is not None:
            found = self._jobs(project, int(pipeline), query)
        elif lists is not None:
            found = self._pipelines(project, query)
        else:
            found = {"id": project["id"], "path_with_namespace": project["path"]}
        return answer("200 OK", json.dumps(found).encode())

    def _pipelines(self, project, query):
        """Those of a ref, if one is given; by number, the newest first unless `sort` is `asc`."""
        refs = query.get("ref")
        found = [pipeline | {"project_id": project["id"]} for pipeline in self.world.pipelines
                 if pipeline["project"] == project["path"]
                 and (refs is None or pipeline["ref"] in refs)]
        newest_first = query.get("sort") != ["asc"]
        return sorted(found, key=lambda pipeline: pipeline["id"], reverse=newest_first)

    def _jobs(self, project, pipeline, query):
        """Those of the states in `scope`, if any are given; the newest first."""
        states = query.get("scope[]")
        ours = any(known["id"] == pipeline and known["project"] == project["path"]
                   for known in self.world.pipelines)
        found = [
            {"id": job["id"], "name": job["name"], "status": job["status"],
             "artifacts": [{"file_type": "archive", "file_format": "zip",
                            "filename": "artifacts.zip", "size": job["size"]}]
             if "size" in job else []}
            for job in self.world.jobs.values()
            if ours and job["pipeline"] == pipeline and (states is None or job["status"] in states)
        ]
        return sorted(found, key=lambda job: job["id"], reverse=True)
