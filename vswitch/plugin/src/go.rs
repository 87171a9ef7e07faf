//! Go's ways of reading JSON, between `serde_json`'s values and serde's derived code.

use std::fmt::Display;
use std::iter;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde_json::Value;

use crate::decode::{DecodeError, found};

/// Reads a value that is already parsed.
pub(crate) fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    T::deserialize(Decoder(value))
}

/// As `&Value` is a deserializer, and more tolerant: see [`decode`](crate::decode).
struct Decoder<'v>(&'v Value);

impl Decoder<'_> {
    fn is_not(&self, what: &str) -> DecodeError {
        DecodeError::custom(format_args!("{} is not {what}", found(self.0)))
    }

    /// A number as Go has it for an integer field: no fraction, within the type's range.
    fn integer<T: TryFrom<i64>>(&self, min: i64, max: i64) -> Result<T, DecodeError> {
        let number = match self.0 {
            Value::Null => Some(0),
            other => other.as_i64(),
        };
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.is_not(&format!("a whole number from {min} to {max}")))
    }
}

impl<'de> Deserializer<'de> for Decoder<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.0.deserialize_any(visitor).map_err(DecodeError::custom)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_bool(false),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            _ => Err(self.is_not("true or false")),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_u8(self.integer(0, u8::MAX.into())?)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_u16(self.integer(0, u16::MAX.into())?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_i64(self.integer(i64::MIN, i64::MAX)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_str(""),
            Value::String(text) => visitor.visit_str(text),
            _ => Err(self.is_not("text")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_seq(Items(iter::empty())),
            Value::Array(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            _ => Err(self.is_not("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_map(Entries::of(iter::empty())),
            Value::Object(object) => {
                let entries = object.iter().map(|(key, value)| (key.as_str(), value));
                visitor.visit_map(Entries::of(entries))
            }
            _ => Err(self.is_not("an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let object = match self.0 {
            Value::Null => return visitor.visit_map(Entries::of(iter::empty())),
            Value::Object(object) => object,
            _ => return Err(self.is_not("an object")),
        };
        // Each field under its own name or, failing that, under one that differs in case.
        let entries = fields.iter().filter_map(|&field| {
            let value = object.get(field).or_else(|| {
                let mut entries = object.iter();
                let (_, value) = entries.find(|(key, _)| key.eq_ignore_ascii_case(field))?;
                Some(value)
            })?;
            (!value.is_null()).then_some((field, value))
        });
        visitor.visit_map(Entries::of(entries))
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple
        tuple_struct enum identifier ignored_any
    }
}

/// The items of a list, with their numbers.
struct Items<I>(I);

impl<'de, I: Iterator<Item = (usize, &'de Value)>> SeqAccess<'de> for Items<I> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some((number, value)) = self.0.next() else {
            return Ok(None);
        };
        seed.deserialize(Decoder(value))
            .map(Some)
            .map_err(|e| e.within(&format!("[{number}]")))
    }
}

/// The entries of an object; a value follows its key.
struct Entries<'k, 'v, I> {
    rest: I,
    entry: Option<(&'k str, &'v Value)>,
}

impl<'k, 'v, I: Iterator<Item = (&'k str, &'v Value)>> Entries<'k, 'v, I> {
    fn of(entries: I) -> Self {
        Self {
            rest: entries,
            entry: None,
        }
    }
}

impl<'k, 'de, I: Iterator<Item = (&'k str, &'de Value)>> MapAccess<'de> for Entries<'k, 'de, I> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        self.entry = self.rest.next();
        let Some((key, _)) = self.entry else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, DecodeError> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        let Some((key, value)) = self.entry.take() else {
            return Err(DecodeError::custom("a value without its key"));
        };
        seed.deserialize(Decoder(value)).map_err(|e| e.within(key))
    }
}

impl Error for DecodeError {
    fn custom<T: Display>(problem: T) -> Self {
        Self::Body {
            problem: problem.to_string(),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing {
            field: field.to_owned(),
        }
    }
}
