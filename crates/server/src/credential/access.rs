use super::Role;
use crate::catalog::{ArtifactsAccess, Project, Token, Visibility};

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

/// Whether a caller may read a project's pipelines and so its artifacts. The token is a valid one;
/// without a token the caller is anonymous.
///
/// | caller | public | internal | private |
/// |---|---|---|---|
/// | anonymous | where pipelines are public | not visible | not visible |
/// | a token for other projects | where pipelines are public | as public | not visible |
/// | guest | where pipelines are public | the same | the same |
/// | reporter and up | yes | yes | yes |
pub fn read_access(token: Option<&Token>, project: &Project) -> Access {
    let role = token.and_then(|token| token.role_on(&project.path));
    let visible = role.is_some()
        || match project.visibility {
            Visibility::Public => true,
            Visibility::Internal => token.is_some(),
            Visibility::Private => false,
        };
    if !visible {
        return Access::NotVisible;
    }
    if token.is_some_and(|token| !token.scopes.may_read()) {
        return Access::InsufficientScope;
    }
    if project.public_pipelines || role >= Some(Role::Reporter) {
        Access::Granted
    } else {
        Access::Forbidden
    }
}

/// Whether a caller who may read the project's pipelines may download the artifacts of a job.
pub fn artifacts_access(
    token: Option<&Token>,
    project: &Project,
    access: ArtifactsAccess,
) -> Access {
    let role = token.and_then(|token| token.role_on(&project.path));
    let granted = match access {
        ArtifactsAccess::All => true,
        ArtifactsAccess::Developer => role >= Some(Role::Developer),
        ArtifactsAccess::Maintainer => role >= Some(Role::Maintainer),
        ArtifactsAccess::None => false,
    };
    if granted { Access::Granted } else { Access::Forbidden }
}

#[cfg(test)]
mod tests {
    use super::Access::{Forbidden as F403, Granted as Yes, InsufficientScope, NotVisible as N404};
    use super::*;
    use crate::catalog::{ProjectId, TokenId, UtcMillis};
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

    fn project(visibility: Visibility, public_pipelines: bool) -> Project {
        Project {
            id: ProjectId(1),
            path: "acme/x".into(),
            visibility,
            public_pipelines,
            job_token_allowlist: [].into(),
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
        let some = |prefix, role, scopes| Some(token(prefix, role, scopes));
        let both = &[Scope::Ingest, Scope::ReadApi][..];
        #[rustfmt::skip]
        let table = [
            // name, caller; public (pipelines public, not), internal (same), private (same)
            ("anonymous", None, [Yes, F403, N404, N404, N404, N404]),
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
        ];
        for (name, caller, expected) in table {
            for ((visibility, public_pipelines), expected) in PROJECTS.into_iter().zip(expected) {
                let project = project(visibility, public_pipelines);
                assert_eq!(
                    read_access(caller.as_ref(), &project),
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
        let some = |prefix, role| Some(token(prefix, role, api));
        #[rustfmt::skip]
        let table = [
            // name              caller                            all  developer maintainer none
            ("anonymous",        None,                             [Yes, F403, F403, F403]),
            ("another group",    some("other", Role::Owner),       [Yes, F403, F403, F403]),
            ("guest",            some("acme", Role::Guest),        [Yes, F403, F403, F403]),
            ("reporter",         some("acme", Role::Reporter),     [Yes, F403, F403, F403]),
            ("developer",        some("acme", Role::Developer),    [Yes, Yes, F403, F403]),
            ("maintainer",       some("acme/x", Role::Maintainer), [Yes, Yes, Yes, F403]),
            ("owner",            some("acme", Role::Owner),        [Yes, Yes, Yes, F403]),
        ];
        let project = project(Visibility::Public, true);
        for (name, caller, expected) in table {
            for (access, expected) in [All, Developer, Maintainer, Nobody].into_iter().zip(expected)
            {
                assert_eq!(
                    artifacts_access(caller.as_ref(), &project, access),
                    expected,
                    "{name}, {access}"
                );
            }
        }
    }
}
