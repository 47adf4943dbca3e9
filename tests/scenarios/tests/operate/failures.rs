//! Records that could not be taken stay listed until there is a reason to take them off.

use serde_json::{Value, json};
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, idle, server};

/// The failed records of the connection, once it has nothing to do.
async fn failed(server: &Server) -> Vec<String> {
    idle(server, LEDGER).await;
    let failed = server.get(&format!("{LEDGER}/failed")).await;
    let items = failed["items"].as_array().expect("records").iter();
    let label = |record: &Value| record["label"].as_str().expect("a label").to_owned();
    items.map(label).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_record_stays_listed_until_a_run_takes_it_whatever_else_its_job_does() {
    let server = server(&[]).await;
    add(&server, LEDGER, "reject:77").await;
    add(&server, LEDGER, "reject:78").await;
    assert_eq!(vec!["77", "78"], failed(&server).await);
    // That is how a webhook asks, and how a schedule does.
    add(&server, LEDGER, "other").await;
    assert_eq!(vec!["77", "78"], failed(&server).await);
    let run = format!("{LEDGER}/jobs/add/run");
    server.post(&run, json!({})).await;
    assert_eq!(vec!["77", "78"], failed(&server).await);
    add(&server, LEDGER, "take:77").await;
    assert_eq!(vec!["78"], failed(&server).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_takes_no_record_off_the_list_that_nobody_tried() {
    let server = server(&[]).await;
    add(&server, LEDGER, "reject:77").await;
    add(&server, LEDGER, "reject:78").await;
    assert_eq!(vec!["77", "78"], failed(&server).await);
    // The ledger tries none of them again by itself.
    let retry = format!("{LEDGER}/failed/retry");
    let some = json!({ "records": [{ "kind": "order", "id": "ledger:books:order:77" }] });
    assert_eq!(1, server.post(&retry, some).await["retried"]);
    let all = json!({ "all": true });
    assert_eq!(2, server.post(&retry, all).await["retried"]);
    let run = idle(&server, LEDGER).await["last_run"].clone();
    assert_eq!("done", run["outcome"], "{run}");
    assert_eq!(vec!["77", "78"], failed(&server).await);
    // A run that has tried one says what came of it.
    add(&server, LEDGER, "take:77").await;
    add(&server, LEDGER, "drop:78").await;
    assert!(failed(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_gets_the_key_of_a_rejected_ones_id_leaves_it_listed() {
    let server = server(&[]).await;
    add(&server, LEDGER, "reject:1041").await;
    add(&server, LEDGER, "made:1041").await;
    add(&server, LEDGER, "made:ledger:books:order:1041").await;
    assert_eq!(vec!["1041"], failed(&server).await);
    add(&server, LEDGER, "take:1041").await;
    assert!(failed(&server).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn people_take_a_record_off_the_list_by_the_name_that_it_has_on_its_side() {
    let server = server(&[]).await;
    add(&server, LEDGER, "reject:78").await;
    assert_eq!(vec!["78"], failed(&server).await);
    let removed = async |side: &str| {
        let name = format!("kind=order&id=ledger:books:order:78{side}");
        let path = format!("{LEDGER}/failed?{name}");
        server.try_api("DELETE", &path, Value::Null).await.status
    };
    assert_eq!(404, removed("&side=platform").await);
    assert_eq!(204, removed("&side=counterpart").await);
    assert_eq!(404, removed("").await);
    assert!(failed(&server).await.is_empty());
}
