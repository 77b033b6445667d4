# GitLab::API::v4 of Perl: its calls for job artifacts. It reads every answer as JSON, so that a
# download that is none ends in its own error although the server's answer was right; the bytes are
# then those of the response it keeps.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use GitLab::API::v4;
use JSON;

$| = 1;

my $plan = do {
    local $/;
    open my $in, '<', $ENV{ENTRYWAY_CLIENT_PLAN} or die "no plan: $!";
    JSON->new->utf8->decode(<$in>);
};
my ($jobs, $files, $tokens) = @$plan{qw(jobs files tokens)};
my $private = $plan->{projects}{private}{path};

sub check {
    my ($what, $run) = @_;
    if (eval { $run->(); 1 }) {
        print "ok\t$what\n";
    }
    else {
        my $why = $@;
        $why =~ s/\s+/ /g;
        printf "FAIL\t%s\t%.400s\n", $what, $why;
    }
}

sub client {
    my %credential = @_;
    return GitLab::API::v4->new(url => "$plan->{url}/api/v4", %credential);
}

# The last answer's status and bytes, after a call that may have failed to decode them.
sub fetched {
    my ($api, $call, @arguments) = @_;
    eval { $api->$call(@arguments) };
    my $response = $api->rest_client->http_tiny_response;
    return ($response->{status}, $response->{content});
}

sub same {
    my ($expected, $status, $content) = @_;
    die "status $status: " . substr($content, 0, 100) if $status != 200;
    return if sha256_hex($content) eq $expected->{sha256};
    die length($content) . ' bytes that begin with ' . substr($content, 0, 60);
}

sub refused {
    my ($expected, $message, $status, $content) = @_;
    die "$status $content" if $status != $expected || index($content, $message) < 0;
}

sub bytes_of {
    my ($text) = @_;
    utf8::encode($text);
    return $text;
}

my $reporter = client(private_token => $tokens->{reporter});

check('job_artifacts', sub {
    same($jobs->{build}, fetched($reporter, 'job_artifacts', $private, $jobs->{build}{id}));
});
check('job_artifacts with an access token', sub {
    my $bearer = client(access_token => $tokens->{reporter});
    same($jobs->{build}, fetched($bearer, 'job_artifacts', $private, $jobs->{build}{id}));
});
for my $row (@{ $plan->{refs} }) {
    (my $shown = "$row->{ref} $row->{job}") =~ s/[^\x20-\x7e]/?/g;
    check("job_artifacts_archive $shown", sub {
        same($jobs->{ $row->{key} }, fetched(
            $reporter, 'job_artifacts_archive', $private, bytes_of($row->{ref}),
            { job => $row->{job} },
        ));
    });
}
for my $name (sort keys %$files) {
    (my $shown = $name) =~ s/[^\x20-\x7e]/?/g;
    check("job_artifacts_file $shown", sub {
        same($files->{$name}, fetched(
            $reporter, 'job_artifacts_file', $private, $jobs->{build}{id}, bytes_of($name),
        ));
    });
}
check('job_artifacts_file of JSON is decoded', sub {
    my $got = $reporter->job_artifacts_file($private, $jobs->{build}{id}, 'meta.json');
    die 'another value' if ref $got ne 'HASH' || $got->{name} ne 'entryway';
});

check('an unknown token is 401', sub {
    my $unknown = client(private_token => $tokens->{unknown});
    refused(401, '401 Unauthorized',
        fetched($unknown, 'job_artifacts', $private, $jobs->{build}{id}));
});
check('a guest is 403', sub {
    my $guest = client(private_token => $tokens->{guest});
    refused(403, '403 Forbidden', fetched($guest, 'job_artifacts', $private, $jobs->{build}{id}));
});
check('a file that is not there is undef', sub {
    my $got = $reporter->job_artifacts_file($private, $jobs->{build}{id}, 'no/such.txt');
    die 'a value' if defined $got;
});
check('a reporter may not keep', sub {
    refused(403, '403 Forbidden',
        fetched($reporter, 'keep_job_artifacts', $private, $jobs->{keep}{id}));
});
check('keep_job_artifacts', sub {
    my $developer = client(private_token => $tokens->{developer});
    my $job = $developer->keep_job_artifacts($private, $jobs->{keep}{id});
    die "id $job->{id}" if $job->{id} != $jobs->{keep}{id};
    die 'it still expires' if defined $job->{artifacts_expire_at};
    die "name $job->{name}" if $job->{name} ne 'keep me';
});
