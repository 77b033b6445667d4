// @gitbeaker/rest: every call it has for job artifacts.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.env.ENTRYWAY_NODE_MODULES + '/');
const { Gitlab } = require('@gitbeaker/rest');

const plan = JSON.parse(readFileSync(process.env.ENTRYWAY_CLIENT_PLAN, 'utf8'));
const { jobs, files, tokens, projects, refs } = plan;
const priv = projects.private.path;

const oneLine = (text) => String(text).replace(/\s+/g, ' ').slice(0, 400);

async function check(what, run) {
  try {
    await run();
    console.log(`ok\t${what}`);
  } catch (error) {
    console.log(`FAIL\t${what}\t${oneLine(error && error.message ? error.message : error)}`);
  }
}

const client = (credential) => new Gitlab({ host: plan.url, queryTimeout: 60000, ...credential });

// The client gives text as a string, JSON as a value, everything else as a Blob.
async function bytes(body) {
  if (typeof body === 'string') return Buffer.from(body, 'utf8');
  if (body && typeof body.arrayBuffer === 'function') return Buffer.from(await body.arrayBuffer());
  throw new Error(`neither text nor a Blob: ${JSON.stringify(body)}`);
}

async function same(body, expected) {
  const content = await bytes(await body);
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (sha256 !== expected.sha256) {
    throw new Error(`${content.length} bytes that begin with ${content.subarray(0, 60)}`);
  }
}

function equal(got, expected) {
  if (JSON.stringify(got) !== JSON.stringify(expected)) {
    throw new Error(`${JSON.stringify(got)}, not ${JSON.stringify(expected)}`);
  }
}

async function refused(status, description, promise) {
  let error;
  try {
    await promise;
  } catch (thrown) {
    error = thrown;
  }
  if (!error) throw new Error('nothing was thrown');
  if (!error.cause || !error.cause.response) throw error;
  equal([error.cause.response.status, error.cause.description], [status, description]);
}

const reporter = client({ token: tokens.reporter });
const developer = client({ token: tokens.developer });
const maintainer = client({ token: tokens.maintainer });
const archive = (api, key, project = priv) =>
  api.JobArtifacts.downloadArchive(project, { jobId: jobs[key].id });
