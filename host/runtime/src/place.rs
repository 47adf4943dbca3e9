//! Where and for whom a connection works.

/// What a tenant's people take for granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// IANA name of the time zone: the tenant's days begin there.
    pub time_zone: String,
    /// Language of the tenant's people: `en`, `uk` or `ru`.
    pub language: String,
    /// ISO 4217 code of the home currency.
    pub currency: String,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            time_zone: "UTC".to_owned(),
            language: "en".to_owned(),
            currency: "UAH".to_owned(),
        }
    }
}
