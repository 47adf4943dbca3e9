//! KeyCRM's catalogue, as far as a run needs it: to tell services and goods with variants from
//! plain goods when a product has to be made. Requests are dear, so a small catalogue is read
//! whole once many products are new, and a large one only by the products in question.

use std::collections::{BTreeSet, HashMap, HashSet};

use tenon_sdk::model::{Attribute, Fault};
use tenon_sdk::paging::{self, Facts, Step};

use crate::api::{Category, Crm, Line, Offer, PAGE_SIZE, Page};
use crate::map;

/// From so many new products on, as a first load has, the whole catalogue may be cheaper to read:
/// many more will follow, a few with each page of orders.
const MANY: usize = 8;

/// Up to so many pages it certainly is: the offers of all products that many orders hold take as
/// many pages anyway, and asking for stragglers takes more.
const WHOLE_PAGES: u64 = 9;

/// How many products one request can ask for.
const BATCH: usize = 50;

/// A product as the catalogue lists it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listed {
    /// Name; empty where it is not told.
    pub name: String,
    /// Unit; none means the piece.
    pub unit: Option<String>,
    /// SKU of its own.
    pub sku: Option<String>,
    /// Category.
    pub category: Option<i64>,
    /// Its offers.
    pub offers: Vec<ListedOffer>,
}

/// An offer of a listed product.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedOffer {
    /// Id.
    pub id: i64,
    /// SKU.
    pub sku: Option<String>,
    /// Barcode.
    pub barcode: Option<String>,
    /// What tells it from its siblings.
    pub properties: Vec<Attribute>,
}

impl ListedOffer {
    /// The offer of a line; none for a one-off line.
    pub fn of(line: &Line<'_>) -> Option<ListedOffer> {
        let offer = line.offer.get()?;
        let mut listed = ListedOffer::from_offer(offer)?;
        listed.sku = map::line_sku(line).map(str::to_owned);
        Some(listed)
    }

    fn from_offer(offer: &Offer<'_>) -> Option<ListedOffer> {
        Some(ListedOffer {
            id: offer.id.get()?,
            sku: offer.sku.owned(),
            barcode: offer.barcode.owned(),
            properties: map::characteristics(&offer.properties),
        })
    }
}

/// What a run has read of the catalogue.
#[derive(Debug)]
pub struct Catalogue {
    service_categories: BTreeSet<i64>,
    /// Category above each; read once a run, when the settings name any.
    parents: Option<HashMap<i64, Option<i64>>>,
    products: HashMap<i64, Listed>,
    asked: HashSet<i64>,
    whole_tried: bool,
}

impl Catalogue {
    /// Nothing read yet.
    pub fn new(service_categories: BTreeSet<i64>) -> Catalogue {
        Catalogue {
            service_categories,
            parents: None,
            products: HashMap::new(),
            asked: HashSet::new(),
            whole_tried: false,
        }
    }

    /// The product a line needs the catalogue for when it has to be made. A product with a single
    /// plain offer is all in the line, unless its category counts.
    pub fn needed_for(&self, line: &Line<'_>) -> Option<i64> {
        let offer = line.offer.get()?;
        let plain = offer.is_default.is_set() && offer.properties.is_empty();
        if plain && self.service_categories.is_empty() {
            None
        } else {
            offer.product_id.get()
        }
    }

    /// Reads these products, unless they were asked for before.
    ///
    /// # Errors
    /// The fault of a request.
    pub fn read(&mut self, crm: &Crm, products: BTreeSet<i64>) -> Result<(), Fault> {
        let mut open: Vec<i64> = products
            .into_iter()
            .filter(|id| !self.asked.contains(id) && !self.products.contains_key(id))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        if !self.service_categories.is_empty() && self.parents.is_none() {
            let categories: Vec<Category> = crm.all("/products/categories", &[])?;
            let parents = categories
                .into_iter()
                .filter_map(|category| Some((category.id.get()?, category.parent_id.get())))
                .collect();
            self.parents = Some(parents);
        }
        self.asked.extend(open.iter().copied());
        if open.len() >= MANY && !self.whole_tried {
            self.whole_tried = true;
            self.read_pages(crm, None)?;
            open.retain(|id| !self.products.contains_key(id));
        }
        for batch in open.chunks(BATCH) {
            self.read_pages(crm, Some(batch))?;
        }
        Ok(())
    }

    /// A listed product.
    pub fn get(&self, product: i64) -> Option<&Listed> {
        self.products.get(&product)
    }

    /// Whether a product is a service: its category is one of those in the settings, or below one.
    pub fn is_service(&self, listed: &Listed) -> bool {
        let Some(parents) = &self.parents else {
            return false;
        };
        let mut category = listed.category;
        // A loop of parents is left after as many steps as there are categories.
        for _ in 0..=parents.len() {
            let Some(id) = category else {
                return false;
            };
            if self.service_categories.contains(&id) {
                return true;
            }
            category = parents.get(&id).copied().flatten();
        }
        false
    }

