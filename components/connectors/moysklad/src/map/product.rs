//! A product of MoySklad as a card of the shop.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use tenon_sdk::lenient::{List as Many, Text};
use tenon_sdk::model::{
    self, Attribute, Key, Money, Price, ProductFields, ProductKind, ProductVariant, Reason,
};
use tenon_sdk::reason;
use uuid::Uuid;

use super::brand::Part;
use crate::api::records;

/// Counts up with every change of the mapping; all cards are then written anew.
pub const MAPPING_VERSION: u8 = 2;

/// The fields that MoySklad speaks for. The category is among them where categories are taken over.
pub const OWNED: ProductFields = ProductFields::KIND
    .union(ProductFields::NAME)
    .union(ProductFields::VARIANTS)
    .union(ProductFields::CODE)
    .union(ProductFields::SKU)
    .union(ProductFields::BRAND)
    .union(ProductFields::BARCODES)
    .union(ProductFields::UNIT)
    .union(ProductFields::DESCRIPTION)
    .union(ProductFields::VAT)
    .union(ProductFields::PRICES)
    .union(ProductFields::ARCHIVED);

/// What a product points at, as the shop knows it.
#[derive(Debug, Default)]
pub struct Places {
    /// Price types by id.
    pub price_types: HashMap<Uuid, Key>,
    /// Codes of currencies by id.
    pub currencies: HashMap<Uuid, String>,
    /// Names of units by id.
    pub units: HashMap<Uuid, String>,
    /// Categories by folder.
    pub categories: HashMap<Uuid, Key>,
}

/// Maps a product or a set.
///
/// # Errors
/// Why it cannot be a card.
pub fn product(
    read: &records::Product<'_>,
    kind: ProductKind,
    part: Part,
    variants: Vec<ProductVariant>,
    places: &Places,
) -> Result<model::Product, Reason> {
    let folder = read.product_folder.get().and_then(records::Ref::id);
    let unit = read.uom.get().and_then(records::Ref::id);
    Ok(model::Product {
        kind,
        variants,
        name: (read.name.owned()).ok_or_else(|| reason!("product.no-name"))?,
        code: read.code.owned(),
        sku: Some(part.sku),
        brand: Some(part.brand),
        barcodes: barcodes(&read.barcodes),
        unit: unit.and_then(|id| places.units.get(&id).cloned()),
        description: read.description.owned(),
        category: folder.and_then(|id| places.categories.get(&id).cloned()),
        vat: vat(read)
            .map(|rate| rate.normalize().try_into())
            .transpose()?,
        prices: prices(&read.sale_prices, places)?,
        archived: read.archived.is_set(),
        ..model::Product::default()
    })
}

/// Maps a modification, which has this origin.
///
/// # Errors
/// Why its product cannot be a card.
pub fn variant(
    read: &records::Variant<'_>,
    origin: String,
    places: &Places,
) -> Result<ProductVariant, Reason> {
    let characteristics = read.characteristics.iter().filter_map(|one| {
        Some(Attribute {
            origin: None,
            name: one.name.owned()?,
            value: one.value.owned()?,
        })
    });
    Ok(ProductVariant {
        key: None,
        origin: Some(origin),
        name: read
            .name
            .owned()
            .ok_or_else(|| reason!("product.no-name"))?,
        sku: read.article.owned(),
        barcodes: barcodes(&read.barcodes),
        characteristics: characteristics.collect(),
        prices: prices(&read.sale_prices, places)?,
    })
}

fn barcodes(read: &Many<BTreeMap<&str, Text<'_>>>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for code in read.iter().flat_map(|codes| codes.values()) {
        if let Some(code) = code.owned()
            && !all.contains(&code)
        {
            all.push(code);
        }
    }
    all
}

/// The rate that holds. `vat` 0 with `vatEnabled` false is no VAT, with true it is 0 %.
fn vat(read: &records::Product<'_>) -> Option<Decimal> {
    match read.effective_vat_enabled.get() {
        Some(true) => Some(read.effective_vat.or_zero()),
        Some(false) => None,
        None => read.vat_enabled.is_set().then(|| read.vat.or_zero()),
    }
}

/// Prices of those types that have one: MoySklad lists every type, with 0 where none is set.
fn prices(read: &Many<records::SalePrice<'_>>, places: &Places) -> Result<Vec<Price>, Reason> {
    let mut prices = Vec::new();
    for price in read.iter() {
        let Some((id, value)) = set(price) else {
            continue;
        };
        let Some(price_type) = places.price_types.get(&id) else {
            return Err(reason!("product.price-type").detail(id));
        };
        let currency = price.currency.get().and_then(records::Ref::id);
        let currency = currency
            .and_then(|id| places.currencies.get(&id))
            .ok_or_else(|| reason!("product.price-currency"))?;
        prices.push(Price {
            origin: None,
            price_type: price_type.clone(),
            value: Money {
                amount: from_minor(value).try_into()?,
                currency: currency.clone(),
            },
        });
    }
    Ok(prices)
}

