//! Where and for whom a connection works.

use jiff::tz::TimeZone;

use crate::reason::{LANGUAGES, Reason};

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

/// A part of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacePart {
    /// The time zone.
    TimeZone,
    /// The language.
    Language,
    /// The home currency.
    Currency,
}

/// A part of a place means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reason())]
pub struct BadPlace {
    /// Which part.
    pub part: PlacePart,
    value: String,
}

impl BadPlace {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        let reason = match self.part {
            PlacePart::TimeZone => Reason::new("host.place.not-a-time-zone"),
            PlacePart::Language => {
                Reason::new("host.place.not-a-language").arg("languages", LANGUAGES.join(", "))
            }
            PlacePart::Currency => Reason::new("host.place.not-a-currency"),
        };
        reason.arg("text", &self.value)
    }
}

impl Place {
    /// Passes a place of which every part means something.
    ///
    /// # Errors
    /// The first part that does not.
    pub fn check(&self) -> Result<(), BadPlace> {
        PlacePart::TimeZone.check(&self.time_zone)?;
        PlacePart::Language.check(&self.language)?;
        PlacePart::Currency.check(&self.currency)
    }
}

impl PlacePart {
    /// Passes a value that means something.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(self, value: &str) -> Result<(), BadPlace> {
        let known = match self {
            // A name that means another zone on another machine is none.
            PlacePart::TimeZone => value != "localtime" && TimeZone::get(value).is_ok(),
            PlacePart::Language => LANGUAGES.contains(&value),
            PlacePart::Currency => {
                value.len() == 3 && CURRENCIES.split(' ').any(|code| code == value)
            }
        };
        known.then_some(()).ok_or_else(|| BadPlace {
            part: self,
            value: value.to_owned(),
        })
    }
}

/// The codes of ISO 4217 for money that people pay with, as of 2026.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL \
    BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD \
    FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS \
    KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
    MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD \
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX \
    USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

#[cfg(test)]
mod tests {
    use super::*;

    fn place(time_zone: &str, language: &str, currency: &str) -> Place {
        Place {
            time_zone: time_zone.to_owned(),
            language: language.to_owned(),
            currency: currency.to_owned(),
        }
    }

    #[test]
    fn every_part_of_a_place_means_something() {
        assert_eq!(Ok(()), Place::default().check());
        assert_eq!(Ok(()), place("Europe/Kyiv", "uk", "EUR").check());
        for (bad, part) in [
            (place("Europe/Odesa", "uk", "UAH"), PlacePart::TimeZone),
            (place("localtime", "uk", "UAH"), PlacePart::TimeZone),
            (place("UTC", "de", "UAH"), PlacePart::Language),
            (place("UTC", "uk", "uah"), PlacePart::Currency),
            (place("UTC", "uk", "RUR"), PlacePart::Currency),
            (place("UTC", "uk", "EUR USD"), PlacePart::Currency),
            (place("UTC", "uk", ""), PlacePart::Currency),
        ] {
            let error = bad.check().unwrap_err();
            assert_eq!(part, error.part, "{error}");
            assert_eq!(1, error.to_string().lines().count());
        }
    }
}
