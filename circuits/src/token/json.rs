//! The full grammar of RFC 8259 over raw bytes, with the places of an object's members.
//!
//! A parser that hands out values hides what matters here: duplicates, the spelling of keys, and where a value's
//! bytes stand. Iterative, so nesting costs no stack. Deliberately accepts every text that the grammar does, lone
//! surrogates in escapes included, because the circuit must agree on every well-formed payload.

use std::ops::Range;

/// Why bytes are no JSON object, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The grammar does not allow this.
    Grammar(&'static str, usize),
    /// Well-formed, but no object.
    NotObject,
}

/// The JSON type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    String,
    /// A number.
    Number,
    /// An array.
    Array,
    /// An object.
    Object,
    /// `true`, `false` or `null`.
    Literal,
}

/// A member of the top-level object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The key's bytes between its quotes.
    pub key: Range<usize>,
    /// The value's bytes, a string's quotes included, white space around it not.
    pub value: Range<usize>,
    /// The value's type.
    pub kind: Kind,
}

/// A well-formed top-level object.
#[derive(Clone, Debug)]
pub struct Object {
    members: Vec<Member>,
}

impl Object {
    /// Parses a whole text: nothing but white space may surround the object.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        if let Err(error) = std::str::from_utf8(bytes) {
            return Err(Malformed::Grammar("not UTF-8", error.valid_up_to()));
        }
        let mut parser = Parser { bytes, at: 0, members: Vec::new() };
        let kind = parser.text()?;
        if kind == Kind::Object { Ok(Self { members: parser.members }) } else { Err(Malformed::NotObject) }
    }

    /// The members in order, duplicates included.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }
}

/// Where the one string of an array that holds exactly one string stands, quotes included; `None` for other arrays.
#[must_use]
pub fn sole_string(bytes: &[u8], array: Range<usize>) -> Option<Range<usize>> {
    let inner = array.start + 1..array.end.checked_sub(1)?;
    let text = bytes.get(inner.clone())?;
    let from = inner.start + text.iter().take_while(|byte| is_white_space(**byte)).count();
    let mut parser = Parser { bytes, at: from, members: Vec::new() };
    if parser.peek() != Some(b'"') {
        return None;
    }
    let string = parser.string().ok()?;
    parser.white_space();
    (parser.at == inner.end).then_some(string.start - 1..string.end + 1)
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    members: Vec<Member>,
}

/// An open object or array.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

type Parsed<T> = Result<T, Malformed>;