/// Type and value of a price that is set.
fn set(price: &records::SalePrice<'_>) -> Option<(Uuid, Decimal)> {
    let id = price.price_type.get()?.id.get()?;
    let value = price.value.get().filter(|value| !value.is_zero())?;
    Some((id, value))
}

/// The price types that prices are of, with their names.
pub fn price_types<'p>(
    prices: &'p Many<records::SalePrice<'_>>,
) -> impl Iterator<Item = (Uuid, &'p Text<'p>)> {
    prices.iter().filter_map(|price| {
        let (id, _) = set(price)?;
        Some((id, &price.price_type.get()?.name))
    })
}

/// An amount that MoySklad gives in hundredths.
pub fn from_minor(minor: Decimal) -> Decimal {
    (minor * Decimal::new(1, 2)).normalize()
}

/// An amount as MoySklad takes it, in hundredths.
pub fn to_minor(amount: Decimal) -> Decimal {
    (amount * Decimal::ONE_HUNDRED).normalize()
}

#[cfg(test)]
mod tests {
    use super::{Places, from_minor, product, to_minor};
    use crate::api::records::Product;
    use crate::map::brand::part;
    use tenon_sdk::decimal;
    use tenon_sdk::model::{self, Decimal, ProductKind, Reason};

    const RETAIL: &str = "7d6f8c02-1f4c-4a4b-9d0e-000000000001";
    const RUB: &str = "7d6f8c02-1f4c-4a4b-9d0e-000000000002";
    const PIECE: &str = "7d6f8c02-1f4c-4a4b-9d0e-000000000003";

    fn mapped(json: &str) -> Result<model::Product, Reason> {
        let read: Product = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
        let id = |text: &str| text.parse().expect("an id");
        let places = Places {
            price_types: [(id(RETAIL), "retail".to_owned())].into(),
            currencies: [(id(RUB), "RUB".to_owned())].into(),
            units: [(id(PIECE), "шт".to_owned())].into(),
            categories: [].into(),
        };
        let part = part(read.code.get(), read.article.get())?;
        product(&read, ProductKind::Good, part, Vec::new(), &places)
    }

    #[test]
    fn a_card_has_all_that_moysklad_knows_of_the_product() {
        let json = format!(
            r#"{{"name":"Фильтр масляный","code":"MAHLE OC90","article":"OC90",
                "description":" Для ВАЗ ","archived":false,
                "effectiveVat":20,"effectiveVatEnabled":true,
                "uom":{{"meta":{{"href":"https://x/entity/uom/{PIECE}"}}}},
                "barcodes":[{{"ean13":"4009026000908"}},{{"code128":"X-1"}},{{"gtin":"4009026000908"}}],
                "salePrices":[{{"value":45050.5,
                    "currency":{{"meta":{{"href":"https://x/entity/currency/{RUB}"}}}},
                    "priceType":{{"id":"{RETAIL}","name":"Розница"}}}},
                   {{"value":0.0,"priceType":{{"id":"{PIECE}","name":"Опт"}}}}]}}"#
        );
        let card = mapped(&json).expect("a card");
        assert_eq!(card.name, "Фильтр масляный");
        assert_eq!(card.brand.as_deref(), Some("MAHLE"));
        assert_eq!(card.sku.as_deref(), Some("OC90"));
        assert_eq!(card.code.as_deref(), Some("MAHLE OC90"));
        assert_eq!(card.description.as_deref(), Some("Для ВАЗ"));
        assert_eq!(card.unit.as_deref(), Some("шт"));
        assert_eq!(card.barcodes, ["4009026000908", "X-1"]);
        assert_eq!(
            card.vat,
            Some(Decimal {
                units: 20,
                scale: 0
            })
        );
        assert_eq!(card.prices.len(), 1, "a price of 0 is none");
        assert_eq!(card.prices[0].price_type, "retail");
        let amount = Decimal {
            units: 450_505,
            scale: 3,
        };
        assert_eq!(card.prices[0].value.amount, amount);
    }

    #[test]
    fn without_vat_and_with_zero_vat_are_two_things() {
        let rate = |json: &str| {
            let whole = format!(r#"{{"name":"A","code":"B 1","article":"1",{json}}}"#);
            mapped(&whole).expect("a card").vat.map(|rate| rate.units)
        };
        assert_eq!(
            rate(r#""effectiveVat":0,"effectiveVatEnabled":false"#),
            None
        );
        assert_eq!(
            rate(r#""effectiveVat":0,"effectiveVatEnabled":true"#),
            Some(0)
        );
        assert_eq!(rate(r#""vat":10,"vatEnabled":true"#), Some(10));
        assert_eq!(rate(r#""vat":10"#), None);
    }

    #[test]
    fn hundredths_become_money_and_back_without_loss() {
        for (minor, amount) in [("199900.0", "1999"), ("1", "0.01"), ("12050.5", "120.505")] {
            let (minor, amount) = (decimal::parse(minor), decimal::parse(amount));
            assert_eq!(minor.map(from_minor), amount);
            assert_eq!(amount.map(to_minor), minor);
        }
    }
}
