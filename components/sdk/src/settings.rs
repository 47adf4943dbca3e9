//! A connection's settings as a type of its connector.

use serde::de::DeserializeOwned;

use crate::model::Fault;
use crate::reason;
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
        let path = error.path().to_string();
        // Of a map whose key does not fit, it has no name.
        let reason = match path.trim_end_matches(".?") {
            "." => reason!("sdk.settings"),
            path => reason!("sdk.setting", setting = path).setting(path),
        };
        Fault::Configuration(reason.detail(error.inner()))
    })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::parse;
    use crate::model::{Fault, Mend};

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
        assert_eq!(reason.mend, Some(Mend::Setting("period.days".to_owned())));
        let detail = reason.detail.unwrap_or_default();
        assert!(detail.contains("expected u32"), "{detail}");
    }
}
