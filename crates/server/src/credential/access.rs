use std::sync::Arc;

use super::{Role, Scope};
use crate::catalog::{ArtifactsAccess, Project, RunningJob, Token, Visibility};

/// Who asks, with a credential that is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Whoever presented none.
    Anonymous,
    /// The owner of a token.
    Token(Arc<Token>),
    /// A job that runs now.
    Job(Arc<RunningJob>),
}

/// What a caller gets to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They may.
    Granted,
    /// For them there is no such project: 404.
    NotVisible,
    /// They see the project and lack the right: 403.
    Forbidden,
    /// The token is not for this kind of use: 403 with `insufficient_scope`.
    InsufficientScope,
}

impl Caller {
    /// The role that a token has on a project.
    fn role_on(&self, project: &Project) -> Option<Role> {
        match self {
            Self::Token(token) => token.role_on(&project.path),
            Self::Anonymous | Self::Job(_) => None,
        }
    }

    /// Whether a token's project is the one asked for, or one that this one lets in.
    fn job_belongs(&self, project: &Project) -> bool {
        match self {
            Self::Job(job) => {
                job.project_id == project.id || project.allows_jobs_of(&job.project_path)
            }
            Self::Anonymous | Self::Token(_) => false,
        }
    }

    fn sees(&self, project: &Project) -> bool {
        let is_known = !matches!(self, Self::Anonymous);
        match project.visibility {
            Visibility::Public => true,
            Visibility::Internal => is_known,
            // A job learns that a project keeps it out, as GitLab tells it: whoever sets up a
            // pipeline has to know why it fails.
            Visibility::Private => self.role_on(project).is_some() || matches!(self, Self::Job(_)),
        }
    }
}

/// Whether a caller may read a project's pipelines and so its artifacts.
///
/// | caller | public | internal | private |
/// |---|---|---|---|
/// | anonymous | where pipelines are public | not visible | not visible |
/// | a token for other projects | where pipelines are public | as public | not visible |
/// | guest | where pipelines are public | the same | the same |
/// | reporter and up | yes | yes | yes |
/// | a job of the project, or of one that it lets in | yes | yes | yes |
/// | a job of another project | where pipelines are public | forbidden | forbidden |
pub fn read_access(caller: &Caller, project: &Project) -> Access {
    if !caller.sees(project) {
        return Access::NotVisible;
    }
    let granted = match caller {
        Caller::Anonymous => project.public_pipelines,
        Caller::Token(token) if !token.scopes.may_read() => return Access::InsufficientScope,
        Caller::Token(_) => {
            project.public_pipelines || caller.role_on(project) >= Some(Role::Reporter)
        }
        Caller::Job(_) => {
            caller.job_belongs(project)
                || (project.visibility == Visibility::Public && project.public_pipelines)
        }
    };
    if granted { Access::Granted } else { Access::Forbidden }
}

/// Whether a caller who may read the project's pipelines may download the artifacts of a job.
///
/// A job that belongs to the project is let in as a developer is: somebody who may push to it made
/// it run.
pub fn artifacts_access(caller: &Caller, project: &Project, access: ArtifactsAccess) -> Access {
    let role = match caller {
        Caller::Job(_) if caller.job_belongs(project) => Some(Role::Developer),
        caller => caller.role_on(project),
    };
    let granted = match access {
        ArtifactsAccess::All => true,
        ArtifactsAccess::Developer => role >= Some(Role::Developer),
        ArtifactsAccess::Maintainer => role >= Some(Role::Maintainer),
        ArtifactsAccess::None => false,
    };
    if granted { Access::Granted } else { Access::Forbidden }
}

/// Whether a caller may change a project's artifacts, with this role or a higher one.
pub fn change_access(caller: &Caller, project: &Project, least: Role) -> Access {
    if !caller.sees(project) {
        return Access::NotVisible;
    }
    match caller {
        Caller::Token(token) if !token.scopes.contains(Scope::Api) => Access::InsufficientScope,
        Caller::Token(_) if caller.role_on(project) >= Some(least) => Access::Granted,
        Caller::Token(_) | Caller::Anonymous | Caller::Job(_) => Access::Forbidden,
    }
}

/// Whether the owner of a token may hand in projects, pipelines, jobs and archives at this path.
/// `project` is what is there now.
pub fn ingest_access(token: &Token, path: &str, project: Option<&Project>) -> Access {
    let role = token.role_on(path);
    let is_seen =
        role.is_some() || project.is_some_and(|project| project.visibility != Visibility::Private);
    if !is_seen {
        return Access::NotVisible;
    }
    if !token.scopes.contains(Scope::Ingest) {
        return Access::InsufficientScope;
    }
    if role >= Some(Role::Maintainer) { Access::Granted } else { Access::Forbidden }
}