impl Parser<'_> {
    fn text(&mut self) -> Parsed<Kind> {
        let mut open: Vec<Container> = Vec::new();
        let mut key = 0..0;
        let mut value_start = 0;
        let mut top = Kind::Literal;
        'value: loop {
            self.white_space();
            if open.len() == 1 {
                value_start = self.at;
            }
            let mut kind = self.value_kind()?;
            if open.is_empty() {
                top = kind;
            }
            match kind {
                Kind::String => _ = self.string()?,
                Kind::Number => self.number()?,
                Kind::Literal => self.literal()?,
                Kind::Object | Kind::Array => {
                    self.at += 1;
                    self.white_space();
                    let object = kind == Kind::Object;
                    if self.peek() != Some(if object { b'}' } else { b']' }) {
                        open.push(if object { Container::Object } else { Container::Array });
                        if object {
                            let name = self.key()?;
                            if open.len() == 1 {
                                key = name;
                            }
                        }
                        continue 'value;
                    }
                    self.at += 1;
                }
            }
            // A value is complete: close what it completes, or go on to the next one.
            loop {
                if open.len() == 1 && open[0] == Container::Object {
                    self.members.push(Member { key: key.clone(), value: value_start..self.at, kind });
                }
                self.white_space();
                let Some(container) = open.last().copied() else {
                    return if self.at == self.bytes.len() {
                        Ok(top)
                    } else {
                        self.refuse("text after the value")
                    };
                };
                match (self.peek(), container) {
                    (Some(b','), Container::Array) => self.at += 1,
                    (Some(b','), Container::Object) => {
                        self.at += 1;
                        self.white_space();
                        let name = self.key()?;
                        if open.len() == 1 {
                            key = name;
                        }
                    }
                    (Some(b']'), Container::Array) | (Some(b'}'), Container::Object) => {
                        self.at += 1;
                        open.pop();
                        kind = if container == Container::Object { Kind::Object } else { Kind::Array };
                        continue;
                    }
                    _ => return self.refuse("neither comma nor end of object or array"),
                }
                continue 'value;
            }
        }
    }

    fn value_kind(&self) -> Parsed<Kind> {
        match self.peek() {
            Some(b'"') => Ok(Kind::String),
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f' | b'n') => Ok(Kind::Literal),
            _ => self.refuse("no value"),
        }
    }

    /// A key and its colon; the key's range is between the quotes.
    fn key(&mut self) -> Parsed<Range<usize>> {
        if self.peek() != Some(b'"') {
            return self.refuse("no key");
        }
        let key = self.string()?;
        self.white_space();
        if self.peek() != Some(b':') {
            return self.refuse("no colon");
        }
        self.at += 1;
        Ok(key)
    }

    /// A string at its opening quote; the range is between the quotes.
    fn string(&mut self) -> Parsed<Range<usize>> {
        let start = self.at + 1;
        self.at = start;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(start..self.at - 1);
                }
                Some(b'\\') => self.escape()?,
                Some(0x20..) => self.at += 1,
                Some(_) => return self.refuse("control character in a string"),
                None => return self.refuse("string without end"),
            }
        }
    }

    fn escape(&mut self) -> Parsed<()> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                let digits = self.bytes.get(self.at..self.at + 4);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.refuse("\\u without four hexadecimal digits");
                }
                self.at += 4;
            }
            _ => return self.refuse("unknown escape"),
        }
        Ok(())
    }

    fn number(&mut self) -> Parsed<()> {
        self.skip_if(|byte| byte == b'-');
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.skip_if(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.skip_if(|byte| matches!(byte, b'e' | b'E')) {
            self.skip_if(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Parsed<()> {
        if !self.skip_if(|byte| byte.is_ascii_digit()) {
            return self.refuse("no digit");
        }
        while self.skip_if(|byte| byte.is_ascii_digit()) {}
        Ok(())
    }

    fn literal(&mut self) -> Parsed<()> {
        let rest = &self.bytes[self.at..];
        for literal in [&b"true"[..], b"false", b"null"] {
            if rest.starts_with(literal) {
                self.at += literal.len();
                return Ok(());
            }
        }
        self.refuse("unknown literal")
    }

    fn white_space(&mut self) {
        while self.skip_if(is_white_space) {}
    }

    fn skip_if(&mut self, condition: impl Fn(u8) -> bool) -> bool {
        let skip = self.peek().is_some_and(condition);
        self.at += usize::from(skip);
        skip
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn refuse<T>(&self, why: &'static str) -> Parsed<T> {
        Err(Malformed::Grammar(why, self.at))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    fn members(text: &str) -> Vec<(&str, &str)> {
        let object = Object::parse(text.as_bytes()).unwrap();
        object.members().iter().map(|m| (&text[m.key.clone()], &text[m.value.clone()])).collect()
    }

    #[test]
    fn members_of_the_top_level_only_and_all_of_them() {
        let text =
            " {\"a\" : {\"a\":[1,{\"b\":2}]} ,\r\n\"a\":\t\"x\\\"y\", \"\":[] ,\"c\":-1.5e+3,\"d\":null}\n";
        let expected =
            [("a", r#"{"a":[1,{"b":2}]}"#), ("a", r#""x\"y""#), ("", "[]"), ("c", "-1.5e+3"), ("d", "null")];
        assert_eq!(members(text), expected);
        assert_eq!(members("{}"), []);
    }

    #[test]
    fn the_grammar_is_that_of_rfc_8259() {
        for bad in [
            "",
            "{",
            "}",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":-}",
            "{\"a\":tru}",
            "{\"a\":NaN}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"x}",
            "{'a':1}",
            "{a:1}",
            "{\"a\":[1,]}",
            "{\"a\":[1}",
            "{\"a\":1]",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "\u{feff}{}",
            "{}{}",
            "{\"a\":/**/1}",
        ] {
            assert!(matches!(Object::parse(bad.as_bytes()), Err(Malformed::Grammar(..))), "{bad}");
        }
        for other in ["[]", "1", "\"{}\"", "null", "[{\"a\":1}]"] {
            assert_eq!(Object::parse(other.as_bytes()).unwrap_err(), Malformed::NotObject, "{other}");
        }
        assert!(matches!(Object::parse(b"{\"a\":\"\xff\"}"), Err(Malformed::Grammar("not UTF-8", 6))));
        assert!(Object::parse(br#"{"a":"\ud800"}"#).is_ok(), "the grammar knows no surrogates");
    }

    #[test]
    fn nesting_of_any_depth_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(members(&deep).len(), 1);
    }

    #[test]
    fn an_array_of_one_string_is_recognised() {
        let sole = |text: &str| sole_string(text.as_bytes(), 0..text.len()).map(|r| text[r].to_owned());
        assert_eq!(sole("[ \"a\"\n]"), Some("\"a\"".to_owned()));
        assert_eq!(sole("[\"\"]"), Some("\"\"".to_owned()));
        for bad in ["[]", "[\"a\",\"b\"]", "[[\"a\"]]", "[1]", "[\"a\",1]", "[{\"a\":\"b\"}]", "[null,\"a\"]"]
        {
            assert_eq!(sole(bad), None, "{bad}");
        }
    }

    /// Texts that are nearly JSON: pieces of it in any order.
    fn nearly_json() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"\\u00e9\"",
            "\"\\\"\"",
            "1",
            "-0.5e2",
            "true",
            "null",
            " ",
            "\n",
            "\"",
            "\\",
            "0",
            "{\"a\":1}",
            "[1,2]",
            "\"k\":",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_what_is_an_object(text in nearly_json()) {
            let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok() && text.trim_start().starts_with('{');
            prop_assert_eq!(Object::parse(text.as_bytes()).is_ok(), theirs);
        }

        #[test]
        fn wrapped_pieces_agree_too(text in nearly_json()) {
            let text = format!("{{\"a\":{text}}}");
            let theirs = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            prop_assert_eq!(Object::parse(text.as_bytes()).is_ok(), theirs);
        }
    }
}