    /// Reads offers page by page. Of the whole catalogue, nothing is kept when it turns out to be
    /// large: a product's offers may go on over the page's end.
    fn read_pages(&mut self, crm: &Crm, products: Option<&[i64]>) -> Result<(), Fault> {
        let mut read: HashMap<i64, Listed> = HashMap::new();
        let mut page = 1;
        loop {
            let answer = crm.offers(products, page)?;
            let offers: Page<Offer> = answer.json()?;
            let facts = offers.facts(page, PAGE_SIZE);
            if products.is_none() && !is_small(&facts) {
                return Ok(());
            }
            for offer in &offers.data {
                list(&mut read, offer);
            }
            match paging::next(&facts, None) {
                Step::Read(next) => page = next,
                Step::End => break,
            }
        }
        self.products.extend(read);
        Ok(())
    }
}

/// Whether the whole catalogue should be read, judging by its first page.
fn is_small(facts: &Facts) -> bool {
    facts.page > 1 || facts.pages().is_some_and(|pages| pages <= WHOLE_PAGES)
}

/// Puts an offer under its product. One that is not sold any more counts only where an order holds
/// it, and then the order's line tells of it.
fn list(products: &mut HashMap<i64, Listed>, offer: &Offer<'_>) {
    let product = offer.product.get();
    let Some(id) = offer
        .product_id
        .get()
        .or_else(|| product.and_then(|product| product.id.get()))
    else {
        return;
    };
    let listed = products.entry(id).or_default();
    if let Some(product) = product {
        listed.name = product.name.owned().unwrap_or_default();
        listed.unit = product.unit_type.owned();
        listed.sku = product.sku.owned();
        listed.category = product.category_id.get();
    }
    if !offer.is_archived.0.is_set() {
        listed.offers.extend(ListedOffer::from_offer(offer));
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, Listed, is_small, list};
    use crate::api::{Line, Offer};
    use std::collections::HashMap;
    use tenon_sdk::paging::Facts;

    fn catalogue(services: &[i64], parents: &[(i64, Option<i64>)]) -> Catalogue {
        Catalogue {
            parents: Some(parents.iter().copied().collect()),
            ..Catalogue::new(services.iter().copied().collect())
        }
    }

    #[test]
    fn a_category_below_a_service_category_holds_services() {
        let catalogue = catalogue(
            &[10],
            &[(10, None), (11, Some(10)), (12, Some(11)), (20, None)],
        );
        let in_category = |category| Listed {
            category,
            ..Listed::default()
        };
        for (category, service) in [
            (Some(10), true),
            (Some(12), true),
            (Some(20), false),
            (Some(99), false),
            (None, false),
        ] {
            assert_eq!(
                catalogue.is_service(&in_category(category)),
                service,
                "{category:?}"
            );
        }
    }

    #[test]
    fn categories_in_a_loop_are_left_again() {
        let catalogue = catalogue(&[10], &[(1, Some(2)), (2, Some(1))]);
        assert!(!catalogue.is_service(&Listed {
            category: Some(1),
            ..Listed::default()
        }));
    }

    #[test]
    fn a_plain_product_is_made_from_its_line_alone() {
        let line = |json: &'static str| serde_json::from_str::<Line>(json).expect("a line");
        let plain = line(r#"{"offer":{"id":1,"product_id":9,"is_default":true,"properties":[]}}"#);
        let variant = line(
            r#"{"offer":{"id":1,"product_id":9,"is_default":false,
                "properties":[{"name":"Size","value":"M"}]}}"#,
        );
        let untold = line(r#"{"offer":{"id":1,"product_id":9}}"#);
        let one_off = line(r#"{"name":"Engraving","offer":null}"#);
        let goods = catalogue(&[], &[]);
        assert_eq!(goods.needed_for(&plain), None);
        assert_eq!(goods.needed_for(&variant), Some(9));
        assert_eq!(goods.needed_for(&untold), Some(9));
        assert_eq!(goods.needed_for(&one_off), None);
        let services = catalogue(&[10], &[]);
        assert_eq!(services.needed_for(&plain), Some(9));
        assert_eq!(services.needed_for(&one_off), None);
    }

    #[test]
    fn offers_are_listed_under_their_product_unless_archived() {
        let offers: Vec<Offer> = serde_json::from_str(
            r#"[{"id":1,"product_id":9,"sku":"A","product":{"id":9,"name":"Shirt","category_id":"5"}},
                {"id":2,"product_id":9,"sku":"B","is_archived":true},
                {"id":3,"sku":"C","product":{"id":9,"name":"Shirt","category_id":5}},
                {"id":4}]"#,
        )
        .expect("offers");
        let mut products = HashMap::new();
        for offer in &offers {
            list(&mut products, offer);
        }
        let shirt = products.get(&9).expect("the shirt");
        assert_eq!((shirt.name.as_str(), shirt.category), ("Shirt", Some(5)));
        let ids: Vec<i64> = shirt.offers.iter().map(|offer| offer.id).collect();
        assert_eq!(ids, [1, 3]);
        assert_eq!(products.len(), 1);
    }

    #[test]
    fn a_large_catalogue_is_not_read_whole() {
        let first = |last_page| Facts {
            page: 1,
            rows: 50,
            last_page,
            ..Facts::default()
        };
        assert!(is_small(&first(Some(9))));
        assert!(!is_small(&first(Some(10))));
        assert!(!is_small(&first(None)));
    }
}
