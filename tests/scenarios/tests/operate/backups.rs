//! Backups that are taken while a server works, and what becomes of a folder that is not whole.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use rusqlite::Connection;
use serde_json::{Value, json};
use tenon_scenarios::component;
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, connect, entries, idle, server};

const OTHER: &str = "/tenants/other/connections/ledger";

/// A server with a ledger in each of two tenants.
async fn two_tenants() -> Server {
    let server = server(&[]).await;
    server.tenant("other").await;
    connect(&server, "other", "ledger").await;
    for connection in [LEDGER, OTHER] {
        add(&server, connection, "1").await;
        idle(&server, connection).await;
    }
    server
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What becomes of a connection whose run cannot be begun.
async fn paused(server: &Server, connection: &str) -> String {
    let paused = |connection: &Value| connection["state"] == "paused";
    let connection = server.until(connection, paused).await;
    let why = connection["paused_reason"].as_str().expect("a reason");
    why.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_while_entries_are_made_is_a_server_that_has_all_it_believes_done() {
    let server = two_tenants().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (backup, copy) = (folder.path().join("backup"), folder.path().join("copy"));
    let mut last = 1;
    let making = async {
        for number in 2..60 {
            add(&server, LEDGER, &number.to_string()).await;
            last = number;
        }
    };
    let arguments = ["backup", "--to", text(&backup), "--json"].map(str::to_owned);
    let data = server.folder().to_owned();
    let backing = tokio::task::spawn_blocking(move || {
        std::process::Command::new(tenon_scenarios::target().join("release/tenon"))
            .args(arguments)
            .arg("--data")
            .arg(data)
            .output()
            .expect("`tenon`")
    });
    let (made, ()) = tokio::join!(backing, making);
    let made = made.expect("an end");
    assert!(made.status.success(), "{made:?}");
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    assert_eq!(json!(["other", "shop"]), made["tenants"]);
    assert!(!backup.join("key").exists());

    let restore = ["restore", "--from", text(&backup), "--data", text(&copy)];
    let restored = std::process::Command::new(tenon_scenarios::target().join("release/tenon"))
        .args(restore)
        .output()
        .expect("`tenon`");
    assert!(restored.status.success(), "{restored:?}");
    let again = server.start_on_copy(&copy);
    // All that the copy believes done is there, and what it had on its list is done by now.
    let (_, found) = entries(&again, LEDGER).await;
    let runs = again.get(&format!("{LEDGER}/runs?limit=500")).await;
    let runs = runs["items"].as_array().expect("runs").iter();
    let done: Vec<&str> = (runs.filter(|run| run["job"] == "add" && run["outcome"] == "done"))
        .filter_map(|run| run["argument"].as_str())
        .collect();
    assert!(done.contains(&"1"), "{done:?}");
    assert!(
        done.iter().all(|one| found.contains(&(*one).to_owned())),
        "{done:?} {found:?}"
    );
    let (_, all) = entries(&server, LEDGER).await;
    assert!(all.contains(&last.to_string()), "{all:?}");
    assert!(found.iter().all(|one| all.contains(one)), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_control_database_beside_newer_files_of_tenants_goes_on_at_once() {
    let mut server = two_tenants().await;
    server.terminate();
    let file = server.folder().join("tenants/shop.sqlite");
    let db = Connection::open(&file).expect("the file");
    // As if the control database were a day of claims older.
    let raised = db.execute("UPDATE fences SET token = token + 86400000", []);
    assert_eq!(1, raised.expect("an edit"));
    drop(db);
    server.resume();
    add(&server, LEDGER, "2").await;
    idle(&server, LEDGER).await;
    let runs = server.get(&format!("{LEDGER}/runs")).await;
    assert_eq!("done", runs["items"][0]["outcome"], "{runs:#}");
    assert_eq!(2, entries(&server, LEDGER).await.1.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_without_its_file_is_refused_alone_until_its_file_is_put_back() {
    let mut server = two_tenants().await;
    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup");
    let made = server.tenon(&["backup", "--to", text(&backup), "--tenant", "shop"]);
    assert!(made.status.success(), "{made:?}");
    let refused = server.tenon(&["restore", "--from", text(&backup), "--tenant", "shop"]);
    assert!(said(&refused).contains("stop it first"), "{refused:?}");

    let file = server.folder().join("tenants/shop.sqlite");
    server.terminate();
    for emptied in [false, true] {
        match emptied {
            false => fs::remove_file(&file).expect("it was there"),
            true => fs::write(&file, "").expect("a file"),
        }
        server.resume();
        // Before anything of it has run.
        let seen = server.get(LEDGER).await;
        assert_eq!("paused", seen["state"]);
        let why = seen["paused_reason"].as_str().expect("a reason");
        assert!(why.contains("missing or empty"), "{why}");
        let enable = format!("{LEDGER}/enable");
        let refused = server.try_api("POST", &enable, Value::Null).await;
        assert_eq!(422, refused.status, "{refused:?}");
        assert_eq!("platform.file-lost", refused.body["why"]["code"]);
        assert!(server.log().contains("shop.sqlite"), "{}", server.log());
        let records = server.tenon(&["records", "orders", "--tenant", "shop"]);
        assert!(said(&records).contains("missing or empty"), "{records:?}");
        add(&server, OTHER, "2").await;
        assert_eq!("on", idle(&server, OTHER).await["state"]);
        server.terminate();
        assert_eq!(emptied, file.exists());
    }
    let restored = server.tenon(&["restore", "--from", text(&backup), "--tenant", "shop"]);
    assert!(restored.status.success(), "{restored:?}");
    server.resume();
    // What was paused for that alone goes on by itself.
    assert_eq!("on", idle(&server, LEDGER).await["state"]);
    add(&server, LEDGER, "3").await;
    idle(&server, LEDGER).await;
    let (_, found) = entries(&server, LEDGER).await;
    assert!(found.contains(&"1".to_owned()), "{found:?}");
    assert!(found.contains(&"3".to_owned()), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_pauses_its_tenant_alone_and_is_left_out_of_a_backup_by_its_name() {
    let mut server = two_tenants().await;
    let file = server.folder().join("tenants/shop.sqlite");
    server.terminate();
    let whole = fs::read(&file).expect("a file");
    let mut spoiled = whole.clone();
    spoiled[8192..].fill(b'x');
    // One that opens, so that only a run finds out; then one that does not.
    for (bytes, runs) in [(spoiled, true), (vec![b'x'; 8192], false)] {
        fs::write(&file, bytes).expect("a file");
        server.resume();
        if runs && server.get(LEDGER).await["state"] == "on" {
            let tell = format!("{LEDGER}/jobs/tell/run");
            server.post(&tell, json!({})).await;
        }
        let why = paused(&server, LEDGER).await;
        assert!(why.contains("damaged"), "{why}");
        if runs {
            server.terminate();
        }
    }
    add(&server, OTHER, "2").await;
    assert_eq!("on", idle(&server, OTHER).await["state"]);
    let records = server.try_api("GET", "/tenants/shop/records/orders", Value::Null);
    assert_eq!(422, records.await.status);

    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup");
    let made = server.tenon(&["backup", "--to", text(&backup)]);
    assert_eq!(Some(1), made.status.code(), "{made:?}");
    assert!(
        said(&made).contains("left out tenants/shop.sqlite"),
        "{made:?}"
    );
    assert!(backup.join("tenants/other.sqlite").exists());
    assert!(!backup.join("tenants/shop.sqlite").exists());
}

#[test]
fn a_backup_that_was_changed_or_not_finished_is_not_restored() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let backup = folder.path().join("backup");
    let made = server.tenon(&["backup", "--to", text(&backup)]);
    assert!(made.status.success(), "{made:?}");
    let restore = |to: &str| {
        let to = folder.path().join(to);
        let restored = std::process::Command::new(tenon_scenarios::target().join("release/tenon"))
            .args(["restore", "--from", text(&backup), "--data", text(&to)])
            .output();
        (restored.expect("`tenon`"), to)
    };
    let into_itself = server.tenon(&["backup", "--to", text(&backup)]);
    assert!(said(&into_itself).contains("already"), "{into_itself:?}");

    let control = backup.join("control.sqlite");
    let mut bytes = fs::read(&control).expect("a file");
    *bytes.last_mut().expect("bytes") ^= 1;
    fs::write(&control, bytes).expect("a file");
    let (changed, to) = restore("changed");
    assert!(
        said(&changed).contains("not those of its SHA-256"),
        "{changed:?}"
    );
    assert!(!to.join("control.sqlite").exists());
    // Nor does a server take the folder for a new one.
    let served = std::process::Command::new(tenon_scenarios::target().join("release/tenon"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data", text(&to)])
        .output()
        .expect("`tenon`");
    assert_eq!(Some(2), served.status.code());
    assert!(said(&served).contains("broke off"), "{served:?}");
    assert!(!to.join("control.sqlite").exists());
    fs::remove_file(backup.join("backup.json")).expect("it was there");
    let (unfinished, _) = restore("unfinished");
    assert!(said(&unfinished).contains("no backup"), "{unfinished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_that_can_be_used_a_server_is_not_ready_and_says_what_to_do() {
    let mut server = Server::start(&[]);
    server.install(component("keycrm")).await;
    server.tenant("shop").await;
    let connection = json!({ "id": "keycrm", "connector": "keycrm" });
    server.post("/tenants/shop/connections", connection).await;
    let credential = "/tenants/shop/connections/keycrm/credentials/api_key";
    let secret = json!({ "secret": "s3cret" });
    server.api("PUT", credential, secret.clone()).await;
    server.terminate();
    let key = server.folder().join("key");
    let away = server.folder().join("away");
    let readable = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode));
    for missing in [false, true] {
        match missing {
            false => readable(0o644).expect("a mode"),
            true => fs::rename(&key, &away).expect("a new name"),
        }
        server.resume();
        let ready = || {
            server
                .client()
                .get(format!("{}/readyz", server.url()))
                .send()
        };
        let answer = ready().await.expect("an answer");
        assert_eq!(503, answer.status().as_u16());
        let told = answer.text().await.expect("text");
        assert!(
            told.contains("`key`") && told.contains("mode 600"),
            "{told}"
        );
        let refused = server.try_api("PUT", credential, secret.clone()).await;
        assert_eq!(422, refused.status, "{refused:?}");
        assert_eq!("key_unusable", refused.body["code"]);
        match missing {
            false => readable(0o600).expect("a mode"),
            true => fs::rename(&away, &key).expect("its name"),
        }
        // What a probe found may be told once more.
        while ready().await.expect("an answer").status().as_u16() != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        server.api("PUT", credential, secret.clone()).await;
        server.terminate();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_is_damaged_or_gone_is_left_out_by_its_name_and_healed_by_its_bytes() {
    let mut server = two_tenants().await;
    let wasm = component("keycrm");
    let digest = server.install(wasm.clone()).await;
    let file = server.folder().join(format!("components/{digest}.wasm"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut spoiled = wasm.clone();
    *spoiled.last_mut().expect("bytes") ^= 1;
    for (name, bytes) in [("damaged", Some(spoiled)), ("gone", None)] {
        match bytes {
            Some(bytes) => fs::write(&file, bytes).expect("a file"),
            None => fs::remove_file(&file).expect("it was there"),
        }
        let backup = folder.path().join(name);
        let made = server.tenon(&["backup", "--to", text(&backup)]);
        assert_eq!(Some(1), made.status.code(), "{made:?}");
        assert!(said(&made).contains(&digest), "{made:?}");
        // Who restores it learns of that, too.
        let to = folder.path().join(format!("{name}-restored"));
        let restored = std::process::Command::new(tenon_scenarios::target().join("release/tenon"))
            .args(["restore", "--from", text(&backup), "--data", text(&to)])
            .output()
            .expect("`tenon`");
        assert_eq!(Some(1), restored.status.code(), "{restored:?}");
        assert!(said(&restored).contains(&digest), "{restored:?}");
    }
    server.terminate();
    server.resume();
    let connection = json!({ "id": "crm", "connector": "keycrm", "digest": digest });
    server.post("/tenants/shop/connections", connection).await;
    let check = "/tenants/shop/connections/crm/check";
    let checked = server.try_api("POST", check, Value::Null).await;
    assert_eq!(
        "server.component-lost", checked.body["why"]["code"],
        "{checked:?}"
    );
    assert_eq!(digest, server.install(wasm).await);
    let checked = server.try_api("POST", check, Value::Null).await;
    assert_eq!("credential_missing", checked.body["code"], "{checked:?}");
    let backup = folder.path().join("whole");
    let made = server.tenon(&["backup", "--to", text(&backup)]);
    assert!(made.status.success(), "{made:?}");
    let within = server.folder().join("backup");
    let refused = server.tenon(&["backup", "--to", text(&within)]);
    assert_eq!(Some(2), refused.status.code(), "{refused:?}");
    assert!(!within.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_has_lost_its_control_database_is_taken_for_no_new_one() {
    let mut server = two_tenants().await;
    server.terminate();
    let control = server.folder().join("control.sqlite");
    fs::remove_file(&control).expect("it was there");
    let data = server.folder();
    let served = std::process::Command::new(tenon_scenarios::target().join("release/tenon"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data", text(&data)])
        .output()
        .expect("`tenon`");
    assert_eq!(Some(2), served.status.code(), "{served:?}");
    assert!(
        said(&served).contains("control.sqlite is missing"),
        "{served:?}"
    );
    assert!(!control.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_control_database_is_damaged_is_not_ready() {
    let mut server = two_tenants().await;
    server.terminate();
    let file = server.folder().join("control.sqlite");
    let db = Connection::open(&file).expect("a database");
    let (page, size): (u64, u64) = db
        .query_row(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema
             WHERE name = 'webhooks_given_up'",
            [],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?.unsigned_abs(),
                    row.get::<_, i64>(1)?.unsigned_abs(),
                ))
            },
        )
        .expect("a page");
    drop(db);
    let mut bytes = fs::read(&file).expect("a file");
    let at = usize::try_from((page - 1) * size).expect("a place");
    bytes[at..at + 100].fill(0xa5);
    fs::write(&file, bytes).expect("a file");
    server.resume();
    let ready = async || {
        let asked = server
            .client()
            .get(format!("{}/readyz", server.url()))
            .send();
        let answer = asked.await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    // Until it is read from its beginning to its end, what was asked of it may have failed.
    let damaged = async {
        loop {
            let (status, said) = ready().await;
            if said.contains("damaged") {
                return status;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let status = tokio::time::timeout(std::time::Duration::from_secs(60), damaged).await;
    assert_eq!(Ok(503), status, "nobody says that it is damaged");
}
