//! The authority of a request (RFC 9112 3.2): there is exactly one, and it is well-formed.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Version};

use crate::reply::Failure;

/// Refuses a request whose authority is missing, repeated, malformed or contradicts itself.
///
/// Nothing here is built from it; but a proxy in front routes by it, and one that reads it
/// otherwise routes wrongly.
pub fn check(head: &Parts) -> Result<(), Failure> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Failure::AuthorityInvalid);
    }
    let target = head.uri.authority();
    match host {
        // An empty Host is what a target without an authority has.
        Some(host) if host.is_empty() && target.is_none() => Ok(()),
        Some(host) => {
            let host = parse(host).ok_or(Failure::AuthorityInvalid)?;
            match target {
                Some(target) if !is_same(target, &host) => Err(Failure::AuthorityInvalid),
                _ => Ok(()),
            }
        }
        // HTTP/1.1 asks for the field; HTTP/2 has the authority in the target, HTTP/1.0 neither.
        None if head.version == Version::HTTP_11 => Err(Failure::AuthorityInvalid),
        None => Ok(()),
    }
}

/// Whether a request has its authority in one Host field, of letters, digits, `.`, `-` and `:`
/// alone: one that [`check`] lets through, in the form that nearly all have.
pub fn is_plain(head: &Parts) -> bool {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let bytes = host.as_bytes();
    let name_len = bytes.iter().take_while(|byte| is_name(byte)).count();
    let is_port = match &bytes[name_len..] {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    name_len > 0 && is_port && head.uri.authority().is_none()
}

fn parse(host: &HeaderValue) -> Option<Authority> {
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    // User information is no part of Host.
    (!authority.as_str().contains('@')).then_some(authority)
}

fn is_same(target: &Authority, host: &Authority) -> bool {
    target.host().eq_ignore_ascii_case(host.host()) && target.port_u16() == host.port_u16()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn exactly_one_well_formed_authority_is_asked_for() {
        let table: [(&str, Version, &str, &[&str], bool); 13] = [
            ("one", Version::HTTP_11, "/x", &["localhost:80"], true),
            ("name", Version::HTTP_11, "/x", &["ci.example"], true),
            ("IPv6", Version::HTTP_11, "/x", &["[::1]:80"], true),
            ("none", Version::HTTP_11, "/x", &[], false),
            ("none in 1.0", Version::HTTP_10, "/x", &[], true),
            ("empty", Version::HTTP_11, "/x", &[""], true),
            ("two", Version::HTTP_11, "/x", &["a", "a"], false),
            ("malformed", Version::HTTP_11, "/x", &["a b"], false),
            ("user", Version::HTTP_11, "/x", &["u@a"], false),
            ("absolute form", Version::HTTP_11, "http://a:1/x", &["A:1"], true),
            ("absolute form, other host", Version::HTTP_11, "http://a/x", &["b"], false),
            ("absolute form, other port", Version::HTTP_11, "http://a/x", &["a:1"], false),
            ("HTTP/2", Version::HTTP_2, "http://a/x", &[], true),
        ];
        for (name, version, uri, hosts, is_good) in table {
            let mut request = Request::builder().version(version).uri(uri);
            for host in hosts {
                request = request.header(HOST, *host);
            }
            let (head, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(check(&head).is_ok(), is_good, "{name}");
            assert!(!is_plain(&head) || is_good, "{name}");
        }
    }
}
