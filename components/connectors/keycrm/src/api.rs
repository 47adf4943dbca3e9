//! KeyCRM's API, typed: what is asked for and what comes back (OpenAPI 1.2.0 and what live
//! accounts are known to send beyond it).
//!
//! Only fields that the mapping uses are read. They borrow from the answer, and an order's hash
//! over them is its fingerprint; what must not count as a change is an [`Aside`].

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tenon_sdk::flow::pull::{self, By, Unreadable, Window};
use tenon_sdk::http::{Answer, Api, Error};
use tenon_sdk::lenient::{Aside, Flag, Id, List, Object, Rounded, Text};
use tenon_sdk::model::{Fault, Instant};
use tenon_sdk::paging::{self, Facts, Step};
use tenon_sdk::{reason, record, time};

use crate::KeyCrm;

/// Relations of an order. There is none for its source.
const INCLUDE: &str = "buyer,products.offer,manager,status,payments,shipping.deliveryService";

/// The largest page KeyCRM gives.
pub const PAGE_SIZE: u64 = 50;

/// Status groups from here on are final: completed and cancelled.
const FIRST_FINAL_GROUP: i64 = 5;

/// The API of one account.
#[derive(Clone, Debug)]
pub struct Crm(Api);

impl Crm {
    /// The account behind the credential.
    ///
    /// # Errors
    /// `configuration` when the settings hold no address.
    pub fn open() -> Result<Crm, Fault> {
        KeyCrm::crm().map(Crm)
    }

    /// A page of the orders in a window, by ascending id, so that new orders do not shift pages.
    ///
    /// # Errors
    /// The fault that the answer came to.
    pub fn orders(&self, window: &Window, page: u64, size: u64) -> Result<Answer, Fault> {
        Ok(self
            .page("/order", page, size)
            .query("include", INCLUDE)
            .query("sort", "id")
            .query(filter(window), &ends(window))
            .send()?)
    }

