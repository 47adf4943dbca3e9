//! What is wrong with a command line, in one line of the reader's language.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::language::{self, Language};
use crate::told::{self, Refusal, TEXTS, refusal};

/// What people are told of a command line that cannot be read.
pub fn text(error: &clap::Error, language: Language) -> String {
    match of(error, language) {
        Some(refusal) => told::whole(&TEXTS, &refusal.why, language),
        None => {
            let whole = error.to_string();
            let first = whole.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    }
}

/// The language that the arguments ask for, although they cannot be read.
pub fn language_asked(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> Option<String> {
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let argument = argument.to_str()?;
        if argument == "--lang" {
            return arguments.next()?.into_string().ok();
        }
        if let Some(language) = argument.strip_prefix("--lang=") {
            return Some(language.to_owned());
        }
    }
    None
}

fn of(error: &clap::Error, language: Language) -> Option<Refusal> {
    let named = |kind| (error.get(kind)).map(joined);
    let argument = |refusal: Refusal| {
        let argument = named(ContextKind::InvalidArg).unwrap_or_default();
        refusal.arg("argument", argument)
    };
    let suggested = |code, alone, kind| match named(kind) {
        Some(instead) => refusal(code).arg("instead", instead),
        None => refusal(alone),
    };
    Some(match error.kind() {
        ErrorKind::UnknownArgument => argument(suggested(
            "server.usage.unknown-argument-suggested",
            "server.usage.unknown-argument",
            ContextKind::SuggestedArg,
        )),
        ErrorKind::InvalidSubcommand => suggested(
            "server.usage.unknown-command-suggested",
            "server.usage.unknown-command",
            ContextKind::SuggestedSubcommand,
        )
        .arg("command", named(ContextKind::InvalidSubcommand)?),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            refusal("server.usage.no-command")
        }
        ErrorKind::MissingRequiredArgument => argument(refusal("server.usage.missing")),
        ErrorKind::ArgumentConflict => {
            let other = named(ContextKind::PriorArg)?;
            match named(ContextKind::InvalidArg)? {
                argument if argument == other => {
                    refusal("server.usage.twice").arg("argument", argument)
                }
                _ => argument(refusal("server.usage.conflict")).arg("other", other),
            }
        }
        ErrorKind::ValueValidation => {
            argument(refusal("server.usage.bad-value")).arg("why", why(error, language))
        }
        ErrorKind::InvalidValue
        | ErrorKind::NoEquals
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues => argument(refusal("server.usage.no-value")),
        ErrorKind::TooManyValues => argument(refusal("server.usage.too-many-values")),
        ErrorKind::InvalidUtf8 => refusal("server.usage.not-utf-8"),
        _ => return None,
    })
}

/// Why a value cannot be used.
fn why(error: &clap::Error, language: Language) -> String {
    let value = error
        .get(ContextKind::InvalidValue)
        .map(joined)
        .unwrap_or_default();
    match std::error::Error::source(error) {
        Some(cause) => match language::reason(cause) {
            Some(why) => told::whole(&TEXTS, &why, language),
            None => format!("`{value}`: {cause}"),
        },
        None => format!("`{value}`"),
    }
}

fn joined(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(all) => all.join(", "),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::args::Args;
    use super::*;

    fn told(line: &str, language: Language) -> String {
        let error = Args::try_parse_from(line.split(' ')).expect_err("a wrong line");
        text(&error, language)
    }

    #[test]
    fn a_wrong_command_line_is_told_in_one_line_of_each_language() {
        for (line, en, uk, ru) in [
            (
                "tenon recrods",
                "there is no command `recrods`; did you mean `records`? `tenon --help` lists them",
                "немає команди `recrods`; можливо, `records`? Усі команди показує `tenon --help`",
                "нет команды `recrods`; возможно, `records`? Все команды показывает `tenon --help`",
            ),
            (
                "tenon token list --data d --tenatn x",
                "`--tenatn` is not known here; `--help` lists what is",
                "`--tenatn` тут не відомо; що є, показує `--help`",
                "`--tenatn` здесь не известно; что есть, показывает `--help`",
            ),
            (
                "tenon log --data d",
                "missing: --tenant <NAME>",
                "бракує: --tenant <NAME>",
                "не хватает: --tenant <NAME>",
            ),
            (
                "tenon log --data d --tenant Shop!",
                "--tenant <NAME>: `Shop!` is not a name: use 1 to 63 characters of a-z 0-9 . _ - and \
                 begin with a letter or digit",
                "--tenant <NAME>: `Shop!` — не ім’я: це від 1 до 63 знаків a-z 0-9 . _ -, першим — \
                 літера або цифра",
                "--tenant <NAME>: `Shop!` — не имя: это от 1 до 63 знаков a-z 0-9 . _ -, первым — \
                 буква или цифра",
            ),
            (
                "tenon serve --data d --runs 5000",
                "--runs <NUMBER>: `5000` is not a whole number from 1 to 1000",
                "--runs <NUMBER>: `5000` — не ціле число від 1 до 1000",
                "--runs <NUMBER>: `5000` — не целое число от 1 до 1000",
            ),
            (
                "tenon run crm orders --data d --tenant t --preview --compare",
                "--preview cannot be given together with --compare",
                "--preview не можна вказати разом із --compare",
                "--preview нельзя указать вместе с --compare",
            ),
        ] {
            assert_eq!(
                [en, uk, ru],
                ["en", "uk", "ru"].map(|language| told(line, language))
            );
        }
    }

    #[test]
    fn the_language_is_read_from_a_line_that_is_wrong() {
        let asked = |line: &str| language_asked(line.split(' ').map(Into::into));
        assert_eq!(Some("uk".to_owned()), asked("tenon rnu --lang uk"));
        assert_eq!(Some("ru".to_owned()), asked("tenon rnu --lang=ru"));
        assert_eq!(None, asked("tenon rnu --lang"));
        assert_eq!(None, asked("tenon rnu"));
    }
}
