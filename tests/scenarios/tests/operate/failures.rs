//! Records that could not be taken stay listed until there is a reason to take them off.

use serde_json::{Value, json};
use tenon_scenarios::server::Server;

use crate::ledger::{LEDGER, add, idle, server};

/// The failed records of the connection, once it has nothing to do.
async fn failed(server: &Server) -> Vec<String> {
    idle(server, LEDGER).await;
    let failed = server.get(&format!("{LEDGER}/failed")).await;
    let items = failed["items"].as_array().expect("records").iter();
    let id = |record: &Value| record["id"].as_str().expect("an id").to_owned();
    items.map(id).collect()
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
async fn only_the_records_that_people_ask_for_again_leave_with_the_run_that_answers() {
    let server = server(&[]).await;
    add(&server, LEDGER, "reject:77").await;
    add(&server, LEDGER, "reject:78").await;
    assert_eq!(vec!["77", "78"], failed(&server).await);
    let retry = format!("{LEDGER}/failed/retry");
    let some = json!({ "records": [{ "kind": "order", "id": "77" }] });
    assert_eq!(1, server.post(&retry, some).await["retried"]);
    assert_eq!(vec!["78"], failed(&server).await);
    let remove = format!("{LEDGER}/failed?kind=order&id=78");
    assert_eq!(
        204,
        server.try_api("DELETE", &remove, Value::Null).await.status
    );
    assert_eq!(
        404,
        server.try_api("DELETE", &remove, Value::Null).await.status
    );
    assert!(failed(&server).await.is_empty());
}
