//! Who a token is (`/api/v4/user`): some clients of GitLab ask before anything else whether their
//! token is good.

use http::StatusCode;
use http::request::Parts;
use serde::Serialize;

use super::visit::credential;
use super::{Answer, App, answer};
use crate::catalog::UtcMillis;
use crate::credential::Caller;
use crate::reply::Failure;
use crate::route::Query;

/// A token, as GitLab tells of a user.
#[derive(Serialize)]
struct User<'a> {
    id: i64,
    username: &'a str,
    name: &'a str,
    state: &'static str,
}

impl App {
    pub(super) async fn user(&self, head: &Parts, query: &Query) -> Result<Answer, Failure> {
        let credential = credential(head, query)?.ok_or(Failure::Unauthorized)?;
        let caller = self.caller(Some(credential), UtcMillis::now()).await?;
        let Caller::Token(token) = caller else { return Err(Failure::Forbidden) };
        let name = &*token.name;
        answer::json(
            StatusCode::OK,
            &User { id: token.id.0, username: name, name, state: "active" },
        )
    }
}
