//! How objects of MoySklad are named: by address in requests, by id in answers, and as origins and
//! `syncId`s on our side.

use serde_json::value::RawValue;
use tenon_sdk::import::fingerprint;
use uuid::Uuid;

/// The first part of all origins.
pub const SYSTEM: &str = <crate::MoySklad as tenon_sdk::declare::Declared>::NAME;

/// The path that every address of the API begins with.
pub const ROOT: &str = "/api/remap/1.2";

/// The kinds of object that requests name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A product.
    Product,
    /// A service.
    Service,
    /// A set.
    Bundle,
    /// A modification of a product.
    Variant,
    /// A folder of products.
    ProductFolder,
    /// A currency.
    Currency,
    /// A type of price.
    PriceType,
    /// A customer or supplier.
    Counterparty,
    /// An organization of the account.
    Organization,
    /// A store.
    Store,
    /// An employee.
    Employee,
    /// An order of a customer.
    CustomerOrder,
    /// An order to a supplier.
    PurchaseOrder,
    /// A subscription to changes.
    Webhook,
    /// A state of a customer's order.
    CustomerOrderState,
    /// A state of an order to a supplier.
    PurchaseOrderState,
}

impl Kind {
    /// Where its objects are, below the API's address.
    pub fn path(self) -> &'static str {
        match self {
            Kind::Product => "/entity/product",
            Kind::Service => "/entity/service",
            Kind::Bundle => "/entity/bundle",
            Kind::Variant => "/entity/variant",
            Kind::ProductFolder => "/entity/productfolder",
            Kind::Currency => "/entity/currency",
            Kind::PriceType => "/context/companysettings/pricetype",
            Kind::Counterparty => "/entity/counterparty",
            Kind::Organization => "/entity/organization",
            Kind::Store => "/entity/store",
            Kind::Employee => "/entity/employee",
            Kind::CustomerOrder => "/entity/customerorder",
            Kind::PurchaseOrder => "/entity/purchaseorder",
            Kind::Webhook => "/entity/webhook",
            Kind::CustomerOrderState => "/entity/customerorder/metadata/states",
            Kind::PurchaseOrderState => "/entity/purchaseorder/metadata/states",
        }
    }

    /// Its name in a `meta`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Product => "product",
            Kind::Service => "service",
            Kind::Bundle => "bundle",
            Kind::Variant => "variant",
            Kind::ProductFolder => "productfolder",
            Kind::Currency => "currency",
            Kind::PriceType => "pricetype",
            Kind::Counterparty => "counterparty",
            Kind::Organization => "organization",
            Kind::Store => "store",
            Kind::Employee => "employee",
            Kind::CustomerOrder => "customerorder",
            Kind::PurchaseOrder => "purchaseorder",
            Kind::Webhook => "webhook",
            Kind::CustomerOrderState | Kind::PurchaseOrderState => "state",
        }
    }
}

/// `{"meta":…}` of an object.
pub fn meta(base: &str, kind: Kind, id: Uuid) -> Box<RawValue> {
    let href = format!("{base}{}/{id}", kind.path());
    let word = kind.word();
    super::fields::raw(&serde_json::json!({
        "meta": { "href": href, "type": word, "mediaType": "application/json" }
    }))
}

/// `{"meta":…}` of a position of a document.
pub fn position(base: &str, documents: Kind, document: Uuid, position: Uuid) -> Box<RawValue> {
    let href = format!("{base}{}/{document}/positions/{position}", documents.path());
    let word = format!("{}position", documents.word());
    super::fields::raw(&serde_json::json!({
        "meta": { "href": href, "type": word, "mediaType": "application/json" }
    }))
}

/// The id at the end of an address; reports put a query behind it.
pub fn id_in(href: &str) -> Option<Uuid> {
    let path = href.split(['?', '#']).next()?;
    path.rsplit('/').next()?.parse().ok()
}

