//! Counterparties, legal entities, warehouses, employees, and the figures of counterparties.

use anyhow::Result;
use serde_json::{Value, json};
use tenon_simulators::moysklad::{Account, BalanceSign, Kind, NewCounterparty};

use crate::client::{
    delete, filter, get, good, json, meta, names, over, path, post, put, rows, text,
};

#[test]
fn a_counterparty_is_found_by_its_number_mail_and_phone_letter_by_letter() -> Result<()> {
    let mut account = Account::empty();
    account.add_counterparty(
        NewCounterparty::new("Радуга")
            .inn("7701234567")
            .email("a@b.example")
            .phone("+7 495 123-45-67"),
    );
    account.add_counterparty(
        NewCounterparty::new("Филиал")
            .inn("7701234567")
            .text("kpp", "780101001"),
    );
    let sim = over(account)?;
    let found = |text: &str| names(&sim, &format!("/entity/counterparty?{}", filter(text)));
    assert_eq!(found("inn=7701234567")?, ["Радуга", "Филиал"]);
    assert_eq!(found("inn=7701234567;kpp=780101001")?, ["Филиал"]);
    assert_eq!(found("email=a@b.example")?, ["Радуга"]);
    assert!(found("email=A@B.example")?.is_empty());
    assert!(found("phone=74951234567")?.is_empty());
    assert_eq!(found("phone=+7 495 123-45-67")?, ["Радуга"]);
    assert_eq!(found("phone~123-45")?, ["Радуга"]);
    // A plus that is not encoded is a space.
    assert!(
        names(
            &sim,
            "/entity/counterparty?filter=phone=+7%20495%20123-45-67"
        )?
        .is_empty()
    );
    Ok(())
}

#[test]
fn persons_get_their_title_from_their_names_and_have_no_kpp() -> Result<()> {
    let sim = over(Account::empty())?;
    let body = json!({
        "name": "ИП Иванов", "companyType": "entrepreneur", "legalLastName": "Иванов",
        "legalFirstName": "Иван", "kpp": "770101001", "legalTitle": "не то",
    });
    let made = good(post(&sim, "/entity/counterparty", &body)?)?;
    assert_eq!(made["legalTitle"], "ИП Иванов Иван");
    assert_eq!(made["kpp"], Value::Null);
    let legal = good(post(
        &sim,
        "/entity/counterparty",
        &json!({ "name": "ООО" }),
    )?)?;
    assert_eq!(legal["companyType"], "legal");
    let wrong = json!({ "name": "X", "companyType": "alien" });
    assert_eq!(post(&sim, "/entity/counterparty", &wrong)?.code(), 3005);
    let mail = json!({ "name": "X", "email": "not a mail" });
    assert_eq!(post(&sim, "/entity/counterparty", &mail)?.code(), 3015);
    Ok(())
}

#[test]
fn tags_are_replaced_and_a_structured_address_wins_over_its_text() -> Result<()> {
    let sim = over(Account::empty())?;
    let body = json!({
        "name": "A", "tags": ["опт", "vip"],
        "actualAddress": "забытая строка",
        "actualAddressFull": { "postalCode": "101000", "city": "Москва", "street": "Мясницкая", "house": "1" },
    });
    let made = good(post(&sim, "/entity/counterparty", &body)?)?;
    assert_eq!(made["actualAddress"], "101000, Москва, Мясницкая, 1");
    assert_eq!(made["actualAddressFull"]["city"], "Москва");
    let at = format!("/entity/counterparty/{}", text(&made["id"]));
    let after = good(put(
        &sim,
        &at,
        &json!({ "tags": ["розница"], "actualAddressFull": null }),
    )?)?;
    assert_eq!(after["tags"], json!(["розница"]));
    assert_eq!(after["actualAddressFull"]["city"], "Москва");
    let cleared = good(put(&sim, &at, &json!({ "actualAddress": "" }))?)?;
    assert_eq!(cleared["actualAddressFull"], Value::Null);
    let plain = good(put(&sim, &at, &json!({ "actualAddress": "Тверь" }))?)?;
    assert_eq!(plain["actualAddressFull"], json!({ "addInfo": "Тверь" }));
    assert_eq!(
        names(
            &sim,
            "/entity/counterparty?filter=tags=%D1%80%D0%BE%D0%B7%D0%BD%D0%B8%D1%86%D0%B0"
        )?,
        ["A"]
    );
    let long = json!({ "actualAddressFull": { "postalCode": "1010000" } });
    assert_eq!(put(&sim, &at, &long)?.code(), 3040);
    Ok(())
}