    /// One order; none when it is gone.
    ///
    /// # Errors
    /// The fault that the answer came to.
    pub fn order(&self, id: &str) -> Result<Option<Answer>, Fault> {
        let call = self.0.get(&format!("/order/{id}"));
        match call.query("include", INCLUDE).send() {
            Ok(answer) => Ok(Some(answer)),
            Err(Error::Status(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// All orders of a status in a window, without what they hold.
    ///
    /// # Errors
    /// The fault that an answer came to.
    pub fn orders_of(&self, status: i64, window: &Window) -> Result<Vec<Placed>, Fault> {
        let status = status.to_string();
        let query = [
            ("sort", "id"),
            ("filter[status_id]", &status),
            (filter(window), &ends(window)),
        ];
        self.all("/order", &query)
    }

    /// All statuses that are in use.
    ///
    /// # Errors
    /// The fault that an answer came to.
    pub fn statuses(&self) -> Result<Vec<Named>, Fault> {
        self.all("/order/status", &[])
    }

    /// All sources; none when this account or key may not read them.
    ///
    /// # Errors
    /// The fault that an answer came to.
    pub fn sources(&self) -> Result<Vec<Named>, Fault> {
        match self.entries("/order/source", &[]) {
            Err(Error::Status(status)) if matches!(status.code, 403 | 404) => Ok(Vec::new()),
            sources => Ok(sources?),
        }
    }

    /// A page of offers with their products; of all, or of these products.
    ///
    /// # Errors
    /// The fault that the answer came to.
    pub fn offers(&self, products: Option<&[i64]>, page: u64) -> Result<Answer, Fault> {
        let mut call = self
            .page("/offers", page, PAGE_SIZE)
            .query("include", "product")
            .query("sort", "id");
        if let Some(products) = products {
            call = call.query("filter[product_id]", &comma_list(products));
        }
        Ok(call.send()?)
    }

    /// All entries of a dictionary.
    ///
    /// # Errors
    /// The fault that an answer came to.
    pub fn all<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Fault> {
        Ok(self.entries(path, query)?)
    }

    fn entries<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        let mut page = 1;
        let mut before = None;
        loop {
            let mut call = self.page(path, page, PAGE_SIZE);
            for (name, value) in query {
                call = call.query(name, value);
            }
            let answer = call.send()?;
            let list: Page<T> = answer.json()?;
            let step = paging::next(&list.facts(page, PAGE_SIZE), None);
            // A server that knows no pages gives the same one over and over.
            let rows: Page<&RawValue> = answer.json()?;
            let first = rows.data.first().map(|raw| raw.get().to_owned());
            if first.is_some() && first == before {
                return Ok(all);
            }
            before = first;
            all.extend(list.data);
            match step {
                Step::Read(next) => page = next,
                Step::End => return Ok(all),
            }
        }
    }

    /// The first page of a dictionary; none when this account or key may not read it.
    ///
    /// # Errors
    /// The fault that the answer came to.
    pub fn first_page(&self, path: &str) -> Result<Option<Vec<Named>>, Fault> {
        match self.page(path, 1, PAGE_SIZE).query("sort", "id").send() {
            Ok(answer) => Ok(Some(answer.json::<Page<Named>>()?.data)),
            Err(Error::Status(status)) if matches!(status.code, 403 | 404) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn page(&self, path: &str, page: u64, size: u64) -> tenon_sdk::http::Call<'_> {
        self.0
            .get(path)
            .query("limit", &size.to_string())
            .query("page", &page.to_string())
    }
}

/// The filter of a window. By "created" KeyCRM means when an order was placed.
fn filter(window: &Window) -> &'static str {
    match window.by {
        By::Placed => "filter[created_between]",
        By::Changed => "filter[updated_between]",
    }
}

/// Both ends of a window, as the filter takes them.
fn ends(window: &Window) -> String {
    let text = time::utc_text;
    format!("{},{}", text(window.from), text(window.to))
}

fn comma_list(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    ids.join(",")
}

/// A page of any list.
#[derive(Deserialize)]
pub struct Page<T> {
    #[serde(default)]
    total: Id,
    #[serde(default)]
    per_page: Id,
    #[serde(default)]
    last_page: Id,
    #[serde(default, deserialize_with = "told", rename = "next_page_url")]
    has_next: Option<bool>,
    /// The records.
    pub data: Vec<T>,
}

impl<T> Page<T> {
    /// What the page says about itself; `page` and `size` are what it was asked for by.
    pub fn facts(&self, page: u64, size: u64) -> Facts {
        let count = |id: Id| id.get().and_then(|count| u64::try_from(count).ok());
        Facts {
            page,
            asked: size,
            rows: self.data.len() as u64,
            total: count(self.total),
            per_page: count(self.per_page).filter(|size| *size > 0),
            last_page: count(self.last_page).filter(|last| *last > 0),
            has_next: self.has_next,
        }
    }
}

/// Tells `null` from a value; a missing key is the field's default.
fn told<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Option::<IgnoredAny>::deserialize(deserializer).map(|next| Some(next.is_some()))
}

/// Reads a page of orders. One that is malformed spoils no other.
///
/// # Errors
/// `transient` when the page as a whole is no list.
pub fn order_page(answer: &Answer, page: u64, size: u64) -> Result<pull::Page<Order<'_>>, Fault> {
    read_orders(answer.text()?, page, size).map_err(|error| answer.misread(&error))
}

/// Nearly always all orders are readable, so they are first read in one go.
fn read_orders(
    text: &str,
    page: u64,
    size: u64,
) -> Result<pull::Page<Order<'_>>, serde_json::Error> {
    if let Ok(list) = serde_json::from_str::<Page<Order>>(text) {
        return Ok(pull::Page {
            facts: list.facts(page, size),
            rows: list.data.into_iter().map(Ok).collect(),
        });
    }
    let list: Page<&RawValue> = serde_json::from_str(text)?;
    Ok(pull::Page {
        facts: list.facts(page, size),
        rows: list.data.iter().map(|raw| read_order(raw.get())).collect(),
    })
}

