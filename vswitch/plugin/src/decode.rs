//! From a body to what it says.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::go;

/// Why a body does not say what it should. For people: what is wrong with which field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Docker sends this when it tries a request again after a lost connection.
    #[error("the body is empty{}", needs(missing))]
    Empty {
        /// A field that is needed, if one is.
        missing: Option<String>,
    },
    /// Neither JSON nor anything like it; or nested too deeply, or with numbers too large.
    #[error("the body is not JSON: {detail}")]
    Syntax {
        /// What is wrong, and where.
        detail: String,
    },
    /// A field that must be there is not, or is empty.
    #[error("{field} is missing")]
    Missing {
        /// Its path, such as `StaticRoutes[0].Destination`.
        field: String,
    },
    /// A field says something else than it should.
    #[error("{field}: {problem}")]
    Field {
        /// Its path.
        field: String,
        /// What was found, and what should have been.
        problem: String,
    },
    /// The body is JSON and no object.
    #[error("the body is wrong: {problem}")]
    Body {
        /// What was found, and what should have been.
        problem: String,
    },
}

/// Reads a request or an answer with the tolerance of Go's `encoding/json`: field names in any case,
/// `null` for what is absent, unknown fields ignored. `null` as a whole is `{}`.
///
/// # Errors
/// [`DecodeError`]. An empty body is one, whatever `T` is: libnetwork takes it for one in answers,
/// and sends it by mistake in requests.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, DecodeError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        let missing = match go::from_value::<T>(&Value::Null) {
            Err(DecodeError::Missing { field }) => Some(field),
            _ => None,
        };
        return Err(DecodeError::Empty { missing });
    }
    let value: Value = serde_json::from_slice(body).map_err(|e| DecodeError::Syntax {
        detail: e.to_string(),
    })?;
    go::from_value(&value)
}

/// A value as an error names it: short.
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Text as an error names it: in quotes, without control characters, at most its beginning.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 64;
    match text.char_indices().nth(LONGEST) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", &text[..end]),
    }
}

impl DecodeError {
    pub(crate) fn field(field: impl Into<String>, problem: String) -> Self {
        Self::Field {
            field: field.into(),
            problem,
        }
    }

    /// The same error seen from the object or list around it, where it is behind `outer`.
    #[must_use]
    pub(crate) fn within(self, outer: &str) -> Self {
        let below = |field: String| match field.starts_with('[') {
            true => format!("{outer}{field}"),
            false => format!("{outer}.{field}"),
        };
        match self {
            Self::Missing { field } => Self::Missing {
                field: below(field),
            },
            Self::Field { field, problem } => Self::Field {
                field: below(field),
                problem,
            },
            Self::Body { problem } => Self::Field {
                field: outer.to_owned(),
                problem,
            },
            Self::Empty { .. } | Self::Syntax { .. } => self,
        }
    }
}

fn needs(missing: &Option<String>) -> String {
    match missing {
        None => String::new(),
        Some(field) => format!(": {field} is missing"),
    }
}
