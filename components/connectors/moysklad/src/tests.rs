use serde_json::{Value, json};
use tenon_sdk::model::{Fault, Mend};
use tenon_sdk::testing;

use crate::MoySklad;
use crate::settings::{AllRefused, Settings};

fn parse(json: Value) -> Result<Settings, Fault> {
    tenon_sdk::settings::parse(&json.to_string())
}

#[test]
fn it_describes_itself_as_the_host_wants_it() {
    let problems = testing::problems::<MoySklad>(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn a_field_that_was_left_open_is_not_chosen() {
    let settings = parse(json!({
        "organization": "", "site_category": "", "orders_from": "",
        "store": "7d6f8c02-1f4c-4a4b-9d0e-000000000001",
    }));
    let settings = settings.expect("good settings");
    assert_eq!(settings.organization, None);
    assert_eq!(settings.site_category, None);
    assert_eq!(settings.orders_from, None);
    assert!(settings.store.is_some());
    assert!(!settings.active);
    assert_eq!(settings.all_refused, AllRefused::Keep);
    assert_eq!(settings.customer_tag, "покупатели");
    assert_eq!(settings.supplier_tag, "поставщики");
}

#[test]
fn a_wrong_setting_is_named_by_its_path() {
    let store = "7d6f8c02-1f4c-4a4b-9d0e-000000000001";
    let list = json!({ "price_list": "w", "store": store });
    let twice = parse(json!({ "price_lists": [list, list] })).expect("each is good");
    let soon = parse(json!({ "orders_from": "soon" })).expect("a text");
    let zone = tenon_sdk::time::Zone::named("Europe/Moscow");
    for (fault, code, setting) in [
        (
            parse(json!({ "organization": "ours" })).err(),
            "sdk.setting",
            "organization",
        ),
        (
            twice.judge().err(),
            "settings.price-list-twice",
            "price_lists",
        ),
        (soon.orders_from(&zone).err(), "sdk.setting", "orders_from"),
    ] {
        let Some(Fault::Configuration(reason)) = fault else {
            panic!("{setting} is no good");
        };
        assert_eq!(reason.code, code);
        assert_eq!(reason.mend, Some(Mend::Setting(setting.to_owned())));
    }
}
