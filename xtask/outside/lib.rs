//! The smallest connector: it shows that the packed SDK is enough to write one.

use tenon_sdk::Connector;
use tenon_sdk::model::{Account, Cause, ConnectorManifest, Fault, Job, Outcome};
use tenon_sdk::text;

struct Outside;

impl Connector for Outside {
    fn describe() -> ConnectorManifest {
        ConnectorManifest {
            name: "outside".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            title: text!(en: "From outside", uk: "Ззовні", ru: "Снаружи"),
            settings_schema: r#"{"type": "object"}"#.to_owned(),
            options: Vec::new(),
            credentials: Vec::new(),
            endpoints: Vec::new(),
            webhooks: None,
            jobs: vec![Job {
                id: "nothing".to_owned(),
                title: text!(en: "Nothing", uk: "Нічого", ru: "Ничего"),
                schedule: None,
                listens_to: Vec::new(),
            }],
            actions: Vec::new(),
            state_version: 1,
            reasons: Vec::new(),
        }
    }

    fn check() -> Result<Account, Fault> {
        Ok(Account {
            id: Some("outside".to_owned()),
            name: "nobody's".to_owned(),
            facts: Vec::new(),
            notes: Vec::new(),
        })
    }

    fn run(_job: &str, _argument: Option<&str>, _cause: &Cause) -> Result<Outcome, Fault> {
        Ok(Outcome::Done)
    }
}

tenon_sdk::export!(Outside);
