//! Wrong use says what to do instead.

use proc_macro2::TokenStream;
use syn::{Result, parse_str};

use crate::{connector, record, settings};

fn said<T>(written: Result<T>) -> String {
    match written {
        Ok(_) => "taken".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn of_settings(input: &str) -> String {
    said(parse_str(input).and_then(|input| settings::derive(&input)))
}

fn of_record(input: &str) -> String {
    let input = parse_str::<TokenStream>(input).expect("tokens");
    said(record::expand(TokenStream::new(), input))
}

fn of_connector(input: &str) -> String {
    said(parse_str(input).and_then(connector::expand))
}

const TITLE: &str = r#"title(en: "a", uk: "б", ru: "в")"#;

/// Settings of one field with these words.
fn field(words: &str) -> String {
    of_settings(&format!(
        "struct Shop {{ #[setting({TITLE}, {words})] stock: String }}"
    ))
}

/// The lines of a whole connector, and more.
fn whole(more: &str) -> String {
    format!(
        r#"pub struct Shop = "shop", {TITLE};
        settings Chosen;
        credential api_key = bearer, {TITLE};
        endpoint api = "https://a.test", credentials(api_key), budget(60 per 60 s);
        check => check;
        job orders = every("*/10 * * * *"), {TITLE} => orders;
        {more}"#
    )
}

#[test]
fn settings_say_what_people_read_and_where_values_come_from() {
    for (input, expected) in [
        (
            "struct Shop { stock: String }",
            "people do not know what `stock` is",
        ),
        ("struct Shop<'a> { stock: &'a str }", "own all they hold"),
        ("struct Shop(String);", "settings have named fields"),
        ("enum Kind { A(u8) }", "a word to be chosen holds nothing"),
        ("enum Kind { A }", "people do not know what `A` is"),
        (
            r#"#[setting(one_of(a, b))] struct Shop { #[setting(title(en: "a", uk: "b", ru: "c"))] a: u8 }"#,
            "there is no setting `b` here",
        ),
    ] {
        let said = of_settings(input);
        assert!(said.contains(expected), "{input}: {said}");
    }
    for (words, expected) in [
        ("record = Stock", "no name to be chosen by"),
        ("directory = Users, record = Partner", "come from one place"),
        ("colour = 1", "a setting says `title(…)`"),
        ("min = 1, min = 2", "`min` is there twice"),
        (
            "needed_when(other = true)",
            "there is no setting `other` here",
        ),
        (r#"hint(en: "a", uk: "b")"#, "the text has no `ru`"),
        (r#"hint(en: "a", de: "b")"#, "the languages are"),
        (r#"hint(en: "", uk: "b", ru: "c")"#, "an empty text"),
    ] {
        let said = field(words);
        assert!(said.contains(expected), "{words}: {said}");
    }
    assert_eq!(field("options = stocks, min = 1"), "taken");
}

#[test]
fn records_take_lenient_types_only() {
    for (ty, expected) in [
        ("f64", "use `Number`"),
        ("i64", "use `Id`"),
        ("String", "use `Text<'a>`"),
        ("&'a str", "use `Text<'a>`"),
        ("bool", "use `Flag`"),
        ("Vec<Text<'a>>", "use `List`"),
        ("Option<Number>", "take the `Option` away"),
        ("Text<'a>", "taken"),
        ("List<Line<'a>>", "taken"),
    ] {
        let said = of_record(&format!("struct Order<'a> {{ field: {ty} }}"));
        assert!(said.contains(expected), "{ty}: {said}");
    }
    assert!(of_record("enum Status { A }").contains("a record is a struct"));
}

#[test]
fn a_connector_names_only_what_is_there() {
    assert_eq!(of_connector(&whole("")), "taken");
    for (more, expected) in [
        ("colour red;", "a line begins with"),
        ("check => other;", "`check` is there twice"),
        ("hook orders => job orders;", "say `webhooks unsigned;`"),
        (
            "webhooks unsigned; hook orders => job none;",
            "no `job none = …;`",
        ),
        (
            "webhooks unsigned; hook orders => run orders;",
            "asks for `job NAME`",
        ),
        (
            "webhooks signed(secret, \"X\", secret);",
            "no `credential secret = …;`",
        ),
        (
            "webhooks signed(api_key, \"X\", md5);",
            "a signature is `hmac_sha256_hex`",
        ),
        ("webhooks open;", "webhooks are `unsigned`"),
        ("credential key = oauth;", "a credential is `bearer`"),
        ("credential key = bearer;", "`key` has no `title"),
        (
            "endpoint b = \"https://b.test\";",
            "say what the counterpart allows",
        ),
        (
            "endpoint b = \"https://b.test\", credentials(key), budget(1 per 1 s);",
            "no `credential key = …;`",
        ),
        (
            "endpoint b = \"https://b.test\", budget(1 each 1 s);",
            "a budget is `60 per 60 s`",
        ),
        (
            "endpoint b = \"https://b.test\", budget(1 per 1 s with me);",
            "a budget ends with `of`",
        ),
        ("job stock = every(\"hourly\");", "cron expression"),
        ("job stock = changed(Stock);", "`stock` has no `title"),
        (
            "state 3; migrate 1 => a;",
            "from 1 it goes to 2, and not to 3",
        ),
        (
            "state 2; migrate 1;",
            "the function that does it stands behind `=>`",
        ),
    ] {
        let said = of_connector(&whole(more));
        assert!(said.contains(expected), "{more}: {said}");
    }
    assert!(of_connector("settings Chosen;").contains("it begins with `pub struct"));
    let bare = format!("pub struct Shop = \"Shop!\", {TITLE};");
    assert!(of_connector(&bare).contains("the first part of all origins"));
}