#[test]
fn accounts_and_persons_are_collections_of_their_own() -> Result<()> {
    let sim = over(Account::empty())?;
    let body = json!({
        "name": "A",
        "accounts": [{ "accountNumber": "40702810000000000001" }],
        "contactpersons": [{ "name": "Анна", "phone": "1" }],
    });
    let made = good(post(&sim, "/entity/counterparty", &body)?)?;
    assert_eq!(made["accounts"]["meta"]["size"], 1);
    assert_eq!(made["accounts"]["rows"], Value::Null);
    let at = format!("/entity/counterparty/{}", text(&made["id"]));
    let accounts = rows(&sim, &format!("{at}/accounts"))?;
    assert_eq!(accounts[0]["isDefault"], true);
    let persons = format!("{at}/contactpersons");
    good(post(&sim, &persons, &json!({ "name": "Борис" }))?)?;
    assert_eq!(names(&sim, &persons)?, ["Анна", "Борис"]);
    let anna = format!("{persons}/{}", text(&rows(&sim, &persons)?[0]["id"]));
    assert_eq!(
        good(put(&sim, &anna, &json!({ "phone": "2" }))?)?["phone"],
        "2"
    );
    assert_eq!(delete(&sim, &anna)?.status, 200);
    assert_eq!(names(&sim, &persons)?, ["Борис"]);
    assert_eq!(post(&sim, &persons, &json!({ "phone": "3" }))?.code(), 3000);
    Ok(())
}

#[test]
fn a_status_has_to_be_one_of_the_kind() -> Result<()> {
    let mut account = Account::empty();
    let own = account.add_state(Kind::Counterparty, "Постоянный");
    let foreign = account.states(Kind::CustomerOrder)[0].id;
    let sim = over(account)?;
    let with = |word: &str, state: tenon_simulators::moysklad::Id| {
        let href = format!("{}/entity/{word}/metadata/states/{state}", sim.url());
        let state =
            json!({ "meta": { "href": href, "type": "state", "mediaType": "application/json" } });
        post(
            &sim,
            "/entity/counterparty",
            &json!({ "name": "A", "state": state }),
        )
    };
    let made = good(with("counterparty", own)?)?;
    assert_eq!(made["state"]["meta"]["type"], "state");
    assert_eq!(with("customerorder", foreign)?.code(), 11002);
    let known = json(&sim, "/entity/counterparty/metadata")?;
    assert_eq!(known["states"][0]["name"], "Постоянный");
    Ok(())
}

#[test]
fn warehouses_have_names_of_their_own_and_a_way_to_the_root() -> Result<()> {
    let sim = over(Account::empty())?;
    let main = sim.account(|account| account.home.store);
    let body = json!({ "name": "Удаленный", "parent": meta(&sim, Kind::Store, main) });
    let made = good(post(&sim, "/entity/store", &body)?)?;
    assert_eq!(made["pathName"], "Основной склад");
    assert_eq!(post(&sim, "/entity/store", &body)?.refusal(), (412, 3006));
    Ok(())
}

#[test]
fn employees_are_known_by_the_name_that_follows_from_its_parts() -> Result<()> {
    let mut account = Account::empty();
    account.add_employee("Орлов", "Павел");
    let sim = over(account)?;
    let found = rows(
        &sim,
        &format!("/entity/employee?{}", filter("lastName=Орлов")),
    )?;
    assert_eq!(found[0]["name"], "Орлов П.");
    assert_eq!(found[0]["fullName"], "Орлов Павел");
    assert_eq!(
        post(&sim, "/entity/group", &json!({ "name": "X" }))?.code(),
        1011
    );
    Ok(())
}

#[test]
fn the_report_on_counterparties_tells_what_they_owe() -> Result<()> {
    let mut account = Account::empty();
    let debtor = account.add_counterparty(NewCounterparty::new("Должник").inn("7701"));
    account.add_counterparty(NewCounterparty::new("Чистый"));
    account.set_debt(debtor, "1200.50");
    let sim = over(account)?;
    let list = json(&sim, "/report/counterparty")?;
    assert_eq!(list["meta"]["size"], 2);
    let at = format!("/report/counterparty/{debtor}");
    let one = json(&sim, &at)?;
    assert_eq!(one["balance"], json!(-120050.0));
    assert_eq!(one["counterparty"]["name"], "Должник");
    assert_eq!(one["lastDemandDate"], Value::Null);
    let owing = json(&sim, "/report/counterparty?filter=balance%3C0")?;
    assert_eq!(owing["rows"][0]["counterparty"]["id"], debtor.to_string());
    assert_eq!(owing["meta"]["size"], 1);
    let by_inn = json(&sim, "/report/counterparty?filter=counterparty.inn=7701")?;
    assert_eq!(by_inn["meta"]["size"], 1);
    let named =
        json!({ "counterparties": [{ "counterparty": meta(&sim, Kind::Counterparty, debtor) }] });
    let some = good(post(&sim, "/report/counterparty", &named)?)?;
    assert_eq!(some["rows"][0]["balance"], json!(-120050.0));
    assert_eq!(
        get(&sim, "/report/counterparty?filter=nonsense=1")?.code(),
        1034
    );
    sim.account(|account| account.behaviour.balance = BalanceSign::DebtIsPositive);
    assert_eq!(json(&sim, &at)?["balance"], json!(120050.0));
    assert_eq!(get(&sim, &path(Kind::Counterparty, debtor))?.status, 200);
    Ok(())
}
