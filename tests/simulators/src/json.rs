//! Writes JSON text straight from the records.
//!
//! A decimal has to reach the client digit by digit, which a tree of `f64` cannot promise, and a
//! page of fifty orders has to cost next to nothing, because benchmarks run against it.

use std::fmt::Write;

use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use rust_decimal::Decimal;

/// Something with a JSON text of its own.
pub trait Value {
    /// Appends the JSON text.
    fn write(&self, out: &mut String);
}

/// The JSON null.
pub struct Null;

/// JSON text that is right already.
pub struct Raw<'a>(pub &'a str);

impl Value for Null {
    fn write(&self, out: &mut String) {
        out.push_str("null");
    }
}

impl Value for Raw<'_> {
    fn write(&self, out: &mut String) {
        out.push_str(self.0);
    }
}

impl Value for bool {
    fn write(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Value for str {
    fn write(&self, out: &mut String) {
        out.push('"');
        let mut plain = 0;
        for (index, byte) in self.bytes().enumerate() {
            let escaped = match byte {
                b'"' => Some("\\\""),
                b'\\' => Some("\\\\"),
                b'\n' => Some("\\n"),
                b'\r' => Some("\\r"),
                b'\t' => Some("\\t"),
                0..0x20 => None,
                _ => continue,
            };
            out.push_str(&self[plain..index]);
            match escaped {
                Some(text) => out.push_str(text),
                None => append(out, format_args!("\\u{byte:04x}")),
            }
            plain = index + 1;
        }
        out.push_str(&self[plain..]);
        out.push('"');
    }
}

impl Value for String {
    fn write(&self, out: &mut String) {
        self.as_str().write(out);
    }
}

/// A number that keeps a fraction even when it is whole, as Java writes its doubles: `12050.0`.
pub struct Double(pub Decimal);

impl Value for Double {
    fn write(&self, out: &mut String) {
        let plain = self.0.normalize();
        append(out, format_args!("{plain}"));
        if plain.scale() == 0 {
            out.push_str(".0");
        }
    }
}

impl Value for Decimal {
    fn write(&self, out: &mut String) {
        append(out, format_args!("{self}"));
    }
}

macro_rules! write_integers {
    ($($integer:ty),*) => {$(
        impl Value for $integer {
            fn write(&self, out: &mut String) {
                append(out, format_args!("{self}"));
            }
        }
    )*};
}
write_integers!(i64, u8, u32, u64, usize);

impl<V: Value + ?Sized> Value for &V {
    fn write(&self, out: &mut String) {
        (**self).write(out);
    }
}

impl<V: Value> Value for Option<V> {
    fn write(&self, out: &mut String) {
        match self {
            Some(value) => value.write(out),
            None => Null.write(out),
        }
    }
}

impl<V: Value> Value for [V] {
    fn write(&self, out: &mut String) {
        elements(out, self, |out, value| value.write(out));
    }
}

/// Formatting into a string cannot fail.
pub fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// An answer of JSON text.
pub fn answer(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An object being written.
pub struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

/// Appends an object.
pub fn object(out: &mut String, write: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    write(&mut Object {
        out: &mut *out,
        empty: true,
    });
    out.push('}');
}

/// Appends an array of objects.
pub fn objects<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Object<'_>, T),
) {
    elements(out, items, |out, item| {
        object(out, |inner| write(inner, item));
    });
}

/// Appends an array whose elements are written one by one.
pub fn elements<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

impl Object<'_> {
    /// Writes a key with its value. Keys are the simulator's own and need no escapes.
    pub fn put(&mut self, key: &str, value: impl Value) {
        value.write(self.key(key));
    }

    /// Writes a key with an object.
    pub fn object(&mut self, key: &str, write: impl FnOnce(&mut Object<'_>)) {
        object(self.key(key), write);
    }

    /// Writes a key with an array of objects.
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut Object<'_>, T),
    ) {
        objects(self.key(key), items, write);
    }

    /// Writes a key and hands out the place of its value, which has to be written there at once.
    pub fn key(&mut self, key: &str) -> &mut String {
        if !self.empty {
            self.out.push(',');
        }
        self.empty = false;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_keeps_its_digits_and_text_its_meaning() {
        let mut out = String::new();
        object(&mut out, |inner| {
            inner.put("price", Decimal::new(1210, 2));
            inner.put("name", "№ \"1\"\\\u{1}\n");
            inner.put("whole", Double(Decimal::new(1_205_000, 2)));
            inner.put("part", Double(Decimal::new(5, 1)));
            inner.put("none", None::<i64>);
            inner.put("list", ["a", "b"].as_slice());
        });
        assert_eq!(
            out,
            r#"{"price":12.10,"name":"№ \"1\"\\\u0001\n","whole":12050.0,"part":0.5,"none":null,"list":["a","b"]}"#
        );
        let parsed: serde_json::Value = serde_json::from_str(&out).expect("valid JSON");
        assert_eq!(parsed["name"], "№ \"1\"\\\u{1}\n");
    }
}
