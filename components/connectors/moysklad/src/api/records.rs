//! Objects of MoySklad, with the fields that this connector reads. They borrow from the answer;
//! the hash of a product is its fingerprint, so what must not count as a change is an [`Aside`].

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tenon_sdk::decimal;
use tenon_sdk::flow::tree;
use tenon_sdk::lenient::{Flag, Id, List as Many, Number, Object, Text, Uid};
use tenon_sdk::push::lines;
use tenon_sdk::record;
use uuid::Uuid;

use super::fields::Fields;
use super::meta::{self, Kind};

/// A list that is walked through.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'f> {
    /// What it lists.
    pub kind: Kind,
    /// What of it; more conditions may follow.
    pub filter: &'f str,
    /// Rows in a page.
    pub limit: usize,
    /// References that are read with it.
    pub expand: Option<&'static str>,
}

/// All products. The filter names both, because it is not said which are left out without it.
pub const PRODUCTS: Listed<'static> = Listed {
    kind: Kind::Product,
    filter: "archived=true;archived=false",
    limit: super::PAGE,
    expand: None,
};

/// All sets.
pub const SETS: Listed<'static> = Listed {
    kind: Kind::Bundle,
    ..PRODUCTS
};

/// All modifications of products.
pub const VARIANTS: Listed<'static> = Listed {
    kind: Kind::Variant,
    ..PRODUCTS
};

/// Products that are sold, with their pictures.
pub const PICTURED: Listed<'static> = Listed {
    kind: Kind::Product,
    filter: "archived=false",
    limit: super::EXPANDED_PAGE,
    expand: Some("images"),
};

/// All counterparties, those in the archive included.
pub const COUNTERPARTIES: Listed<'static> = Listed {
    kind: Kind::Counterparty,
    filter: "archived=true;archived=false",
    limit: super::PAGE,
    expand: None,
};

/// The rows of a list.
#[derive(Debug, Deserialize)]
pub struct List<T> {
    /// The rows.
    pub rows: Vec<T>,
}

/// A reference to another object.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Ref<'a> {
    #[serde(borrow)]
    meta: Object<Href<'a>>,
}

#[record]
struct Href<'a> {
    href: Text<'a>,
}

impl Ref<'_> {
    /// The id of what it refers to.
    pub fn id(&self) -> Option<Uuid> {
        meta::id_in(self.meta.get()?.href.get()?)
    }
}

impl Hash for Ref<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().map(Uuid::into_bytes).hash(state);
    }
}

/// A product or a set.
#[record]
#[serde(rename_all = "camelCase")]
pub struct Product<'a> {
    pub name: Text<'a>,
    pub code: Text<'a>,
    pub article: Text<'a>,
    pub description: Text<'a>,
    /// Whether it is out of sale.
    pub archived: Flag,
    /// Rate of VAT that holds, its folder's included.
    pub effective_vat: Number,
    /// Whether it has VAT at all.
    pub effective_vat_enabled: Flag,
    /// Rate of its own.
    pub vat: Number,
    /// Whether it has VAT at all by itself.
    pub vat_enabled: Flag,
    pub product_folder: Object<Ref<'a>>,
    pub uom: Object<Ref<'a>>,
    pub sale_prices: Many<SalePrice<'a>>,
    /// Its barcodes, each under the name of its kind.
    pub barcodes: Many<BTreeMap<&'a str, Text<'a>>>,
    /// How many modifications it has.
    pub variants_count: Number,
}

/// A modification of a product.
#[record]
#[serde(rename_all = "camelCase")]
pub struct Variant<'a> {
    pub id: Uuid,
    /// The product's name and what tells it from its siblings.
    pub name: Text<'a>,
    pub article: Text<'a>,
    pub product: Object<Ref<'a>>,
    /// What tells it from its siblings.
    pub characteristics: Many<Characteristic<'a>>,
    /// Its prices; those of the product where it has none of its own.
    pub sale_prices: Many<SalePrice<'a>>,
    /// Its barcodes, each under the name of its kind.
    pub barcodes: Many<BTreeMap<&'a str, Text<'a>>>,
}

/// A size, a colour.
#[record]
pub struct Characteristic<'a> {
    pub name: Text<'a>,
    pub value: Text<'a>,
}

/// A price of a product.
#[record]
#[serde(rename_all = "camelCase")]
pub struct SalePrice<'a> {
    pub value: Number,
    pub currency: Object<Ref<'a>>,
    pub price_type: Object<PriceType<'a>>,
}