/// Reads the answer of a single order that was asked for by this id.
///
/// # Errors
/// `transient` when it is no JSON at all.
pub fn single_order<'a>(
    id: &str,
    answer: &'a Answer,
) -> Result<Result<Order<'a>, Unreadable>, Fault> {
    let raw: &RawValue = answer.json()?;
    Ok(read_order(raw.get()).map_err(|unreadable| Unreadable {
        id: Some(id.to_owned()),
        ..unreadable
    }))
}

fn read_order(json: &str) -> Result<Order<'_>, Unreadable> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Known {
        id: Id,
    }

    if let Ok(order) = serde_json::from_str(json) {
        return Ok(order);
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| Unreadable {
        id: serde_json::from_str::<Known>(json)
            .ok()
            .and_then(|known| known.id.get())
            .map(|id| id.to_string()),
        reason: Box::new(
            match error.path().to_string().as_str() {
                "." => reason!("order.broken"),
                path => reason!("order.unreadable", field = path),
            }
            .detail(error.inner()),
        ),
    })
}

/// Money: KeyCRM keeps hundredths.
pub type Money = Rounded<2>;

/// Money for one unit, which may be divided further.
pub type UnitPrice = Rounded<4>;

/// How many units.
pub type Quantity = Rounded<4>;

/// An order of which nothing matters but when it was placed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Placed {
    /// Id.
    pub id: Id,
    ordered_at: Option<String>,
}

impl Placed {
    /// When it was placed.
    pub fn placed(&self) -> Option<Instant> {
        time::parse(self.ordered_at.as_deref()?).ok()
    }
}

/// An order.
#[record]
pub struct Order<'a> {
    /// Id.
    pub id: Id,
    /// Where it came from.
    pub source_id: Id,
    /// Its number there.
    pub source_uuid: Text<'a>,
    /// Status.
    pub status_id: Id,
    /// Group of the status, 1 to 6.
    pub status_group_id: Id,
    /// What the customer pays in all.
    pub grand_total: Money,
    /// Discount of the whole order.
    pub total_discount: Money,
    /// Delivery fee.
    pub shipping_price: Money,
    /// Gift wrap.
    pub wrap_price: Money,
    /// Taxes.
    pub taxes: Money,
    /// Promo code.
    pub promocode: Text<'a>,
    /// Note of the manager.
    pub manager_comment: Text<'a>,
    /// Note of the buyer.
    pub buyer_comment: Text<'a>,
    /// When it was placed.
    pub ordered_at: Text<'a>,
    /// When it came into the CRM.
    pub created_at: Text<'a>,
    /// When it changed last.
    pub updated_at: Aside<Text<'a>>,
    /// When it was deleted.
    pub deleted_at: Aside<Text<'a>>,
    /// Who buys.
    pub buyer: Object<Buyer<'a>>,
    /// Lines.
    pub products: List<Line<'a>>,
    /// Who answers for it.
    pub manager: Object<Manager<'a>>,
    /// Status in words.
    pub status: Object<Status<'a>>,
    /// Delivery.
    pub shipping: Object<Shipping<'a>>,
    /// Payments and expenses.
    pub payments: List<Payment<'a>>,
}

impl Order<'_> {
    /// Group of its status, 1 to 6.
    pub fn group(&self) -> Option<i64> {
        let status = self.status.get().and_then(|status| status.group_id.get());
        self.status_group_id.get().or(status)
    }
}

impl pull::Row for Order<'_> {
    fn id(&self) -> Option<String> {
        self.id.get().map(|id| id.to_string())
    }

    fn placed(&self) -> Option<Instant> {
        let text = self.ordered_at.get().or(self.created_at.get())?;
        time::parse(text).ok()
    }

    fn changed(&self) -> Option<Instant> {
        time::parse(self.updated_at.0.get()?).ok()
    }

    fn is_final(&self) -> bool {
        self.group().is_some_and(|group| group >= FIRST_FINAL_GROUP)
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.0.get().is_some()
    }
}

