"""Makes schemathesis ask for what exists, most of the time: generated ids alone would all be 404.

Every request gets a token: nearly always one that may do what is asked, else a weaker one or none.
Loaded by schemathesis through SCHEMATHESIS_HOOKS. The choice depends on the generated request
alone, so that a run can be had again.
"""

import json
import os
import zlib

import schemathesis

with open(os.environ["ENTRYWAY_CLIENT_PLAN"], encoding="utf-8") as _file:
    PLAN = json.load(_file)

PROJECTS, JOBS, TOKENS = PLAN["projects"], PLAN["jobs"], PLAN["tokens"]
# What a DELETE may take; the rest is to last for the whole run.
EXPENDABLE = [JOBS[key]["id"] for key in ("delete 1", "delete 2", "delete 3", "bare")]
READABLE = [JOBS[key]["id"] for key in ("build", "keep", "older", "bare", "running")]
RUNNING = [JOBS[f"upload {number}"] for number in range(1, 7)]


def known(name, deleting):
    """Values that exist for a path parameter of this name; none where there is no such thing."""
    if name == "id":
        project = PROJECTS["doomed" if deleting == "project" else "private"]
        return [project["path"], str(project["id"])]
    if name == "job_id":
        return EXPENDABLE if deleting else READABLE
    if name == "ref_name":
        return [row["ref"] for row in PLAN["refs"]]
    if name in ("artifact_path", "path"):
        return list(PLAN["files"]) + ["dist", "a/b"]
    if name == "pipeline_id":
        return [JOBS["build"]["pipeline"], JOBS["running"]["pipeline"]]
    return []


@schemathesis.hook
def before_call(context, case, kwargs):
    """Puts known values and a token into three of four requests."""
    chance = zlib.crc32(repr((case.method, case.path, case.path_parameters, case.query,
                              case.body)).encode("utf-8", "surrogatepass"))
    deleting = None
    if case.method.upper() == "DELETE":
        deleting = "job" if "job_id" in (case.path_parameters or {}) else "project"
    if chance % 4:
        for name in list(case.path_parameters or {}):
            values = known(name, deleting)
            if values:
                case.path_parameters[name] = values[chance // 4 % len(values)]
        if isinstance(case.query, dict) and "job" in case.query:
            case.query["job"] = "build"
    if case.headers is None:
        case.headers = {}
    for name in [name for name in case.headers
                 if name.lower() in ("private-token", "job-token", "authorization")]:
        del case.headers[name]
    ingest = case.path.startswith(("/ingest/", "/hooks/"))
    upload = case.path.startswith("/api/v4/jobs/")
    if upload and chance % 4:
        job = RUNNING[chance // 4 % len(RUNNING)]
        case.path_parameters["job_id"] = job["id"]
        case.headers["JOB-TOKEN"] = job["token"]
    elif chance % 16 == 1:
        case.headers["PRIVATE-TOKEN"] = TOKENS["guest"]
    elif chance % 16 != 2:
        role = "ingest" if ingest or upload else "maintainer"
        field = "X-Gitlab-Token" if case.path.startswith("/hooks/") else "PRIVATE-TOKEN"
        case.headers[field] = TOKENS[role]
