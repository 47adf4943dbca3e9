use serde_json::json;
use tenon_erp::{Error, Kind};
use tenon_host::platform::Binding;
use tenon_host::report::{Outcome, RunReport};

use crate::support::{Shop, connection, order, tenant};

#[tokio::test]
async fn orders_are_shown_with_their_total() {
    let shop = Shop::new();
    shop.load(
        "orders",
        json!({
            "key": "1", "currency": "UAH", "discount": "1.5",
            "lines": [
                { "id": "1", "quantity": "2", "price": "12.50", "discount": "0.25" },
                { "id": "2", "quantity": "1", "price": "99", "refused": true },
            ],
            "charges": [{ "name": "Wrap", "amount": "3" }],
            "delivery": { "cost": "50" },
        }),
    )
    .await;
    let shown = &shop.all("orders")[0];
    assert_eq!(shown["total"], "76.25");
    assert_eq!(shown["lines"][0]["price"], "12.50");
    assert_eq!(shown["error"], json!(null));
}

#[tokio::test]
async fn pages_cover_all_records_once() {
    let shop = Shop::new();
    let orders: Vec<_> = (0..7)
        .map(|n| json!({ "currency": "UAH", "number": n.to_string() }))
        .collect();
    shop.load("orders", json!(orders)).await;
    let mut numbers = Vec::new();
    let mut after = None;
    loop {
        let page = shop
            .erp
            .page(&tenant(), Kind::Orders, after.as_deref(), 3)
            .unwrap();
        assert!(page.records.len() <= 3);
        numbers.extend(page.records.iter().map(|order| order["number"].clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(numbers, ["0", "1", "2", "3", "4", "5", "6"]);
    assert!(
        shop.erp
            .page(&tenant(), Kind::Orders, Some("x"), 3)
            .is_err()
    );
}

#[tokio::test]
async fn more_records_than_a_page_are_read_to_the_end() {
    let shop = Shop::new();
    let partners: Vec<_> = (0..1201)
        .map(|n| json!({ "name": format!("P{n}") }))
        .collect();
    shop.load("partners", json!(partners)).await;
    assert_eq!(shop.all("partners").len(), 1201);
}

#[tokio::test]
async fn bindings_are_shown_with_their_connection() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    let binding = Binding {
        kind: "order".into(),
        key: "1".into(),
        origin: "o:1".into(),
        fingerprint: Some(vec![0xab, 0x01]),
    };
    unit.bind(vec![binding]).await.unwrap();
    unit.commit().await.unwrap();
    let shown = json!({
        "connection": "crm", "kind": "order", "key": "1", "origin": "o:1", "fingerprint": "ab01",
    });
    assert_eq!(shop.all("bindings"), [shown]);
}

fn report(id: &str, outcome: Outcome) -> RunReport {
    RunReport {
        outcome,
        ..RunReport::begun(
            id,
            connection(),
            "keycrm 0.1.0",
            "orders",
            jiff::Timestamp::UNIX_EPOCH,
        )
    }
}

#[tokio::test]
async fn a_run_has_one_report_and_the_newest_comes_last() {
    let shop = Shop::new();
    let mut unit = shop.unit().await;
    for report in [
        report("2", Outcome::Running),
        report("1", Outcome::Done),
        report("2", Outcome::Done),
        report("3", Outcome::Running),
    ] {
        unit.keep_report(&report).await.unwrap();
    }
    unit.commit().await.unwrap();
    let shown: Vec<RunReport> = shop
        .all("runs")
        .into_iter()
        .map(|run| serde_json::from_value(run).unwrap())
        .collect();
    let expected = [
        report("1", Outcome::Done),
        report("2", Outcome::Done),
        report("3", Outcome::Running),
    ];
    assert_eq!(shown, expected);
    let last = shop.erp.page(&tenant(), Kind::Runs, Some("2"), 10).unwrap();
    assert_eq!(last.records.len(), 1);
}

#[tokio::test]
async fn the_report_of_a_run_is_found_by_its_fence_as_its_last_commit_kept_it() {
    let shop = Shop::new();
    let begun = jiff::Timestamp::from_second(1_800_000_000).unwrap();
    let of = |fence, created| RunReport {
        fence: Some(fence),
        created,
        started_at: begun,
        ..report(
            &format!("{}-{fence}", begun.strftime("%Y%m%dT%H%M%S.%3f")),
            Outcome::Running,
        )
    };
    for (fence, created) in [(7, 50), (7, 100), (8, 1)] {
        let mut unit = shop.unit().await;
        unit.keep_report(&of(fence, created)).await.unwrap();
        unit.commit().await.unwrap();
    }
    let mut cut_off = shop.unit().await;
    cut_off.keep_report(&of(7, 150)).await.unwrap();
    drop(cut_off);
    let (host, tenant, connection) = (shop.host(), tenant(), connection());
    let kept = async |fence| {
        let kept = host.kept_report(&tenant, &connection, begun, fence);
        kept.await.unwrap().map(|report| report.created)
    };
    assert_eq!(Some(100), kept(7).await);
    assert_eq!(Some(1), kept(8).await);
    assert_eq!(None, kept(9).await);
    let later = begun + jiff::SignedDuration::from_secs(1);
    let none = host.kept_report(&tenant, &connection, later, 7).await;
    assert_eq!(Ok(None), none, "a run of that time has another report");
}

#[tokio::test]
async fn reports_are_forgotten_after_ninety_days() {
    let shop = Shop::new();
    let begun = |at: &str| {
        let id = at.replace(['-', ':'], "").replace('Z', ".000-00000001");
        RunReport {
            started_at: at.parse().unwrap(),
            ..report(&id, Outcome::Done)
        }
    };
    for at in [
        "2026-01-01T11:59:59Z",
        "2026-01-01T12:00:00Z",
        "2026-04-01T12:00:00Z",
    ] {
        let mut unit = shop.unit().await;
        unit.keep_report(&begun(at)).await.unwrap();
        unit.commit().await.unwrap();
    }
    let kept = shop.all("runs").into_iter().map(|run| run["id"].clone());
    assert_eq!(
        vec![
            "20260101T120000.000-00000001",
            "20260401T120000.000-00000001"
        ],
        kept.collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn reading_makes_no_tenant() {
    let shop = Shop::new();
    let unknown = shop
        .erp
        .page(&"typo".parse().unwrap(), Kind::Orders, None, 1);
    assert!(matches!(unknown, Err(Error::NoTenant(_))));
    assert_eq!(shop.erp.tenants().unwrap(), []);
    shop.save_order(order("o:1")).await.unwrap();
    assert_eq!(shop.erp.tenants().unwrap(), [tenant()]);
}