/// A type of price.
#[record]
pub struct PriceType<'a> {
    pub id: Uid,
    pub name: Text<'a>,
}

/// The pictures of a product.
#[record]
pub struct Pictured<'a> {
    pub images: Object<Images<'a>>,
}

/// A list of pictures.
#[record]
pub struct Images<'a> {
    meta: Size,
    /// The pictures, where they were read with the product.
    pub rows: Many<Image<'a>>,
}

/// How long a list is.
#[record]
struct Size {
    size: Id,
}

impl Size {
    /// Whether so many rows are all.
    fn is_of(&self, rows: usize) -> bool {
        let size = self.size.get().and_then(|size| usize::try_from(size).ok());
        size.is_none_or(|size| size <= rows)
    }
}

impl Images<'_> {
    /// Whether all are there.
    pub fn is_whole(&self) -> bool {
        self.meta.is_of(self.rows.len())
    }
}

/// A picture.
#[record]
pub struct Image<'a> {
    pub filename: Text<'a>,
    /// Bytes of its file.
    pub size: Number,
    pub updated: Text<'a>,
    pub meta: Object<Download<'a>>,
}

/// Where a file can be fetched.
#[record]
#[serde(rename_all = "camelCase")]
pub struct Download<'a> {
    pub download_href: Text<'a>,
}

/// An entry of a dictionary.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// An object that says whose it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owned {
    /// The account's id.
    pub account_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// Of an employee: what they sign in as.
    pub uid: Option<String>,
}

/// A currency.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Currency {
    /// Its id.
    pub id: Uuid,
    /// Its code of three letters.
    #[serde(default)]
    pub iso_code: String,
    /// Whether books are kept in it.
    #[serde(default)]
    pub default: bool,
}

/// A folder of products.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Folder {
    id: Uuid,
    #[serde(default)]
    name: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    product_folder: Option<Above>,
}

#[derive(Clone, Debug, Deserialize)]
struct Above {
    meta: AboveMeta,
}

#[derive(Clone, Debug, Deserialize)]
struct AboveMeta {
    href: String,
}

impl From<Folder> for tree::Folder<Uuid> {
    fn from(folder: Folder) -> tree::Folder<Uuid> {
        let above = folder.product_folder.as_ref();
        tree::Folder {
            id: folder.id,
            parent: above.and_then(|above| meta::id_in(&above.meta.href)),
            name: folder.name,
            archived: folder.archived,
        }
    }
}

/// A customer or supplier.
#[record]
#[serde(rename_all = "camelCase")]
pub struct Counterparty<'a> {
    /// The id that it was made with.
    pub sync_id: Uid,
    /// Whether it is out of use.
    pub archived: Flag,
    created: Text<'a>,
    updated: Text<'a>,
    pub name: Text<'a>,
    pub inn: Text<'a>,
    pub email: Text<'a>,
    /// Phone, as somebody wrote it.
    pub phone: Text<'a>,
    pub tags: Many<Text<'a>>,
}

impl Counterparty<'_> {
    /// Whether nobody changed it since it was made.
    pub fn is_untouched(&self) -> bool {
        self.created.get().is_some() && self.created.get() == self.updated.get()
    }
}

/// An order, with its positions.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Doc {
    /// Its id.
    pub id: Uuid,
    /// The id that we gave it.
    pub sync_id: Option<Uuid>,
    /// Its number.
    pub name: String,
    /// Where people see it.
    pub meta: DocMeta,
    /// Its positions.
    pub positions: Positions,
    created: Option<String>,
    updated: Option<String>,
    /// When it was put into the bin.
    deleted: Option<String>,
    /// What was shipped of it, and what was paid, in hundredths.
    shipped_sum: Number,
    payed_sum: Number,
    /// Documents that hang on it; absent where there are none.
    demands: Many<IgnoredAny>,
    supplies: Many<IgnoredAny>,
    invoices_out: Many<IgnoredAny>,
    invoices_in: Many<IgnoredAny>,
    payments: Many<IgnoredAny>,
    prepayments: Many<IgnoredAny>,
}

impl Doc {
    /// Whether it lies in the bin.
    pub fn is_binned(&self) -> bool {
        self.deleted.is_some()
    }

    /// Whether nobody changed it since it was made.
    pub fn is_untouched(&self) -> bool {
        self.created.is_some() && self.created == self.updated
    }

