//! What lies in a folder of an archive (endpoints E and E2).

use std::borrow::Cow;
use std::fmt::Write;

use entryway::tree::{Listing as Listed, Page, TreeItem, TreeKind};
use http::header::{HeaderName, LINK};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;

use super::download::select_failure;
use super::visit::Visit;
use super::{Answer, App, answer};
use crate::catalog::Job;
use crate::reply::Failure;
use crate::route::{Listing, without_page_and_tokens};

static X_PAGE: HeaderName = HeaderName::from_static("x-page");
static X_PER_PAGE: HeaderName = HeaderName::from_static("x-per-page");
static X_NEXT_PAGE: HeaderName = HeaderName::from_static("x-next-page");
static X_PREV_PAGE: HeaderName = HeaderName::from_static("x-prev-page");
static X_TOTAL: HeaderName = HeaderName::from_static("x-total");
static X_TOTAL_PAGES: HeaderName = HeaderName::from_static("x-total-pages");

/// An item as the API tells of it.
#[derive(Serialize)]
struct Item<'a> {
    name: &'a str,
    path: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    size: Option<u64>,
    /// Six octal digits.
    mode: Option<String>,
}

impl<'a> Item<'a> {
    fn new(item: &'a TreeItem) -> Self {
        Self {
            name: &item.name,
            path: &item.path,
            kind: match item.kind {
                TreeKind::Tree => "directory",
                TreeKind::Blob => "file",
            },
            size: item.size,
            mode: item.mode.map(|mode| format!("{mode:06o}")),
        }
    }
}

impl App {
    pub(super) async fn tree(
        &self,
        head: &Parts,
        visit: &Visit,
        job: &Job,
        listing: &Listing,
    ) -> Result<Answer, Failure> {
        let archive = self.open(visit, job).await?;
        let path = listing.path.as_ref().map_or(&b""[..], |path| path.as_bytes());
        let page = Page { number: listing.page.into(), per_page: listing.per_page.into() };
        let listed = self.archives.list(&archive, path, listing.recursive, page).await;
        let listed = listed.map_err(|failure| select_failure(&failure))?;
        let listed = listed.ok_or(Failure::FileNotFound)?;
        let items: Vec<Item<'_>> = listed.items.iter().map(Item::new).collect();
        let mut answer = answer::json(StatusCode::OK, &items)?;
        write_pages(answer.headers_mut(), head, &self.external_url, listing, &listed);
        Ok(answer)
    }
}

/// Where in the whole a page is, as GitLab tells it; the next and previous page are empty where
/// there is none.
fn write_pages(
    headers: &mut HeaderMap,
    head: &Parts,
    base: &str,
    listing: &Listing,
    listed: &Listed,
) {
    let (page, per_page) = (u64::from(listing.page), u64::from(listing.per_page));
    let pages = listed.total.div_ceil(per_page);
    let next = (page < pages).then_some(page + 1);
    let previous = (page > 1).then_some(page - 1);
    let number = |number: Option<u64>| number.map_or(HeaderValue::from_static(""), Into::into);
    headers.insert(X_PAGE.clone(), page.into());
    headers.insert(X_PER_PAGE.clone(), per_page.into());
    headers.insert(X_NEXT_PAGE.clone(), number(next));
    headers.insert(X_PREV_PAGE.clone(), number(previous));
    headers.insert(X_TOTAL.clone(), listed.total.into());
    headers.insert(X_TOTAL_PAGES.clone(), pages.into());
    let rest = head.uri.query().map_or(Cow::Borrowed(""), without_page_and_tokens);
    let places =
        [("prev", previous), ("next", next), ("first", Some(1)), ("last", Some(pages.max(1)))];
    let mut links = String::new();
    for (relation, page) in places.into_iter().filter_map(|(name, page)| Some((name, page?))) {
        let comma = if links.is_empty() { "" } else { ", " };
        let and = if rest.is_empty() { "" } else { "&" };
        // Without a base relative to the request (RFC 8288 section 3.1): a field of the request says
        // nothing that could be trusted of how the server is reached. Writing to a `String` cannot
        // fail.
        // One slash: two would begin the name of a host (RFC 3986 section 4.2).
        let path = head.uri.path().trim_start_matches('/');
        let _ = write!(links, "{comma}<{base}/{path}?{rest}{and}page={page}>; rel=\"{relation}\"");
    }
    // A target is visible ASCII, and has no `>` that is not escaped.
    if let Ok(links) = HeaderValue::from_str(&links) {
        headers.insert(LINK, links);
    }
}