#[cfg(test)]
mod tests {
    use super::Access::{Forbidden as F403, Granted as Yes, InsufficientScope, NotVisible as N404};
    use super::*;
    use crate::catalog::{JobId, ProjectId, TokenId, UtcMillis};
    use crate::credential::{Scope, Scopes};

    fn token(prefix: &str, role: Role, scopes: &[Scope]) -> Token {
        Token {
            id: TokenId(1),
            name: "t".into(),
            prefix: prefix.parse().unwrap(),
            role,
            scopes: scopes.iter().copied().collect::<Scopes>(),
            created_at: UtcMillis(0),
            expires_at: None,
            revoked_at: None,
        }
    }

    fn job(project: i64, path: &str) -> Caller {
        let job =
            RunningJob { id: JobId(9), project_id: ProjectId(project), project_path: path.into() };
        Caller::Job(job.into())
    }

    fn project(visibility: Visibility, public_pipelines: bool) -> Project {
        Project {
            id: ProjectId(1),
            path: "acme/x".into(),
            visibility,
            public_pipelines,
            job_token_allowlist: ["tools/ci".into()].into(),
        }
    }

    /// The projects of the columns below: visibility, and whether pipelines are public.
    const PROJECTS: [(Visibility, bool); 6] = [
        (Visibility::Public, true),
        (Visibility::Public, false),
        (Visibility::Internal, true),
        (Visibility::Internal, false),
        (Visibility::Private, true),
        (Visibility::Private, false),
    ];