// By job the client puts the path into the URL as it is; by ref it escapes it, slashes too.
const escaped = (name) => name.replace(/[%#?]/g, encodeURIComponent);
const file = (api, name, project = priv, key = 'build') =>
  api.JobArtifacts.downloadArchive(project, { jobId: jobs[key].id, artifactPath: escaped(name) });

// The archive, and the archive of a ref.
await check('downloadArchive({jobId})', () => same(archive(reporter, 'build'), jobs.build));
await check('downloadArchive({jobId}) of a project by number', () =>
  same(archive(reporter, 'build', projects.private.id), jobs.build));
for (const row of refs) {
  const name = `${JSON.stringify(row.ref).replace(/[^\x20-\x7e]/g, '?')}, ${row.job}`;
  await check(`downloadArchive({ref, job}) of ${name}`, () =>
    same(
      reporter.JobArtifacts.downloadArchive(priv, { ref: row.ref, job: row.job }),
      jobs[row.key],
    ));
  await check(`downloadArchive({ref, job, artifactPath}) of ${name}`, async () =>
    equal(
      await reporter.JobArtifacts.downloadArchive(priv, {
        ref: row.ref,
        job: row.job,
        artifactPath: 'ref.txt',
      }),
      row.marker,
    ));
}
await check('downloadArchive({asStream})', async () => {
  const parts = [];
  const body = await reporter.JobArtifacts.downloadArchive(priv, {
    jobId: jobs.build.id,
    asStream: true,
  });
  for await (const part of body) parts.push(part);
  await same(new Blob(parts), jobs.build);
});

// One file. JSON comes as a value; by ref it is text.
for (const [name, expected] of Object.entries(files)) {
  const shown = JSON.stringify(name).replace(/[^\x20-\x7e]/g, '?');
  await check(`a file by job: ${shown}`, async () => {
    const body = await file(reporter, name);
    if (name === 'meta.json') equal(body, { name: 'entryway', files: [1, 2, 3] });
    else await same(body, expected);
  });
  await check(`a file by ref: ${shown}`, async () => {
    const body = await reporter.JobArtifacts.downloadArchive(priv, {
      ref: 'main',
      job: 'build',
      artifactPath: name,
    });
    await same(body, expected);
  });
}

// Who.
await check('an OAuth token', () =>
  same(file(client({ oauthToken: tokens.reporter }), 'pixel.png'), files['pixel.png']));
await check('a job token', () =>
  same(file(client({ jobToken: jobs.running.token }), 'pixel.png'), files['pixel.png']));

// What is refused. A public project can be read by anybody, but not with a bad token.
await check('an unknown token is 401', () =>
  refused(401, '401 Unauthorized', archive(client({ token: tokens.unknown }), 'build')));
await check('an unknown token is 401 on a public project', () =>
  refused(
    401,
    '401 Unauthorized',
    archive(client({ token: tokens.unknown }), 'public', projects.public.path),
  ));
await check('an unknown job token is 401', () =>
  refused(401, '401 Unauthorized', archive(client({ jobToken: tokens.unknown }), 'build')));
await check('a guest is 403', () =>
  refused(403, '403 Forbidden', archive(client({ token: tokens.guest }), 'build')));
await check('an outsider does not see a private project', () =>
  refused(404, '404 Project Not Found', archive(client({ token: tokens.outsider }), 'build')));
await check('any token reads an internal project', () =>
  same(
    archive(client({ token: tokens.outsider }), 'internal', projects.internal.path),
    jobs.internal,
  ));
await check('a file that is not there is 404', () =>
  refused(404, '404 File Not Found', file(reporter, 'no/such.txt')));
await check('a ref without a pipeline is 404', () =>
  refused(
    404,
    '404 Not found',
    reporter.JobArtifacts.downloadArchive(priv, { ref: 'no/such', job: 'build' }),
  ));
await check('a job without an archive is 404', () =>
  refused(404, '404 Not Found', archive(reporter, 'bare')));

// Keep and delete. Its DELETE has a body; the request after it may use the same connection.
await check('a reporter may not keep', () =>
  refused(403, '403 Forbidden', reporter.JobArtifacts.keep(priv, jobs.keep.id)));
await check('keep()', async () => {
  const job = await developer.JobArtifacts.keep(priv, jobs.keep.id);
  equal(
    [job.id, job.name, job.stage, job.status, job.ref, job.coverage, job.duration],
    [jobs.keep.id, 'keep me', 'test', 'success', 'main', 12.5, 60],
  );
  equal(job.artifacts_expire_at, null);
  equal(job.created_at, '2026-01-01T00:00:00.000Z');
  equal(job.artifacts_file.size, jobs.keep.size);
  equal(job.pipeline.id, jobs.keep.pipeline);
  const held = job.artifacts.find((artifact) => artifact.file_type === 'archive');
  equal([held.size, held.file_format], [jobs.keep.size, 'zip']);
});
await check('a developer may not delete', () =>
  refused(
    403,
    '403 Forbidden',
    developer.JobArtifacts.remove(priv, { jobId: jobs['delete 1'].id }),
  ));
for (const key of ['delete 1', 'delete 2', 'delete 3']) {
  await check(`remove({jobId}) of ${key}`, async () => {
    await maintainer.JobArtifacts.remove(priv, { jobId: jobs[key].id });
    await refused(404, '404 Not Found', archive(maintainer, key));
  });
}
await check('a request after a DELETE with a body', () =>
  same(archive(maintainer, 'build'), jobs.build));
await check('remove() of a whole project', async () => {
  const path = projects.doomed.path;
  equal(await maintainer.JobArtifacts.remove(path), { message: '202 Accepted' });
  await refused(404, '404 Not Found', archive(maintainer, 'doomed older', path));
  await same(archive(maintainer, 'doomed latest', path), jobs['doomed latest']);
});
