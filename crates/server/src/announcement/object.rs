//! A JSON object of a request, taken apart field by field.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Number;

use super::BadAnnouncement;
use crate::catalog::{MAX_ID, UtcMillis, is_name};
use crate::timestamp;

/// How deep an object that is kept may be nested. What GitLab sends has two levels.
const MAX_DEPTH: usize = 8;

/// JSON as it was read. `serde_json::Value` would take the last of two members of one name, where
/// another reader takes the first.
///
/// serde_json stops at 128 levels, which bounds the recursion of everything here.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Value>),
    Object(Object),
}

/// Values of a body, at most: of some 64 bytes each while they are read. GitLab tells of a job in
/// about 40 of them, so that a pipeline may have 10,000 jobs.
const MAX_VALUES: usize = 400_000;

/// An object: its members in the order in which they stood, no name twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Object {
    members: Vec<(String, Value)>,
    /// The fields that were looked for: those that there may be.
    known: Vec<&'static str>,
}

impl Object {
    pub(super) fn parse(body: &[u8]) -> Result<Self, BadAnnouncement> {
        // Every value but the first stands behind one of these; some of them stand in texts.
        let values = body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
        if values > MAX_VALUES {
            return Err(BadAnnouncement::Body);
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) | Err(_) => Err(BadAnnouncement::Body),
        }
    }

    /// Takes a field out. Its key is what stands behind the last dot of `name`, which says too what
    /// it stands in.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let key = name.rsplit('.').next().unwrap_or(name);
        let position = self.members.iter().position(|(member, _)| member == key)?;
        Some(self.members.remove(position).1)
    }

    /// A field that may be left out and cannot be null.
    pub(super) fn field<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, BadAnnouncement> {
        let Some(value) = self.take(name) else { return Ok(None) };
        read(value).map(Some).ok_or(BadAnnouncement::Invalid { name })
    }

    /// A field that may be left out, which is `None`, and that may be null, which is `Some(None)`.
    pub(super) fn nullable<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<Option<T>>, BadAnnouncement> {
        self.field(name, |value| match value {
            Value::Null => Some(None),
            other => read(other).map(Some),
        })
    }

    /// A field of which null says no more than leaving it out.
    pub(super) fn given<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, BadAnnouncement> {
        Ok(self.nullable(name, read)?.flatten())
    }

    /// A field that has to be there.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<T, BadAnnouncement> {
        self.given(name, read)?.ok_or(BadAnnouncement::Missing { name })
    }

    /// To be called when every field that there may be has been looked for.
    pub(super) fn end(self) -> Result<(), BadAnnouncement> {
        if self.members.is_empty() {
            Ok(())
        } else {
            Err(BadAnnouncement::Unknown { known: self.known })
        }
    }

    /// Whether it is nested no deeper than what is kept may be.
    pub(super) fn is_shallow(&self) -> bool {
        self.members.iter().all(|(_, value)| value.fits(MAX_DEPTH - 1))
    }
}

