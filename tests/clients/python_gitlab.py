"""python-gitlab: every call it has for job artifacts, with its three kinds of token."""

import gitlab

from report import check, equal, plan, same

PLAN = plan()
URL, JOBS, FILES, TOKENS = PLAN["url"], PLAN["jobs"], PLAN["files"], PLAN["tokens"]
PRIVATE = PLAN["projects"]["private"]


def project(name="private", key="path", **credential):
    """A project that is not asked for, as the server has no such endpoint."""
    api = gitlab.Gitlab(URL, timeout=60, **credential)
    return api.projects.get(PLAN["projects"][name][key], lazy=True)


def job(key, name="private", **credential):
    return project(name, **credential).jobs.get(JOBS[key]["id"], lazy=True)


def chunks(function, *arguments, **more):
    """What a streamed download hands to its action, chunk by chunk."""
    taken = bytearray()
    equal(function(*arguments, streamed=True, action=taken.extend, **more), None)
    return bytes(taken)


def refused(kind, code, message, function, *arguments, **more):
    try:
        function(*arguments, **more)
    except gitlab.exceptions.GitlabError as error:
        equal(type(error), kind)
        equal((error.response_code, error.error_message), (code, message))
    else:
        raise AssertionError(f"no {kind.__name__}")


reporter = {"private_token": TOKENS["reporter"]}
GetError = gitlab.exceptions.GitlabGetError
AuthenticationError = gitlab.exceptions.GitlabAuthenticationError


def escaped(name):
    """A path as the caller of this client must write it: it puts it into the URL as it is, and
    requests then escapes what cannot stand there, so that only these three need a hand."""
    return name.replace("%", "%25").replace("#", "%23").replace("?", "%3F")


# --- the archive ---
build = JOBS["build"]
check("artifacts()", lambda: same(job("build", **reporter).artifacts(), build))
check("artifacts(streamed)", lambda: same(chunks(job("build", **reporter).artifacts), build))
check("artifacts(iterator)",
      lambda: same(b"".join(job("build", **reporter).artifacts(iterator=True)), build))
check("artifacts() of a project by number", lambda: same(
    project(key="id", **reporter).jobs.get(build["id"], lazy=True).artifacts(), build))
check("artifacts() of an older job", lambda: same(job("older", **reporter).artifacts(),
                                                  JOBS["older"]))

# --- the archive of a ref ---
for row in PLAN["refs"]:
    ref, name = row["ref"], row["job"]
    check(f"download({ref!a}, {name!r})", lambda row=row: same(
        project(**reporter).artifacts.download(escaped(row["ref"]), row["job"]),
        JOBS[row["key"]]))
    check(f"raw({ref!a}, ref.txt, {name!r})", lambda row=row: equal(
        project(**reporter).artifacts.raw(escaped(row["ref"]), "ref.txt", row["job"]).decode(),
        row["marker"]))
check("download(streamed)", lambda: same(
    chunks(project(**reporter).artifacts.download, "main", "build", chunk_size=65536), build))
check("download(iterator)", lambda: same(
    b"".join(project(**reporter).artifacts.download("main", "build", iterator=True)), build))

# --- one file ---
for name, expected in FILES.items():
    check(f"artifact({name!a})", lambda name=name, expected=expected: same(
        job("build", **reporter).artifact(escaped(name)), expected))
    check(f"raw(main, {name!a})", lambda name=name, expected=expected: same(
        project(**reporter).artifacts.raw("main", escaped(name), "build"), expected))
check("artifact(streamed)", lambda: same(
    chunks(job("build", **reporter).artifact, "big.bin", chunk_size=16384), FILES["big.bin"]))
check("artifact(iterator)", lambda: same(
    b"".join(job("build", **reporter).artifact("big.bin", iterator=True)), FILES["big.bin"]))
check("raw(streamed)", lambda: same(
    chunks(project(**reporter).artifacts.raw, "main", "notes.txt", "build"), FILES["notes.txt"]))

# --- who ---
check("a Bearer token", lambda: same(
    job("build", oauth_token=TOKENS["reporter"]).artifact("pixel.png"), FILES["pixel.png"]))
check("a token that may only read", lambda: same(
    job("build", private_token=TOKENS["read_api"]).artifact("pixel.png"), FILES["pixel.png"]))