    /// Whether something was shipped or paid for it, or other documents hang on it.
    pub fn is_in_use(&self) -> bool {
        let some = |sum: Number| sum.get().is_some_and(|sum| !sum.is_zero());
        let documents = [
            &self.demands,
            &self.supplies,
            &self.invoices_out,
            &self.invoices_in,
            &self.payments,
            &self.prepayments,
        ];
        some(self.shipped_sum)
            || some(self.payed_sum)
            || documents.iter().any(|documents| !documents.is_empty())
    }
}

/// Addresses of a document.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DocMeta {
    /// The one for people.
    pub uuid_href: Option<String>,
}

/// The positions of an order.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Positions {
    meta: Size,
    /// The positions.
    pub rows: Vec<Position>,
}

impl Positions {
    /// Whether all are there.
    pub fn is_whole(&self) -> bool {
        self.meta.is_of(self.rows.len())
    }
}

/// A position of an order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Position {
    /// Its id.
    pub id: Uuid,
    assortment: Option<Above>,
    quantity: Option<Box<RawValue>>,
    price: Option<Box<RawValue>>,
    discount: Option<Box<RawValue>>,
    vat: Option<Box<RawValue>>,
    vat_enabled: bool,
    shipped: Number,
}

impl lines::Position for Position {
    type Id = Uuid;

    const QUANTITY: &'static str = "quantity";
    const RESERVE: &'static str = "reserve";

    fn id(&self) -> Uuid {
        self.id
    }

    fn item(&self) -> Option<Uuid> {
        meta::id_in(&self.assortment.as_ref()?.meta.href)
    }

    fn delivered(&self) -> Decimal {
        self.shipped.or_zero()
    }

    /// MoySklad keeps prices in whole hundredths, and no document says how many digits of a percentage
    /// it keeps. The reserve does not count: shipments use it up.
    fn is_like(&self, sent: &Fields) -> bool {
        let number = |raw: &RawValue| decimal::parse(raw.get());
        let near = |name: &str, own: &Option<Box<RawValue>>, most: Decimal| {
            let own = own.as_deref().map_or(Some(Decimal::ZERO), number);
            let sent = sent.get(name).map_or(Some(Decimal::ZERO), number);
            matches!((own, sent), (Some(own), Some(sent)) if (own - sent).abs() <= most)
        };
        let enabled = sent
            .get("vatEnabled")
            .is_some_and(|raw| raw.get() == "true");
        near("quantity", &self.quantity, Decimal::ZERO)
            && near("price", &self.price, Decimal::new(5, 1))
            && near("discount", &self.discount, Decimal::new(1, 6))
            && near("vat", &self.vat, Decimal::ZERO)
            && self.vat_enabled == enabled
    }
}

/// A row of a short report on stock. It has the figure that was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StockRow {
    /// The product, or another thing that can be sold.
    pub assortment_id: Option<Uuid>,
    /// The store; none for what no store answers for.
    pub store_id: Option<Uuid>,
    /// What lies there.
    pub stock: Number,
    /// What of it is reserved.
    pub reserve: Number,
}

/// A row of the report on counterparties.
#[record]
pub struct BalanceRow<'a> {
    pub counterparty: Ref<'a>,
    pub balance: Number,
}

#[cfg(test)]
mod tests {
    use super::{Pictured, Product};
    use tenon_sdk::import::fingerprint;

    #[test]
    fn a_product_is_unchanged_while_what_we_take_of_it_is() {
        let read = |json: &str| {
            let product: Product = serde_json::from_str(json).expect("a product");
            fingerprint(1, &product)
        };
        let first = read(
            r#"{"id":"x","updated":"1","name":"A","uom":{"meta":{"href":"https://a/7d6f8c02-1f4c-4a4b-9d0e-000000000001"}}}"#,
        );
        let moved = read(
            r#"{"id":"x","updated":"2","name":"A","weight":2,"uom":{"meta":{"href":"https://b/7d6f8c02-1f4c-4a4b-9d0e-000000000001"}}}"#,
        );
        let renamed = read(r#"{"name":"B"}"#);
        assert_eq!(first, moved);
        assert_ne!(first, renamed);
    }

    #[test]
    fn pictures_that_were_not_read_with_the_product_are_missed() {
        let bare: Pictured =
            serde_json::from_str(r#"{"images":{"meta":{"size":2}}}"#).expect("a product");
        assert!(bare.images.get().is_some_and(|images| !images.is_whole()));
        let none: Pictured =
            serde_json::from_str(r#"{"images":{"meta":{"size":0}}}"#).expect("a product");
        assert!(none.images.get().is_some_and(|images| images.is_whole()));
    }
}
