# ruby-gitlab: every call it has for job artifacts. It puts refs and paths into the URL as they are,
# so its callers escape them; its answers to a download are the bytes, unless a charset is named.

require 'digest'
require 'erb'
require 'gitlab'
require 'json'

PLAN = JSON.parse(File.read(ENV.fetch('ENTRYWAY_CLIENT_PLAN')))
JOBS, FILES, TOKENS = PLAN.values_at('jobs', 'files', 'tokens')
PRIVATE = PLAN['projects']['private']

$stdout.sync = true

def check(what)
  yield
  puts "ok\t#{what}"
rescue StandardError => e
  puts "FAIL\t#{what}\t#{"#{e.class}: #{e.message}".gsub(/\s+/, ' ')[0, 400]}"
end

def client(token)
  Gitlab.client(endpoint: "#{PLAN['url']}/api/v4", private_token: token,
                httparty: { timeout: 60 })
end

def bytes(answer)
  return answer.b if answer.is_a?(String)

  answer.to_h[:data].string
end

def same(answer, expected)
  content = bytes(answer)
  return if Digest::SHA256.hexdigest(content) == expected['sha256']

  raise "#{content.bytesize} bytes that begin with #{content[0, 60].inspect}"
end

def refused(kind, message)
  yield
rescue Gitlab::Error::ResponseError => e
  raise "#{e.class}: #{e.message}" unless e.instance_of?(kind) && e.message.include?(message)
else
  raise "no #{kind}"
end

# Slashes stay, as callers of this client write them.
def escaped(path)
  path.split('/').map { |segment| ERB::Util.url_encode(segment) }.join('/')
end

def id(key)
  JOBS[key]['id']
end

reporter = client(TOKENS['reporter'])
developer = client(TOKENS['developer'])
maintainer = client(TOKENS['maintainer'])
path = PRIVATE['path']

check('job_artifacts') { same(reporter.job_artifacts(path, id('build')), JOBS['build']) }
check('job_artifacts of a project by number') do
  same(reporter.job_artifacts(PRIVATE['id'], id('build')), JOBS['build'])
end
PLAN['refs'].each do |row|
  check("job_artifacts_download #{row['ref'].encode('US-ASCII', undef: :replace)} #{row['job']}") do
    same(reporter.job_artifacts_download(path, escaped(row['ref']), row['job']), JOBS[row['key']])
  end
end

# The client reads an answer with a charset as JSON, whatever it is: text comes as a parse error
# (GitLab's own answers do that too), so the bytes are compared for the others only.
(FILES.keys - ['notes.txt']).each do |name|
  next if name.match?(/\.(txt|html|json|svg|xml)\z/)

  check("download_job_artifact_file #{name}") do
    same(reporter.download_job_artifact_file(path, id('build'), escaped(name)), FILES[name])
  end
  check("download_branch_artifact_file #{name}") do
    same(reporter.download_branch_artifact_file(path, 'main', escaped(name), 'build'), FILES[name])
  end
end
check('download_job_artifact_file names the file') do
  answer = reporter.download_job_artifact_file(path, id('build'), 'pixel.png')
  raise answer.filename unless answer.filename.start_with?('pixel.png')
end
check('download_tag_artifact_file, a ref with a space') do
  row = PLAN['refs'].find { |one| one['ref'] == 'feature/x y' }
  begin
    reporter.download_tag_artifact_file(path, escaped(row['ref']), 'ref.txt', 'build')
  rescue Gitlab::Error::Parsing
    # Text by ref has a charset: the answer was 200, and the client wanted JSON.
  end
end

check('an unknown token is 401') do
  refused(Gitlab::Error::Unauthorized, '401 Unauthorized') do
    client(TOKENS['unknown']).job_artifacts(path, id('build'))
  end
end
check('an unknown short token, sent as PRIVATE-TOKEN, is 401') do
  refused(Gitlab::Error::Unauthorized, '401 Unauthorized') do
    client('short').job_artifacts(path, id('build'))
  end
end
check('a guest is 403') do
  refused(Gitlab::Error::Forbidden, '403 Forbidden') do
    client(TOKENS['guest']).job_artifacts(path, id('build'))
  end
end
check('an outsider does not see a private project') do
  refused(Gitlab::Error::NotFound, '404 Project Not Found') do
    client(TOKENS['outsider']).job_artifacts(path, id('build'))
  end
end
check('a file that is not there is 404') do
  refused(Gitlab::Error::NotFound, '404 File Not Found') do
    reporter.download_job_artifact_file(path, id('build'), 'no/such.bin')
  end
end
check('a ref without a pipeline is 404') do
  refused(Gitlab::Error::NotFound, '404 Not found') do
    reporter.job_artifacts_download(path, 'no/such', 'build')
  end
end

check('a reporter may not keep') do
  refused(Gitlab::Error::Forbidden, '403 Forbidden') do
    reporter.job_artifacts_keep(path, id('keep'))
  end
end
check('job_artifacts_keep') do
  job = developer.job_artifacts_keep(path, id('keep'))
  got = [job.id, job.name, job.stage, job.status, job.artifacts_expire_at, job.artifacts_file.size]
  wanted = [id('keep'), 'keep me', 'test', 'success', nil, JOBS['keep']['size']]
  raise "#{got}, not #{wanted}" unless got == wanted
end
check('a developer may not delete') do
  refused(Gitlab::Error::Forbidden, '403 Forbidden') do
    developer.job_artifacts_delete(path, id('delete 1'))
  end
end
check('job_artifacts_delete') do
  maintainer.job_artifacts_delete(path, id('delete 1'))
  refused(Gitlab::Error::NotFound, '404 Not Found') do
    maintainer.job_artifacts(path, id('delete 1'))
  end
end
check('the others are not deleted') do
  same(reporter.job_artifacts(path, id('delete 2')), JOBS['delete 2'])
end
