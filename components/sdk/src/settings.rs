//! A connection's settings as a type of its connector.

use serde::de::DeserializeOwned;

use crate::model::Fault;
use crate::runtime::run;

/// Reads the settings of the run under way.
///
/// # Errors
/// `configuration`, naming the place in the settings that does not fit.
pub fn load<T: DeserializeOwned>() -> Result<T, Fault> {
    parse(&run::settings())
}

/// Reads settings from their JSON.
///
/// # Errors
/// `configuration`, naming the place in the settings that does not fit.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let place = match error.path().to_string().as_str() {
            "." => "settings".to_owned(),
            path => format!("settings.{path}"),
        };
        Fault::Configuration(format!("{place}: {}", error.inner()).into())
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::parse;
    use crate::model::Fault;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Period {
        days: u32,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Settings {
        period: Period,
    }

    #[test]
    fn a_setting_that_does_not_fit_is_named_by_its_path() {
        let Err(Fault::Configuration(reason)) = parse::<Settings>(r#"{"period":{"days":"x"}}"#)
        else {
            panic!("such settings are no good");
        };
        let reason = reason.text();
        assert!(reason.starts_with("settings.period.days: "), "{reason}");
    }
}
