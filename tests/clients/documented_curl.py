"""curl, as GitLab's documentation of the Job Artifacts API calls it, and the upload of a runner."""

import json
import os
import subprocess

import archives
from report import check, equal, plan, same

PLAN = plan()
API, JOBS, FILES, TOKENS = PLAN["url"] + "/api/v4", PLAN["jobs"], PLAN["files"], PLAN["tokens"]
PROJECTS = PLAN["projects"]
PRIVATE = f"{API}/projects/{PROJECTS['private']['escaped']}"
RUNNING = JOBS["running"]["token"]


def curl(*arguments):
    """Runs curl in a new folder: status, and the files it left."""
    folder = os.path.abspath(f"curl-{curl.calls}")
    curl.calls += 1
    os.makedirs(folder)
    ran = subprocess.run(
        ["curl", "--disable", "--silent", "--show-error", "--max-time", "60", "--write-out",
         "%{stderr}%{http_code}", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=False, cwd=folder,
    )
    if ran.returncode != 0:
        raise AssertionError(f"exit {ran.returncode}: {ran.stderr!r}")
    left = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            left[name] = file.read()
    return int(ran.stderr.split()[-1]), ran.stdout, left


curl.calls = 0


def private_token(role):
    return ["--header", f"PRIVATE-TOKEN: {TOKENS[role]}"]


JOB_TOKEN = ["--header", f"JOB-TOKEN: {RUNNING}"]


def downloads(expected, *arguments):
    """--output names a file, and the file is the expected one."""
    status, _, left = curl("--location", "--output", "artifacts.zip", *arguments)
    equal(status, 200)
    same(left["artifacts.zip"], expected)


def answers(expected_status, message, *arguments):
    status, body, _ = curl(*arguments)
    equal((status, message if message.encode() in body else body[:200]),
          (expected_status, message))


def by_job(key, suffix=""):
    return f"{PRIVATE}/jobs/{JOBS[key]['id']}/artifacts{suffix}"


BUILD = JOBS["build"]

# --- download by job ---
check("the archive by job", lambda: downloads(BUILD, "--request", "GET",
                                              *private_token("reporter"), by_job("build")))
check("the archive by job with JOB-TOKEN", lambda: downloads(BUILD, *JOB_TOKEN, by_job("build")))
check("the archive by job with job_token=", lambda: downloads(
    BUILD, by_job("build", f"?job_token={RUNNING}")))
check("job_token= as a form on GET", lambda: downloads(
    BUILD, "--get", "--data-urlencode", f"job_token={RUNNING}", by_job("build")))
check("the archive by job with private_token=", lambda: downloads(
    BUILD, by_job("build", f"?private_token={TOKENS['reporter']}")))
check("the archive by job with Bearer", lambda: downloads(
    BUILD, "--header", f"Authorization: Bearer {TOKENS['reporter']}", by_job("build")))
check("the archive of a project by number", lambda: downloads(
    BUILD, *private_token("reporter"),
    f"{API}/projects/{PROJECTS['private']['id']}/jobs/{BUILD['id']}/artifacts"))
check("the archive of a public project without a token", lambda: downloads(
    JOBS["public"],
    f"{API}/projects/{PROJECTS['public']['escaped']}/jobs/{JOBS['public']['id']}/artifacts"))


def resumed():
    """--continue-at sends a Range, and the whole is the archive."""
    folder = os.path.abspath("curl-resumed")
    os.makedirs(folder)
    path = os.path.join(folder, "artifacts.zip")
    for more in (["--range", "0-99999"], ["--continue-at", "-"]):
        ran = subprocess.run(
            ["curl", "--disable", "--silent", "--fail", "--max-time", "60", *more, "--output",
             path, *private_token("reporter"), by_job("build")],
            capture_output=True, timeout=90, check=False,
        )
        equal(ran.returncode, 0, more[0])
    with open(path, "rb") as file:
        same(file.read(), BUILD)


check("a resumed download", resumed)

# --- download by ref ---
def by_ref(ref, rest):
    return f"{PRIVATE}/jobs/artifacts/{ref}/{rest}"


ESCAPED_REFS = {
    "main": ["main"],
    "feature/x y": ["feature/x%20y", "feature%2Fx%20y", "feature%2fx%20y"],
    "release/1.0+rc#1": ["release/1.0+rc%231", "release%2F1.0%2Brc%231"],
    "umlaut-\u00e4": ["umlaut-%C3%A4", "umlaut-%c3%a4"],
}
ESCAPED_JOBS = {"build": ["build"], "build job": ["build%20job", "build+job"],
                "test 1/2": ["test%201/2", "test+1%2F2"]}
for row in PLAN["refs"]:
    for ref in ESCAPED_REFS[row["ref"]]:
        for job in ESCAPED_JOBS[row["job"]]:
            check(f"the archive by ref {ref}?job={job}", lambda row=row, ref=ref, job=job:
                  downloads(JOBS[row["key"]], *private_token("reporter"),
                            by_ref(ref, f"download?job={job}")))
check("the archive by ref with JOB-TOKEN", lambda: downloads(
    BUILD, *JOB_TOKEN, by_ref("main", "download?job=build")))
check("the archive by ref with job_token= behind job=", lambda: downloads(
    BUILD, by_ref("main", f"download?job=build&job_token={RUNNING}")))
check("search_recent_successful_pipelines", lambda: downloads(
    BUILD, *private_token("reporter"),
    by_ref("main", "download?job=build&search_recent_successful_pipelines=true")))

# --- one file ---
for name, escaped in (
    ("notes.txt", "notes.txt"), ("dist/out file.txt", "dist/out%20file.txt"),
    ("dist/out file.txt", "dist%2Fout%20file.txt"), ("dist/a+b.txt", "dist/a+b.txt"),
    ("dist/a+b.txt", "dist/a%2Bb.txt"), ("dist/c#1.txt", "dist/c%231.txt"),
    ("dist/100%.txt", "dist/100%25.txt"), ("dist/%41.txt", "dist/%2541.txt"),
    ("dist/q?.txt", "dist/q%3F.txt"), ("dist/r&d=1.txt", "dist/r&d=1.txt"),
    ("dist/r&d=1.txt", "dist/r%26d%3D1.txt"), ("p\u00e4th/\u00f6\u4e16.txt",
                                               "p%C3%A4th/%C3%B6%E4%B8%96.txt"),
    ("a/b/c/d/deep.txt", "a//b/c///d/deep.txt"), ("empty.txt", "empty.txt"),
    ("big.bin", "big.bin"), ("random.bin", "random.bin"), ("logo.svg", "logo.svg"),
):
    check(f"one file by job, {escaped}", lambda name=name, escaped=escaped: downloads(
        FILES[name], *private_token("reporter"), by_job("build", f"/{escaped}")))
    check(f"one file by ref, {escaped}", lambda name=name, escaped=escaped: downloads(
        FILES[name], *private_token("reporter"), by_ref("main", f"raw/{escaped}?job=build")))
for name in ("big.bin", "notes.txt", "random.bin"):
    check(f"--compressed, {name}", lambda name=name: downloads(
        FILES[name], "--compressed", *private_token("reporter"), by_job("build", f"/{name}")))
check("one file with job_token=", lambda: downloads(
    FILES["notes.txt"], by_job("build", f"/notes.txt?job_token={RUNNING}")))


def named(target, expected):
    """--remote-header-name takes the name from Content-Disposition."""
    status, _, left = curl("--remote-name", "--remote-header-name", *private_token("reporter"),
                           target)
    equal((status, list(left)), (200, [expected]))


check("the archive's name", lambda: named(by_job("build"), "artifacts.zip"))
check("a file's name", lambda: named(by_ref("main", "raw/dist/out%20file.txt?job=build"),
                                     "out file.txt"))


def head():
    status, out, _ = curl("--head", *private_token("reporter"), by_job("build"))
    fields = dict(
        line.lower().split(": ", 1) for line in out.decode().splitlines()[1:] if ": " in line
    )
    equal((status, fields["content-length"]), (200, str(BUILD["size"])))


check("--head", head)

# --- what is refused ---
check("no job is 400", lambda: answers(
    400, "job is missing", *private_token("reporter"), by_ref("main", "download")))
check("an unknown token is 401", lambda: answers(
    401, "401 Unauthorized", *private_token("unknown"), by_job("build")))
check("an unknown job token is 401", lambda: answers(
    401, "401 Unauthorized", by_job("build", f"?job_token={TOKENS['unknown']}")))
check("a job token of a project that is not allowed is 403", lambda: answers(
    403, "403 Forbidden", "--header", f"JOB-TOKEN: {JOBS['foreign running']['token']}",
    by_job("build")))
check("a guest is 403", lambda: answers(
    403, "403 Forbidden", *private_token("guest"), by_job("build")))
check("no token on a private project is 404", lambda: answers(
    404, "404 Project Not Found", by_job("build")))
check("a project that is not there is 404", lambda: answers(
    404, "404 Project Not Found", *private_token("reporter"),
    f"{API}/projects/no%2Fsuch/jobs/1/artifacts"))
check("no such file is 404", lambda: answers(
    404, "404 File Not Found", *private_token("reporter"), by_job("build", "/no/such.txt")))
check("a path with dots is 400", lambda: answers(
    400, "400 Bad request", "--path-as-is", *private_token("reporter"),
    by_job("build", "/dist/%2E%2E/notes.txt")))

# --- the runner's upload, by form ---
with open("upload.zip", "wb") as file:
    file.write(archives.small("handed in by curl"))
with open("noise.zip", "wb") as file:
    file.write(archives.noise(5000))
UPLOAD = os.path.abspath("upload.zip")
HANDED_IN = archives.sha256(archives.small("handed in by curl"))


def upload(key, path, *more, token=None):
    return curl("--request", "POST", "--header", f"JOB-TOKEN: {token or JOBS[key]['token']}",
                "--form", f"file=@{path}", *more, f"{API}/jobs/{JOBS[key]['id']}/artifacts")


def uploads(key, *more):
    status, body, _ = upload(key, UPLOAD, *more)
    equal((status, b"" if status == 201 else body), (201, b""))
    downloads(HANDED_IN, *private_token("reporter"), by_job(key))


check("--form file=@", lambda: uploads("upload 1"))
check("the same file again", lambda: uploads("upload 1"))
check("--form file=@ and expire_in", lambda: uploads("upload 2", "--form", "expire_in=1 week"))
check("the fields before the file", lambda: uploads(
    "upload 3", "--form", "artifact_type=archive", "--form", "artifact_format=zip"))
check("in chunks", lambda: uploads("upload 4", "--header", "Transfer-Encoding: chunked"))


def refused_upload(expected, key, path, token=None):
    status, body, _ = upload(key, path, token=token)
    equal((status, body[:200] if status != expected else b""), (expected, b""))


check("another archive is 400", lambda: (
    refused_upload(400, "upload 1", os.path.abspath("noise.zip")),
    downloads(HANDED_IN, *private_token("reporter"), by_job("upload 1"))))
check("what is no archive is 400", lambda: refused_upload(400, "upload 5",
                                                          os.path.abspath("noise.zip")))
check("the token of another job is 403", lambda: refused_upload(
    403, "upload 5", UPLOAD, token=JOBS["upload 6"]["token"]))
check("an unknown job token on an upload is 403", lambda: refused_upload(
    403, "upload 5", UPLOAD, token=TOKENS["unknown"]))
check("after a refusal the right file is taken", lambda: uploads("upload 5"))

# --- keep and delete ---


def keep():
    status, body, _ = curl("--request", "POST", *private_token("developer"),
                           by_job("keep", "/keep"))
    equal(status, 200)
    job = json.loads(body)
    equal((job["id"], job["artifacts_expire_at"]), (JOBS["keep"]["id"], None))


check("keep", keep)
check("a reporter may not keep", lambda: answers(
    403, "403 Forbidden", "--request", "POST", *private_token("reporter"),
    by_job("keep", "/keep")))
check("keep without a token is 401", lambda: answers(
    401, "401 Unauthorized", "--request", "POST", by_job("keep", "/keep")))
check("a developer may not delete", lambda: answers(
    403, "403 Forbidden", "--request", "DELETE", *private_token("developer"),
    by_job("delete 1")))
check("delete", lambda: answers(204, "", "--request", "DELETE", *private_token("maintainer"),
                                by_job("delete 1")))
check("what is deleted is 404", lambda: answers(
    404, "404 Not Found", *private_token("maintainer"), by_job("delete 1")))
DOOMED = f"{API}/projects/{PROJECTS['doomed']['escaped']}"
check("delete a project's artifacts", lambda: answers(
    202, "202 Accepted", "--request", "DELETE", *private_token("maintainer"),
    f"{DOOMED}/artifacts"))
check("what was not the latest is gone", lambda: answers(
    404, "404 Not Found", *private_token("maintainer"),
    f"{DOOMED}/jobs/{JOBS['doomed older']['id']}/artifacts"))
check("the latest is spared", lambda: downloads(
    JOBS["doomed latest"], *private_token("reporter"),
    f"{DOOMED}/jobs/artifacts/main/download?job=build"))
