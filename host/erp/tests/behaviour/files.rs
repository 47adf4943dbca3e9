//! What happens with a tenant's file, whole or not.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};

use tenon_erp::{EmbeddedErp, Error};
use tenon_host::model::Fault;
use tenon_host::platform::Platform as _;

use crate::support::{Shop, connection, tenant};

/// Why a unit over the tenant's file cannot begin.
async fn refused(erp: &EmbeddedErp) -> String {
    match erp.begin(&tenant(), &connection()).await.err() {
        Some(Fault::Configuration(why)) => why.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_is_expected_and_missing_or_empty_is_refused_and_none_is_made() {
    let shop = Shop::new();
    drop(shop.unit().await);
    shop.erp.expect_files();
    drop(shop.unit().await);
    // Also while a connection to it lies ready.
    fs::remove_file(shop.file()).unwrap();
    assert_eq!("platform.file-lost", refused(&shop.erp).await);
    assert!(!shop.file().exists());
    fs::write(shop.file(), "").unwrap();
    assert_eq!("platform.file-lost", refused(&shop.erp).await);
    assert_eq!(0, shop.file().metadata().unwrap().len());
    assert!(matches!(
        shop.erp.page(&tenant(), "orders".parse().unwrap(), None, 1),
        Err(Error::Lost(_))
    ));
    // One that holds no tables is as empty.
    rusqlite::Connection::open(shop.file())
        .unwrap()
        .execute_batch("PRAGMA journal_mode = WAL")
        .unwrap();
    assert_eq!("platform.file-lost", refused(&shop.erp).await);

    fs::remove_file(shop.file()).unwrap();
    shop.erp.create(&tenant()).unwrap();
    drop(shop.unit().await);
}

#[tokio::test]
async fn a_damaged_file_is_refused_for_good_and_says_so() {
    let shop = Shop::new();
    drop(shop.unit().await);
    drop(shop.erp);
    let mut file = File::options()
        .write(true)
        .open(shop.dir.path().join("tenants/shop.sqlite"));
    let file = file.as_mut().unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&[7; 4096]).unwrap();
    let erp = EmbeddedErp::open(shop.dir.path()).unwrap();
    assert_eq!("platform.file-damaged", refused(&erp).await);
}

#[tokio::test]
async fn the_highest_fence_of_all_files_is_known_and_a_damaged_one_has_no_part_in_it() {
    let shop = Shop::new();
    assert_eq!(0, shop.erp.highest_fence().unwrap());
    shop.unit().await.fence(7).await.unwrap();
    let other = "other".parse().unwrap();
    let mut unit = shop.erp.begin(&other, &connection()).await.unwrap();
    unit.fence(9).await.unwrap();
    fs::write(shop.dir.path().join("tenants/bad.sqlite"), "no database").unwrap();
    assert_eq!(9, shop.erp.highest_fence().unwrap());
}