    #[test]
    fn reading_follows_visibility_role_and_scope() {
        use InsufficientScope as Scp;
        use Role::{Developer, Guest, Maintainer, Owner, Reporter};
        let api = &[Scope::Api][..];
        let read = &[Scope::ReadApi][..];
        let ingest = &[Scope::Ingest][..];
        let some = |prefix, role, scopes| Caller::Token(token(prefix, role, scopes).into());
        let both = &[Scope::Ingest, Scope::ReadApi][..];
        #[rustfmt::skip]
        let table = [
            // name, caller; public (pipelines public, not), internal (same), private (same)
            ("anonymous", Caller::Anonymous, [Yes, F403, N404, N404, N404, N404]),
            ("another group", some("other", Owner, api), [Yes, F403, Yes, F403, N404, N404]),
            ("the same start", some("acm", Owner, api), [Yes, F403, Yes, F403, N404, N404]),
            ("a longer name", some("acme/xy", Owner, api), [Yes, F403, Yes, F403, N404, N404]),
            ("a project below", some("acme/x/y", Owner, api), [Yes, F403, Yes, F403, N404, N404]),
            ("guest", some("acme/x", Guest, api), [Yes, F403, Yes, F403, Yes, F403]),
            ("guest of the group", some("acme", Guest, api), [Yes, F403, Yes, F403, Yes, F403]),
            ("reporter", some("acme/x", Reporter, api), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("reporter of the group", some("acme", Reporter, api), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("reporter who reads", some("acme", Reporter, read), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("developer", some("acme", Developer, read), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("maintainer", some("acme", Maintainer, read), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("owner", some("acme", Owner, read), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("owner who hands in", some("acme", Owner, ingest), [Scp, Scp, Scp, Scp, Scp, Scp]),
            ("no scope at all", some("acme", Owner, &[]), [Scp, Scp, Scp, Scp, Scp, Scp]),
            ("stranger, hands in", some("other", Owner, ingest), [Scp, Scp, Scp, Scp, N404, N404]),
            ("both scopes", some("acme", Reporter, both), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("a job of its own", job(1, "acme/x"), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("a job that it lets in", job(2, "tools/ci"), [Yes, Yes, Yes, Yes, Yes, Yes]),
            ("a job of another", job(3, "acme/y"), [Yes, F403, F403, F403, F403, F403]),
        ];
        for (name, caller, expected) in table {
            for ((visibility, public_pipelines), expected) in PROJECTS.into_iter().zip(expected) {
                let project = project(visibility, public_pipelines);
                assert_eq!(
                    read_access(&caller, &project),
                    expected,
                    "{name}, {visibility}, public_pipelines {public_pipelines}"
                );
            }
        }
    }

    #[test]
    fn artifacts_follow_their_jobs_access() {
        use ArtifactsAccess::{All, Developer, Maintainer, None as Nobody};
        let api = &[Scope::Api][..];
        let some = |prefix, role| Caller::Token(token(prefix, role, api).into());
        #[rustfmt::skip]
        let table = [
            // name              caller                            all  developer maintainer none
            ("anonymous",        Caller::Anonymous,                [Yes, F403, F403, F403]),
            ("another group",    some("other", Role::Owner),       [Yes, F403, F403, F403]),
            ("guest",            some("acme", Role::Guest),        [Yes, F403, F403, F403]),
            ("reporter",         some("acme", Role::Reporter),     [Yes, F403, F403, F403]),
            ("developer",        some("acme", Role::Developer),    [Yes, Yes, F403, F403]),
            ("maintainer",       some("acme/x", Role::Maintainer), [Yes, Yes, Yes, F403]),
            ("owner",            some("acme", Role::Owner),        [Yes, Yes, Yes, F403]),
            ("a job of its own", job(1, "acme/x"),                 [Yes, Yes, F403, F403]),
            ("a job let in",     job(2, "tools/ci"),               [Yes, Yes, F403, F403]),
            ("another job",      job(3, "acme/y"),                 [Yes, F403, F403, F403]),
        ];
        let project = project(Visibility::Public, true);
        for (name, caller, expected) in table {
            for (access, expected) in [All, Developer, Maintainer, Nobody].into_iter().zip(expected)
            {
                assert_eq!(
                    artifacts_access(&caller, &project, access),
                    expected,
                    "{name}, {access}"
                );
            }
        }
    }

    #[test]
    fn changes_take_the_whole_scope_and_a_role() {
        use InsufficientScope as Scp;
        use Role::{Developer, Guest, Maintainer, Owner, Reporter};
        let api = &[Scope::Api][..];
        let some = |prefix, role, scopes| Caller::Token(token(prefix, role, scopes).into());
        #[rustfmt::skip]
        let table = [
            // name, caller; as a developer and as a maintainer on: public, private
            ("anonymous", Caller::Anonymous, [F403, F403, N404, N404]),
            ("another group", some("other", Owner, api), [F403, F403, N404, N404]),
            ("guest", some("acme", Guest, api), [F403, F403, F403, F403]),
            ("reporter", some("acme", Reporter, api), [F403, F403, F403, F403]),
            ("developer", some("acme", Developer, api), [Yes, F403, Yes, F403]),
            ("maintainer", some("acme", Maintainer, api), [Yes, Yes, Yes, Yes]),
            ("owner", some("acme/x", Owner, api), [Yes, Yes, Yes, Yes]),
            ("owner who reads", some("acme", Owner, &[Scope::ReadApi]), [Scp, Scp, Scp, Scp]),
            ("owner who hands in", some("acme", Owner, &[Scope::Ingest]), [Scp, Scp, Scp, Scp]),
            ("a job of its own", job(1, "acme/x"), [F403, F403, F403, F403]),
            ("a job of another", job(3, "acme/y"), [F403, F403, F403, F403]),
        ];
        for (name, caller, expected) in table {
            let cells = [Visibility::Public, Visibility::Private].into_iter().flat_map(|seen_by| {
                [Developer, Maintainer].map(|least| (project(seen_by, true), least))
            });
            for ((project, least), expected) in cells.zip(expected) {
                let access = change_access(&caller, &project, least);
                assert_eq!(access, expected, "{name}, {}, {least}", project.visibility);
            }
        }
    }

    #[test]
    fn handing_in_takes_the_scope_and_a_maintainer() {
        use InsufficientScope as Scp;
        let ingest = &[Scope::Ingest][..];
        #[rustfmt::skip]
        let table = [
            // name, token; on a path where is: nothing, a public project, a private one
            ("maintainer", token("acme", Role::Maintainer, ingest), [Yes, Yes, Yes]),
            ("owner of it alone", token("acme/x", Role::Owner, ingest), [Yes, Yes, Yes]),
            ("developer", token("acme", Role::Developer, ingest), [F403, F403, F403]),
            ("without the scope", token("acme", Role::Owner, &[Scope::Api]), [Scp, Scp, Scp]),
            ("of another group", token("acm", Role::Owner, ingest), [N404, F403, N404]),
            ("of another, no scope", token("x", Role::Owner, &[Scope::Api]), [N404, Scp, N404]),
        ];
        for (name, token, expected) in table {
            let there = [
                None,
                Some(project(Visibility::Public, true)),
                Some(project(Visibility::Private, true)),
            ];
            for (project, expected) in there.iter().zip(expected) {
                let access = ingest_access(&token, "acme/x", project.as_ref());
                assert_eq!(access, expected, "{name}, {project:?}");
            }
        }
    }
}
