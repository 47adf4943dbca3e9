use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use tenon_erp::{EmbeddedErp, Error};
use tenon_host::model::{Fault, OrderFields};
use tenon_host::platform::Platform;

use crate::support::{Shop, connection, english, order, tenant};

/// Tells the test that it is the process to be killed, and where it works.
const VICTIM: &str = "TENON_ERP_VICTIM";

/// Commits an order and a counter, over and over, and tells of each commit; between two commits it
/// has always written something.
async fn work_until_killed(dir: &Path) {
    let erp = EmbeddedErp::open(dir).unwrap();
    let mut unit = erp.begin(&tenant(), &connection()).await.unwrap();
    for n in 1.. {
        let batch = vec![order(&format!("o:{n}"))];
        unit.save_orders(batch, OrderFields::all()).await.unwrap();
        unit.set(vec![("done".into(), n.to_string().into())])
            .await
            .unwrap();
        unit.commit().await.unwrap();
        println!("\ncommitted {n}");
        let uncommitted = vec![order("o:uncommitted")];
        unit.save_orders(uncommitted, OrderFields::all())
            .await
            .unwrap();
        println!("\nwritten {n}");
        unit.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_process_leaves_its_last_commit_whole() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        return work_until_killed(Path::new(&dir)).await;
    }
    let shop = Shop::new();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "durability::a_killed_process_leaves_its_last_commit_whole",
            "--nocapture",
        ])
        .env(VICTIM, shop.dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(victim.stdout.take().unwrap());
    // Five commits, and then something is written that is not committed.
    let told = told
        .lines()
        .map(Result::unwrap)
        .find(|line| line == "written 5");
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(told.is_some());

    let mut unit = shop.unit().await;
    let done = unit
        .get(vec!["done".into()])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let done: usize = String::from_utf8(done).unwrap().parse().unwrap();
    assert!(done >= 5);
    let origins: Vec<_> = shop
        .all("orders")
        .iter()
        .map(|order| order["origin"].clone())
        .collect();
    let committed: Vec<_> = (1..=done).map(|n| format!("o:{n}")).collect();
    assert_eq!(origins, committed);
}

#[tokio::test]
async fn records_outlive_the_program() {
    let shop = Shop::new();
    shop.save_order(order("o:1")).await.unwrap();
    let Shop { dir, erp } = shop;
    drop(erp);
    let erp = EmbeddedErp::open(dir.path()).unwrap();
    let again = Shop { dir, erp };
    assert_eq!(again.all("orders").len(), 1);
    // Opening anew found its tables and goes on numbering.
    assert_ne!(again.save_order(order("o:2")).await.unwrap().key, "1");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_alone() {
    let shop = Shop::new();
    shop.save_order(order("o:1")).await.unwrap();
    let db = rusqlite::Connection::open(shop.file()).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    let erp = EmbeddedErp::open(shop.dir.path()).unwrap();
    let error = erp.begin(&tenant(), &connection()).await.err().unwrap();
    assert!(
        matches!(&error, Fault::Configuration(why) if english(why).contains("newer")),
        "{error:?}"
    );
    let error = erp
        .page(&tenant(), tenon_erp::Kind::Orders, None, 1)
        .unwrap_err();
    assert!(matches!(error, Error::Newer(_)));
    let version: i64 = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, 999);
}

#[tokio::test]
async fn what_is_no_database_is_damaged_and_no_panic() {
    let shop = Shop::new();
    std::fs::write(shop.file(), [b'x'; 4096]).unwrap();
    let error = shop
        .erp
        .begin(&tenant(), &connection())
        .await
        .err()
        .unwrap();
    assert!(
        matches!(&error, Fault::Configuration(why) if english(why).contains("is damaged")),
        "{error:?}"
    );
}

#[tokio::test]
async fn many_openers_at_once_make_the_tables_once() {
    let shop = Shop::new();
    let openers: Vec<_> = (0..8)
        .map(|n| {
            // Each has connections of its own, as processes have.
            let erp = EmbeddedErp::open(shop.dir.path()).unwrap();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build();
                runtime.unwrap().block_on(async {
                    let mut unit = erp.begin(&tenant(), &connection()).await.unwrap();
                    let saved =
                        unit.save_orders(vec![order(&format!("o:{n}"))], OrderFields::all());
                    saved.await.unwrap().remove(0).unwrap();
                    unit.commit().await.unwrap();
                });
            })
        })
        .collect();
    for opener in openers {
        opener.join().unwrap();
    }
    assert_eq!(shop.all("orders").len(), 8);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let erp = EmbeddedErp::open(&dir.path().join("data")).unwrap();
    let mut unit = erp.begin(&tenant(), &connection()).await.unwrap();
    unit.set(vec![("a".into(), vec![1])]).await.unwrap();
    unit.commit().await.unwrap();
    let mode = |path: &str| {
        let metadata = std::fs::metadata(dir.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    for folder in ["data", "data/tenants"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    for file in ["shop.sqlite", "shop.sqlite-wal", "shop.sqlite-shm"] {
        assert_eq!(mode(&format!("data/tenants/{file}")), 0o600, "{file}");
    }
}