/// Who buys.
#[record]
pub struct Buyer<'a> {
    /// Id.
    pub id: Id,
    /// Name.
    pub full_name: Text<'a>,
    /// Phones: one string in orders, a list elsewhere.
    pub phone: List<Text<'a>>,
    /// E-mails: one string in orders, a list elsewhere.
    pub email: List<Text<'a>>,
}

/// A line of an order.
#[record]
pub struct Line<'a> {
    /// Id.
    pub id: Id,
    /// SKU.
    pub sku: Text<'a>,
    /// Name as ordered.
    pub name: Text<'a>,
    /// For one unit, before discounts.
    pub price: UnitPrice,
    /// For one unit, after discounts.
    pub price_sold: UnitPrice,
    /// Discount of one unit.
    pub total_discount: UnitPrice,
    /// How many units.
    pub quantity: Quantity,
    /// Unit; none means the piece.
    pub unit_type: Text<'a>,
    /// What tells the variant, and whatever the source has added.
    pub properties: List<Property<'a>>,
    /// The catalogue's item; none for one-off lines.
    pub offer: Object<Offer<'a>>,
}

/// A size, a colour…
#[record]
pub struct Property<'a> {
    /// What it is.
    pub name: Text<'a>,
    /// Its value.
    pub value: Text<'a>,
}

/// An item of the catalogue: a product, or one variant of it.
#[record]
pub struct Offer<'a> {
    /// Id.
    pub id: Id,
    /// The product it belongs to.
    pub product_id: Id,
    /// SKU.
    pub sku: Text<'a>,
    /// Barcode.
    pub barcode: Text<'a>,
    /// What tells it from its siblings.
    pub properties: List<Property<'a>>,
    /// Whether it is the one offer of a product without variants.
    pub is_default: Flag,
    /// Not sold any more.
    pub is_archived: Aside<Flag>,
    /// Its product, where that was asked for.
    pub product: Object<Product<'a>>,
}

/// A product of the catalogue.
#[record]
pub struct Product<'a> {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: Text<'a>,
    /// SKU, of products without variants.
    pub sku: Text<'a>,
    /// Unit; none means the piece.
    pub unit_type: Text<'a>,
    /// Category.
    pub category_id: Id,
}

/// Who answers for an order.
#[record]
pub struct Manager<'a> {
    /// Id.
    pub id: Id,
    /// Name.
    pub full_name: Text<'a>,
}

/// A status of orders.
#[record]
pub struct Status<'a> {
    /// Name.
    pub name: Text<'a>,
    /// Group, 1 to 6.
    pub group_id: Id,
}

/// How an order reaches its buyer.
#[record]
pub struct Shipping<'a> {
    /// Carrier.
    pub delivery_service_id: Id,
    /// Carrier in words.
    pub delivery_service: Object<DeliveryService<'a>>,
    /// Tracking number.
    pub tracking_code: Text<'a>,
    /// The address on one line.
    pub full_address: Text<'a>,
    /// Country.
    pub shipping_address_country: Text<'a>,
    /// Region.
    pub shipping_address_region: Text<'a>,
    /// City.
    pub shipping_address_city: Text<'a>,
    /// Post code.
    pub shipping_address_zip: Text<'a>,
    /// Street and house.
    pub shipping_address: Text<'a>,
    /// Flat, entrance…
    pub shipping_secondary_line: Text<'a>,
    /// Branch of the carrier.
    pub shipping_receive_point: Text<'a>,
    /// Who receives it, when that is not the buyer.
    pub recipient_full_name: Text<'a>,
    /// Phone of the recipient.
    pub recipient_phone: Text<'a>,
}

/// A carrier.
#[record]
pub struct DeliveryService<'a> {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: Text<'a>,
}

