//! Whose books these are, and whose records each connection exchanges.

use tenon_erp::EmbeddedErp;
use tenon_host::ids::TenantId;
use tenon_host::platform::{Account, Binding, Platform, UnitOfWork};

use crate::support::{Shop, connection, tenant};

async fn books(erp: &EmbeddedErp, tenant: &TenantId) -> String {
    let mut unit = erp.begin(tenant, &connection()).await.unwrap();
    unit.about().await.unwrap().id
}

#[tokio::test]
async fn every_file_has_an_identity_of_its_own_that_stays() {
    let shop = Shop::new();
    let id = books(&shop.erp, &tenant()).await;
    assert!(
        id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit()),
        "{id}"
    );
    assert_eq!(id, books(&shop.erp, &tenant()).await);
    let reopened = EmbeddedErp::open(shop.dir.path()).unwrap();
    assert_eq!(id, books(&reopened, &tenant()).await);
    assert_ne!(id, books(&shop.erp, &"other".parse().unwrap()).await);
    let elsewhere = Shop::new();
    assert_ne!(id, books(&elsewhere.erp, &tenant()).await);
}

#[tokio::test]
async fn a_backup_keeps_the_identity_and_a_tenant_made_anew_has_another() {
    let shop = Shop::new();
    let id = books(&shop.erp, &tenant()).await;
    let backup = Shop::new();
    std::fs::create_dir_all(backup.file().parent().unwrap()).unwrap();
    let db = rusqlite::Connection::open(shop.file()).unwrap();
    db.execute("VACUUM INTO ?1", [backup.file().to_str().unwrap()])
        .unwrap();
    drop(db);
    assert_eq!(id, books(&backup.erp, &tenant()).await);
    shop.erp.forget(&tenant(), None).await.unwrap();
    assert_ne!(id, books(&shop.erp, &tenant()).await);
}

fn account(id: &str) -> Account {
    Account {
        connector: "crm".into(),
        id: id.into(),
        ..Account::default()
    }
}

fn binding(origin: &str) -> Binding {
    Binding {
        kind: "order".into(),
        key: "1".into(),
        origin: origin.into(),
        fingerprint: Some(vec![1]),
    }
}

async fn kept(unit: &mut Box<dyn UnitOfWork>) -> (u64, Vec<Binding>, u64) {
    let bytes = unit.stored_bytes().await.unwrap();
    let bindings = unit.search_bindings(None, None, None, 100).await.unwrap();
    (bytes, bindings.0, unit.timers().await.unwrap())
}

#[tokio::test]
async fn what_a_connection_keeps_of_one_account_is_out_of_sight_under_another() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    assert_eq!(Ok(None), unit.account().await);
    unit.set_account(account("a")).await.unwrap();
    unit.set(vec![("cursor".into(), b"1".to_vec())])
        .await
        .unwrap();
    unit.bind(vec![binding("crm:a:order:1")]).await.unwrap();
    unit.commit().await.unwrap();
    unit.snapshot(1).await.unwrap();
    let of_first = kept(&mut unit).await;

    unit.set_account(account("b")).await.unwrap();
    assert_eq!((0, Vec::new(), 0), kept(&mut unit).await);
    assert_eq!(Ok(false), unit.restore(1).await);
    unit.bind(vec![binding("crm:b:order:1")]).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = shop.unit().await;
    assert_eq!(Ok(Some(account("b"))), unit.account().await);
    // Both pairs stand there for people.
    let listed = shop.all("bindings");
    assert!(
        listed.iter().all(|pair| pair["connection"] == "crm"),
        "{listed:?}"
    );
    assert_eq!(2, listed.len());

    unit.set_account(account("a")).await.unwrap();
    assert_eq!(of_first, kept(&mut unit).await);
    unit.set(vec![("more".into(), b"12".to_vec())])
        .await
        .unwrap();
    assert_eq!(Ok(of_first.0 + 6), unit.stored_bytes().await);
}

#[tokio::test]
async fn that_an_account_was_here_is_remembered_when_its_connection_is_removed() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    for id in ["a", "b"] {
        unit.set_account(account(id)).await.unwrap();
        unit.bind(vec![binding(id)]).await.unwrap();
    }
    unit.commit().await.unwrap();
    drop(unit);
    for _ in 0..2 {
        let forgotten = shop.erp.forget(&tenant(), Some(&connection())).await;
        forgotten.unwrap();
        assert_eq!(0, shop.all("bindings").len());
        let mut unit = shop.unit().await;
        assert_eq!(Ok(None), unit.account().await);
        assert_eq!(Ok(vec![account("a"), account("b")]), unit.accounts().await);
        // The next connection of this name has one of them again.
        unit.set_account(account("a")).await.unwrap();
        unit.commit().await.unwrap();
    }
}