impl Value {
    pub(super) fn boolean(self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(value) } else { None }
    }

    /// An id of any kind: 1 to [`MAX_ID`], written as an integer.
    pub(super) fn id(self) -> Option<i64> {
        self.integer().filter(|id| (1..=MAX_ID).contains(id))
    }

    pub(super) fn integer(self) -> Option<i64> {
        if let Self::Number(number) = self { number.as_i64() } else { None }
    }

    pub(super) fn percent(self) -> Option<f64> {
        let Self::Number(number) = self else { return None };
        number.as_f64().filter(|percent| (0.0..=100.0).contains(percent))
    }

    pub(super) fn any_text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A text that can be the name of something: see [`is_name`].
    pub(super) fn name(self, max_len: usize) -> Option<Box<str>> {
        self.any_text().filter(|name| is_name(max_len, name)).map(String::into_boxed_str)
    }

    /// One of the words of a vocabulary.
    pub(super) fn word<T: FromStr>(self) -> Option<T> {
        self.any_text()?.parse().ok()
    }

    /// See [`timestamp::parse`].
    pub(super) fn time(self) -> Option<UtcMillis> {
        timestamp::parse(&self.any_text()?)
    }

    pub(super) fn list(self) -> Option<Vec<Self>> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    pub(super) fn object(self) -> Option<Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    fn fits(&self, depth: usize) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => true,
            Self::List(_) | Self::Object(_) if depth == 0 => false,
            Self::List(list) => list.iter().all(|value| value.fits(depth - 1)),
            Self::Object(object) => object.members.iter().all(|(_, value)| value.fits(depth - 1)),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(A::Error::custom("a name stands twice"));
        }
        Ok(Value::Object(Object { members, known: Vec::new() }))
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => value.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::List(list) => list.serialize(serializer),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, value) in &self.members {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_one_json_object_in_which_no_name_stands_twice() {
        let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        let (deepest, deeper) = (deep(127), deep(128));
        let table: [(&str, &[u8], bool); 15] = [
            ("empty object", b"{}", true),
            ("white space around", b" \r\n{\"a\":1}\t", true),
            ("nested", br#"{"a":{"b":[1,2.5,-3,"x",true,null]},"b":1}"#, true),
            ("as deep as JSON may be", deepest.as_bytes(), true),
            ("deeper", deeper.as_bytes(), false),
            ("empty", b"", false),
            ("a list", b"[]", false),
            ("a text", b"\"a\"", false),
            ("two objects", b"{}{}", false),
            ("a comma too many", br#"{"a":1,}"#, false),
            ("a name twice", br#"{"a":1,"a":1}"#, false),
            ("a name twice, once escaped", br#"{"a":1,"\u0061":1}"#, false),
            ("a name twice further in", br#"{"a":[{"b":1,"c":2,"b":3}]}"#, false),
            ("not UTF-8", b"{\"a\":\"\xff\"}", false),
            ("half a surrogate pair", br#"{"a":"\ud83d"}"#, false),
        ];
        for (name, body, good) in table {
            let parsed = Object::parse(body).map(drop);
            assert_eq!(parsed, if good { Ok(()) } else { Err(BadAnnouncement::Body) }, "{name}");
        }
    }

    #[test]
    fn null_and_left_out_are_told_apart_where_that_matters() {
        type Read = fn(&mut Object) -> Result<Option<Option<bool>>, BadAnnouncement>;
        let field: Read = |object| Ok(object.field("x.a", Value::boolean)?.map(Some));
        let nullable: Read = |object| object.nullable("x.a", Value::boolean);
        let given: Read = |object| Ok(object.given("x.a", Value::boolean)?.map(Some));
        let required: Read = |object| Ok(Some(Some(object.required("x.a", Value::boolean)?)));
        let (missing, invalid) = (
            Err(BadAnnouncement::Missing { name: "x.a" }),
            Err(BadAnnouncement::Invalid { name: "x.a" }),
        );
        let table = [
            ("field, left out", field, "{}", Ok(None)),
            ("field, null", field, r#"{"a":null}"#, invalid.clone()),
            ("field, there", field, r#"{"a":true}"#, Ok(Some(Some(true)))),
            ("nullable, left out", nullable, "{}", Ok(None)),
            ("nullable, null", nullable, r#"{"a":null}"#, Ok(Some(None))),
            ("nullable, there", nullable, r#"{"a":true}"#, Ok(Some(Some(true)))),
            ("nullable, another type", nullable, r#"{"a":"true"}"#, invalid.clone()),
            ("given, left out", given, "{}", Ok(None)),
            ("given, null", given, r#"{"a":null}"#, Ok(None)),
            ("given, another type", given, r#"{"a":1}"#, invalid.clone()),
            ("required, left out", required, "{}", missing.clone()),
            ("required, null", required, r#"{"a":null}"#, missing),
            ("required, another type", required, r#"{"a":[]}"#, invalid),
        ];
        for (name, read, body, expected) in table {
            let mut object = Object::parse(body.as_bytes()).unwrap();
            assert_eq!(read(&mut object), expected, "{name}");
            assert_eq!(object.end(), Ok(()), "{name}");
        }
    }

    #[test]
    fn ids_are_integers_that_a_catalog_can_have() {
        let table = [
            ("the first", "1", Some(1)),
            ("the last", "9007199254740991", Some(MAX_ID)),
            ("past the last", "9007199254740992", None),
            ("past every integer", "99999999999999999999", None),
            ("zero", "0", None),
            ("negative", "-1", None),
            ("a fraction", "1.0", None),
            ("a text", "\"1\"", None),
        ];
        for (name, json, expected) in table {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(value.id(), expected, "{name}");
        }
    }
}