running = {"job_token": JOBS["running"]["token"]}
check("a job token reads by job", lambda: same(job("build", **running).artifacts(), build))
check("a job token reads by ref", lambda: same(
    project(**running).artifacts.raw("main", "notes.txt", "build"), FILES["notes.txt"]))
check("nobody reads a public project", lambda: same(job("public", "public").artifacts(),
                                                    JOBS["public"]))
outsider = {"private_token": TOKENS["outsider"]}
check("any token reads an internal project", lambda: same(
    job("internal", "internal", **outsider).artifacts(), JOBS["internal"]))

# --- what is refused, and how the client shows it ---
for credential in ("private_token", "oauth_token", "job_token"):
    check(f"an unknown {credential} is 401", lambda credential=credential: refused(
        AuthenticationError, 401, "401 Unauthorized",
        job("build", **{credential: TOKENS["unknown"]}).artifacts))
check("an unknown token is 401 on a public project", lambda: refused(
    AuthenticationError, 401, "401 Unauthorized",
    job("public", "public", private_token=TOKENS["unknown"]).artifacts))
check("a guest is 403", lambda: refused(
    GetError, 403, "403 Forbidden", job("build", private_token=TOKENS["guest"]).artifacts))
check("nobody does not see a private project", lambda: refused(
    GetError, 404, "404 Project Not Found", job("build").artifacts))
check("nobody does not see an internal project", lambda: refused(
    GetError, 404, "404 Project Not Found", job("internal", "internal").artifacts))
check("an outsider does not see a private project", lambda: refused(
    GetError, 404, "404 Project Not Found", job("build", **outsider).artifacts))
check("a job without an archive is 404", lambda: refused(
    GetError, 404, "404 Not Found", job("bare", **reporter).artifacts))
check("a job of another project is 404", lambda: refused(
    GetError, 404, "404 Not found", job("public", **reporter).artifacts))
check("a ref without a pipeline is 404", lambda: refused(
    GetError, 404, "404 Not found", project(**reporter).artifacts.download, "no/such", "build"))
check("a job name that no job has is 404", lambda: refused(
    GetError, 404, "404 Not found", project(**reporter).artifacts.download, "main", "no such"))
check("a file that is not there is 404", lambda: refused(
    GetError, 404, "404 File Not Found", job("build", **reporter).artifact, "no/such.txt"))
check("a folder is 404", lambda: refused(
    GetError, 404, "404 File Not Found", job("build", **reporter).artifact, "dist"))

# --- keep and delete ---
CreateError = gitlab.exceptions.GitlabCreateError
DeleteError = gitlab.exceptions.GitlabDeleteError
developer = {"private_token": TOKENS["developer"]}
maintainer = {"private_token": TOKENS["maintainer"]}
check("a reporter may not keep", lambda: refused(
    CreateError, 403, "403 Forbidden", job("keep", **reporter).keep_artifacts))
check("keep_artifacts()", lambda: equal(job("keep", **developer).keep_artifacts(), None))
check("what is kept is there", lambda: same(job("keep", **reporter).artifacts(), JOBS["keep"]))
check("a developer may not delete", lambda: refused(
    CreateError, 403, "403 Forbidden", job("delete 1", **developer).delete_artifacts))
check("delete_artifacts()", lambda: equal(job("delete 1", **maintainer).delete_artifacts(), None))
check("what is deleted is 404", lambda: refused(
    GetError, 404, "404 Not Found", job("delete 1", **reporter).artifacts))
check("the others are not deleted", lambda: same(job("delete 2", **reporter).artifacts(),
                                                 JOBS["delete 2"]))
check("a developer may not delete a project's artifacts", lambda: refused(
    DeleteError, 403, "403 Forbidden", project("doomed", **developer).artifacts.delete))
check("artifacts.delete()", lambda: equal(project("doomed", **maintainer).artifacts.delete(),
                                          None))
check("what was not the latest is gone", lambda: refused(
    GetError, 404, "404 Not Found", job("doomed older", "doomed", **reporter).artifacts))
check("the latest is spared", lambda: same(
    project("doomed", **reporter).artifacts.download("main", "build"), JOBS["doomed latest"]))