/// A payment or an expense.
#[record]
pub struct Payment<'a> {
    /// Id.
    pub id: Id,
    /// How much, in `source_currency`.
    pub amount: Money,
    /// ISO 4217 code.
    pub source_currency: Text<'a>,
    /// How much, in `actual_currency`.
    pub actual_amount: Money,
    /// ISO 4217 code.
    pub actual_currency: Text<'a>,
    /// Whether the money goes the other way.
    pub is_expense: Flag,
    /// `paid`, `not_paid`, `canceled` or nothing.
    pub status: Text<'a>,
    /// When it was paid.
    pub payment_date: Text<'a>,
    /// When it was entered.
    pub created_at: Text<'a>,
    /// Note.
    pub description: Text<'a>,
}

/// An entry of a dictionary.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Named {
    /// Id.
    pub id: Id,
    name: Option<String>,
    full_name: Option<String>,
    username: Option<String>,
    /// When it was made.
    pub created_at: Option<String>,
    /// Group, of statuses: 1 to 6.
    pub group_id: Id,
    /// ISO 4217 code, of sources.
    pub currency_code: Option<String>,
}

impl Named {
    /// What people call it.
    pub fn label(&self) -> Option<String> {
        [&self.name, &self.full_name, &self.username]
            .into_iter()
            .flatten()
            .map(|label| label.trim())
            .find(|label| !label.is_empty())
            .map(str::to_owned)
    }
}

/// A category of products.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Category {
    /// Id.
    pub id: Id,
    /// Name.
    pub name: Option<String>,
    /// Category above.
    pub parent_id: Id,
}

#[cfg(test)]
mod tests {
    use super::PAGE_SIZE;
    use super::{Page, read_orders};
    use serde::de::IgnoredAny;
    use tenon_sdk::decimal;
    use tenon_sdk::flow::pull::Row;
    use tenon_sdk::import::fingerprint;
    use tenon_sdk::paging::Facts;