/// Name of a counterpart record on our side.
pub fn origin(word: &str, id: Uuid) -> String {
    tenon_sdk::origin::origin(SYSTEM, word, id)
}

/// Whether an origin is that of such a record of this account.
pub fn is_ours(origin: &str, word: &str) -> bool {
    let kind = origin.strip_prefix(&tenon_sdk::origin::owner(SYSTEM));
    kind.is_some_and(|rest| rest.split(':').next() == Some(word))
}

/// The id in an origin. Of several ERP records with one counterpart record, all but the first
/// have something behind it.
pub fn id_of(origin: &str) -> Option<Uuid> {
    let id = origin.rsplit(':').next()?;
    id.split('/').next()?.parse().ok()
}

/// What an origin names of goods: a product or a set, and its id.
pub fn item_of(origin: &str) -> Option<(Kind, Uuid)> {
    let kind = match origin.rsplit(':').nth(1)? {
        "bundle" => Kind::Bundle,
        _ => Kind::Product,
    };
    Some((kind, id_of(origin)?))
}

/// The `syncId` of what is made for an ERP record: MoySklad makes nothing twice with one, so it
/// depends on nothing that changes from try to try.
pub fn sync_id(parts: &[&str]) -> Uuid {
    let print = fingerprint(0, &parts);
    let mut bytes = [0; 16];
    for (byte, digest) in bytes.iter_mut().zip(print.into_iter().skip(1)) {
        *byte = digest;
    }
    Uuid::new_v8(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Kind, id_in, id_of, is_ours, meta, origin, sync_id};

    const ID: &str = "7d6f8c02-1f4c-4a4b-9d0e-000000000001";

    #[test]
    fn an_id_is_found_in_an_address_with_and_without_a_query() {
        let id = ID.parse().ok();
        for address in [
            format!("https://api.moysklad.ru/api/remap/1.2/entity/product/{ID}"),
            format!("https://api.moysklad.ru/api/remap/1.2/entity/product/{ID}?expand=supplier"),
        ] {
            assert_eq!(id_in(&address), id, "{address}");
        }
        assert_eq!(id_in("https://api.moysklad.ru/api/remap/1.2/entity"), None);
    }

    #[test]
    fn an_origin_is_read_back_even_when_several_records_share_it() {
        let id = ID.parse().expect("an id");
        assert_eq!(id_of(&origin("product", id)), Some(id));
        assert_eq!(
            id_of(&format!("{}/42", origin("counterparty", id))),
            Some(id)
        );
        assert_eq!(id_of("keycrm:any:order:1"), None);
    }

    #[test]
    fn a_record_of_another_account_or_kind_is_not_ours() {
        let id = ID.parse().expect("an id");
        let own = origin("customerorder", id);
        assert!(is_ours(&own, "customerorder"));
        assert!(!is_ours(&own, "customer"));
        assert!(!is_ours(
            &own.replace(":any:", ":another:"),
            "customerorder"
        ));
        assert!(!is_ours(
            &own.replace("moysklad", "insales"),
            "customerorder"
        ));
    }

    #[test]
    fn a_state_is_named_as_the_vendor_names_it() {
        let id = ID.parse().expect("an id");
        let raw = meta("https://x/api/remap/1.2", Kind::CustomerOrderState, id);
        let value: serde_json::Value = serde_json::from_str(raw.get()).expect("JSON");
        assert_eq!(value["meta"]["type"], "state");
        assert_eq!(
            value["meta"]["href"],
            format!("https://x/api/remap/1.2/entity/customerorder/metadata/states/{ID}")
        );
    }

    #[test]
    fn one_record_has_one_sync_id_in_every_release() {
        let id = sync_id(&["order", "42"]);
        assert_eq!(id, sync_id(&["order", "42"]));
        assert_ne!(id, sync_id(&["order4", "2"]));
        assert_eq!(id.get_version_num(), 8);
    }
}
