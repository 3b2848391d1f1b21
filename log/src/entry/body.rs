//! The JSON envelope that all kinds share, and its encodings.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{EntryError, MAX_BODY};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Envelope {
    pub api_version: String,
    pub kind: String,
    pub spec: Value,
}

/// Parses the envelope. Doubled members deeper inside collapse here and then fail the comparison with the
/// canonical form.
pub(crate) fn parse_envelope(body: &[u8]) -> Result<Envelope, EntryError> {
    if body.len() > MAX_BODY {
        return Err(EntryError::TooLarge);
    }
    serde_json::from_slice(body).map_err(malformed)
}

/// Reads `{<name>: T}` with nothing beside it.
pub(crate) fn spec_member<T: for<'de> Deserialize<'de>>(
    mut spec: Value,
    name: &'static str,
) -> Result<T, EntryError> {
    let members = spec.as_object_mut().ok_or_else(|| EntryError::Malformed("spec".to_owned()))?;
    match (members.remove(name), members.is_empty()) {
        (Some(value), true) => serde_json::from_value(value).map_err(malformed),
        _ => Err(EntryError::Malformed(format!("spec must hold {name} and nothing else"))),
    }
}

/// RFC 8785 canonical JSON.
pub(crate) fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("strings, arrays and objects with string keys serialise")
}

pub(crate) fn to_value<T: Serialize>(name: &str, value: &T) -> Value {
    let value = serde_json::to_value(value).expect("strings, arrays and objects with string keys serialise");
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}

pub(crate) fn malformed(error: serde_json::Error) -> EntryError {
    EntryError::Malformed(error.to_string())
}

/// Bytes as standard padded base64, for `#[serde(with = …)]`.
pub(crate) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}

/// 64-bit integers as decimal strings, which is how JSON carries them without loss.
pub(crate) mod decimal {
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::checkpoint::parse_decimal(&text).ok_or_else(|| serde::de::Error::custom("not a decimal"))
    }

    /// The same, or null.
    pub(crate) mod optional {
        use serde::{Deserialize, Deserializer, Serialize as _, Serializer};

        #[derive(Deserialize)]
        struct Decimal(#[serde(with = "super")] u64);

        pub(crate) fn serialize<S: Serializer>(
            number: &Option<u64>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            number.map(|number| number.to_string()).serialize(serializer)
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<u64>, D::Error> {
            Ok(Option::<Decimal>::deserialize(deserializer)?.map(|Decimal(number)| number))
        }
    }
}

pub(crate) use distinct::Distinct;

/// What a request is read into whose parts are compared with their canonical form only later.
mod distinct {
    use serde::Deserialize;
    use serde_json::Value;

    /// A JSON value none of whose objects has a member twice.
    pub struct Distinct(pub Value);

    impl<'de> Deserialize<'de> for Distinct {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(DistinctVisitor)
        }
    }

    struct DistinctVisitor;

    impl<'de> serde::de::Visitor<'de> for DistinctVisitor {
        type Value = Distinct;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("strings, lists and objects, without null")
        }

        fn visit_bool<E>(self, value: bool) -> Result<Distinct, E> {
            Ok(Distinct(value.into()))
        }

        fn visit_u64<E>(self, value: u64) -> Result<Distinct, E> {
            Ok(Distinct(value.into()))
        }

        fn visit_str<E>(self, value: &str) -> Result<Distinct, E> {
            Ok(Distinct(value.into()))
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Distinct, A::Error> {
            let mut list = Vec::new();
            while let Some(Distinct(item)) = items.next_element()? {
                list.push(item);
            }
            Ok(Distinct(list.into()))
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<Distinct, A::Error> {
            let mut object = serde_json::Map::new();
            while let Some((name, Distinct(value))) = members.next_entry::<String, _>()? {
                if object.insert(name, value).is_some() {
                    return Err(serde::de::Error::custom("a member stands twice"));
                }
            }
            Ok(Distinct(object.into()))
        }
    }
}