    const ORDER: &str = r#"{"id":1042,"source_id":3,"source_uuid":"№20155","status_group_id":2,
        "status_id":21,"grand_total":1130,"total_discount":120,"discount_data":[],
        "shipping_price":"50.00","wrap_price":null,"buyer_comment":"Call first",
        "ordered_at":"2026-03-01T09:10:11.000000Z","created_at":"2026-03-01T09:15:00.000000Z",
        "updated_at":"2026-03-01T10:00:00.000000Z","closed_at":null,
        "buyer":{"id":77,"full_name":"Test Buyer","phone":"+380501112233","email":["t@example.test"],"orders_sum":"0.00"},
        "products":[{"id":5001,"sku":"TS-RED-M","name":"T-\"shirt\"","price":600,"price_sold":600,
          "quantity":2,"unit_type":null,"picture":[],
          "properties":[{"name":"Color","value":"Red"}],
          "offer":{"id":310,"product_id":90,"sku":"TS-RED-M","quantity":14,
            "properties":[{"name":"Color","value":"Red"}],"is_default":false}}],
        "manager":[],"status":{"id":21,"name":"Packing","group_id":2},
        "shipping":{"delivery_service_id":1,"address_payload":[],"full_address":"Kyiv, Branch 12",
          "delivery_service":{"id":1,"name":"Nova Poshta"}},
        "payments":[{"id":900,"amount":500.5,"is_expense":0,"status":"paid"}]}"#;

    fn page(orders: &[&str]) -> String {
        format!(
            r#"{{"total":"2","per_page":50,"data":[{}]}}"#,
            orders.join(",")
        )
    }

    #[test]
    fn an_order_is_read_with_all_its_oddities() {
        let text = page(&[ORDER]);
        let page = read_orders(&text, 1, PAGE_SIZE).expect("a page");
        assert_eq!(page.facts.total, Some(2));
        let order = page.rows[0].as_ref().expect("an order");
        assert_eq!(order.id.get(), Some(1042));
        assert_eq!(order.shipping_price.get(), decimal::parse("50"));
        assert_eq!(order.payments[0].amount.get(), decimal::parse("500.5"));
        assert!(order.manager.get().is_none());
        assert_eq!(order.products[0].name.get(), Some("T-\"shirt\""));
        let buyer = order.buyer.get().expect("a buyer");
        assert_eq!(buyer.phone[0].get(), Some("+380501112233"));
        assert_eq!(buyer.email[0].get(), Some("t@example.test"));
        assert!(!order.is_final());
        assert!(order.placed().is_some_and(|at| order.changed() > Some(at)));
    }

    #[test]
    fn a_malformed_order_spoils_no_other_and_is_named_with_the_place() {
        let bad = ORDER
            .replace("1042", "1043")
            .replace(r#""price":600"#, r#""price":"six hundred""#);
        let text = page(&[&bad, ORDER, "\"oops\"", r#"{"id":{}}"#]);
        let page = read_orders(&text, 1, PAGE_SIZE).expect("a page");
        let failure = |index: usize| match &page.rows[index] {
            Err(unreadable) => (unreadable.id.clone(), unreadable.reason.clone()),
            Ok(order) => panic!("{order:?} is no good"),
        };
        let (id, reason) = failure(0);
        assert_eq!(id.as_deref(), Some("1043"));
        assert_eq!(reason.args[0].1, "products[0].price");
        let detail = reason.detail.unwrap_or_default();
        assert!(
            detail.starts_with("`six hundred` is not a decimal number"),
            "{detail}"
        );
        assert!(page.rows[1].is_ok());
        assert_eq!(failure(2).0, None);
        assert_eq!(failure(3).0, None);
    }

    #[test]
    fn a_page_that_is_cut_is_no_page() {
        let text = page(&[ORDER, "\"oops\""]);
        let cut = &text[..text.len() - 3];
        assert!(
            read_orders(cut, 1, PAGE_SIZE)
                .err()
                .is_some_and(|error| error.is_eof())
        );
        assert!(
            read_orders("<html>", 1, PAGE_SIZE)
                .err()
                .is_some_and(|error| error.is_syntax())
        );
        assert!(read_orders(r#"{"message":"x"}"#, 1, PAGE_SIZE).is_err());
    }

    #[test]
    fn only_what_the_mapping_uses_changes_a_fingerprint() {
        let print = |text: &str| {
            let text = page(&[text]);
            let page = read_orders(&text, 1, PAGE_SIZE).expect("a page");
            fingerprint(1, page.rows[0].as_ref().expect("an order"))
        };
        let before = print(ORDER);
        for (old, new) in [
            ("10:00:00.000000Z", "11:00:00.000000Z"),
            ("\"quantity\":14", "\"quantity\":13"),
            ("\"orders_sum\":\"0.00\"", "\"orders_sum\":\"9.00\""),
        ] {
            assert_eq!(print(&ORDER.replace(old, new)), before, "{new}");
        }
        for (old, new) in [
            ("\"status_id\":21", "\"status_id\":22"),
            ("\"quantity\":2,", "\"quantity\":3,"),
            ("500.5", "500.6"),
        ] {
            assert_ne!(print(&ORDER.replace(old, new)), before, "{new}");
        }
    }

    #[test]
    fn a_page_tells_null_from_a_missing_next_page() {
        let facts = |text| {
            serde_json::from_str::<Page<IgnoredAny>>(text)
                .expect("a page")
                .facts(1, PAGE_SIZE)
        };
        let nothing = Facts {
            page: 1,
            asked: 50,
            ..Facts::default()
        };
        assert_eq!(facts(r#"{"data":[]}"#), nothing);
        assert_eq!(
            facts(r#"{"data":[],"next_page_url":null}"#).has_next,
            Some(false)
        );
        assert_eq!(
            facts(r#"{"data":[],"next_page_url":"https://x/?page=2"}"#).has_next,
            Some(true)
        );
    }
}
