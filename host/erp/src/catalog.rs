//! Products with their variants and pictures, and categories.

use std::collections::HashMap;
use std::fmt::Display;

use rusqlite::{Connection, params};
use tenon_host::model::{
    Category, CategoryFields, Directory, Effect, FieldChange, Image, Key, Price, Product,
    ProductFields, ProductLookup, ProductVariant, Reason, RecordKind, Saved, owner_of,
};
use tenon_host::parts::{self, unowned};

use crate::book::{Halt, Target, Writer, refuse, variant_owner};
use crate::feed::Stream;
use crate::record::{self, By, Filed, Head, Identity, Lookups, Record};
use crate::{check, normal, reasons, sql};

impl Record for Product {
    const KIND: RecordKind = RecordKind::Product;
    const LOOKUPS: Lookups = Lookups {
        row: sql::PRODUCT_ROW,
        by_id: sql::PRODUCT_BY_ID,
        by_key: sql::PRODUCT_BY_KEY,
        by_origin: sql::PRODUCT_BY_ORIGIN,
        page: sql::PRODUCTS_PAGE,
    };
    const HEAR: &'static str = sql::HEAR_PRODUCT;

    fn every_field() -> ProductFields {
        ProductFields::all()
    }

    fn identity(&mut self) -> Identity<'_> {
        Identity {
            key: &mut self.key,
            origin: &mut self.origin,
            stamp: Some((&mut self.version, &mut self.changed_at)),
        }
    }

    /// A variant keeps its key from save to save: it is recognised by key, else by origin, else by
    /// SKU, else, having neither origin nor SKU, by its name and characteristics. Whoever owns the
    /// list speaks for all of it, so variants that are not in it go.
    fn settle_parts(
        &mut self,
        before: Option<&Product>,
        origin: Option<&str>,
        owned: ProductFields,
        by: By,
        writer: &mut Writer<'_>,
    ) -> Result<(), Halt> {
        if !owned.contains(ProductFields::VARIANTS) {
            return Ok(());
        }
        let known = before.map_or(&[][..], |before| &before.variants);
        let recognised = recognise(&self.variants, known);
        for (i, variant) in self.variants.iter_mut().enumerate() {
            if let Some(known) = recognised[i].map(|place| &known[place]) {
                variant.key.clone_from(&known.key);
                if variant.origin.is_none() {
                    variant.origin.clone_from(&known.origin);
                }
                match by {
                    By::Connector => merge_prices(variant, known, origin, i)?,
                    By::People => parts::inherit(&mut variant.prices, &known.prices),
                }
            } else if let Some(key) = &variant.key {
                if by == By::Connector {
                    let reason = Reason::new("platform.no-variant-of-product");
                    return refuse(
                        reason
                            .arg("field", format_args!("variants[{i}]"))
                            .arg("key", key),
                    );
                }
                if key.is_empty() || variant_owner(writer.db, key)?.is_some() {
                    let reason = Reason::new("platform.key-taken");
                    return refuse(
                        reason
                            .arg("field", format_args!("variants[{i}]"))
                            .arg("key", key),
                    );
                }
            } else {
                variant.key = Some(new_variant_key(writer)?);
            }
        }
        let mut keys: Vec<&Key> = self.variants.iter().flat_map(|v| &v.key).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => refuse(reasons::twice("variants", pair[0])),
            None => Ok(()),
        }
    }

    fn check(&self, owned: ProductFields, writer: &mut Writer<'_>) -> Result<(), Halt> {
        check::name(&self.name)?;
        if let Some(vat) = self.vat {
            check::decimal(vat, "vat")?;
        }
        check::prices(&self.prices, "prices")?;
        for (i, variant) in self.variants.iter().enumerate() {
            check::prices(&variant.prices, format_args!("variants[{i}].prices"))?;
        }
        if owned.contains(ProductFields::CATEGORY)
            && let Some(category) = &self.category
        {
            writer.require(Target::Category, category, "category")?;
        }
        if owned.contains(ProductFields::PRICES) {
            require_price_types(&self.prices, "prices", writer)?;
        }
        if owned.contains(ProductFields::VARIANTS) {
            for (i, variant) in self.variants.iter().enumerate() {
                require_price_types(
                    &variant.prices,
                    format_args!("variants[{i}].prices"),
                    writer,
                )?;
            }
        }
        Ok(())
    }

    fn stream(&self) -> Option<Stream> {
        Some(Stream::Products)
    }

    fn write(&self, db: &Connection, head: &Head, doc: &str) -> rusqlite::Result<()> {
        db.prepare_cached(sql::WRITE_PRODUCT)?
            .execute(params![
                head.id,
                head.key,
                head.origin,
                head.version,
                head.changed_at,
                head.position,
                head.said,
                doc,
                normal::name(&self.name),
                normal::code(self.sku.as_deref()),
                self.brand.as_deref().map(normal::name),
            ])
            .map(drop)
    }

    fn index(&self, id: i64, new: bool, writer: &mut Writer<'_>) -> Result<(), Halt> {
        let mut filed = if new {
            HashMap::new()
        } else {
            filed_variants(writer.db, id)?
        };
        for variant in &self.variants {
            let Some(key) = &variant.key else { continue };
            let sku = sku(variant);
            let known = filed.remove(key);
            if known.as_ref().map(Option::as_deref) != Some(sku) {
                writer
                    .db
                    .prepare_cached(sql::WRITE_VARIANT)?
                    .execute(params![key, id, sku])?;
            }
        }
        for gone in filed.keys() {
            writer
                .db
                .prepare_cached(sql::REMOVE_VARIANT)?
                .execute([gone])?;
            writer
                .db
                .prepare_cached(sql::REMOVE_VARIANT_STOCK)?
                .execute(params![id, gone])?;
            writer.forget_variant(gone);
        }
        if !new {
            drop_stale_images(writer.db, id, &self.images)?;
        }
        Ok(())
    }
}

/// Prices of a variant have owners as those of a product have.
fn merge_prices(
    variant: &mut ProductVariant,
    known: &ProductVariant,
    origin: Option<&str>,
    i: usize,
) -> Result<(), Halt> {
    let given = std::mem::take(&mut variant.prices);
    match parts::merge(&known.prices, given, origin.map(owner_of), |_| false) {
        Ok(prices) => {
            variant.prices = prices;
            Ok(())
        }
        Err(place) => refuse(unowned(format_args!("variants[{i}].prices"), place)),
    }
}

/// Whether a given variant is a known one.
type Rule = fn(given: &ProductVariant, known: &ProductVariant) -> bool;

/// The surest first.
const RULES: [Rule; 4] = [
    |given, known| given.key.is_some() && given.key == known.key,
    |given, known| given.key.is_none() && given.origin.is_some() && given.origin == known.origin,
    |given, known| {
        // Two origins that differ are two variants, even if their SKUs are one.
        let apart = given.origin.is_some() && known.origin.is_some();
        given.key.is_none() && !apart && sku(given).is_some() && sku(given) == sku(known)
    },
    |given, known| {
        let unmarked =
            |variant: &ProductVariant| variant.origin.is_none() && sku(variant).is_none();
        given.key.is_none()
            && unmarked(given)
            && unmarked(known)
            && given.name == known.name
            && given.characteristics == known.characteristics
    },
];

fn sku(variant: &ProductVariant) -> Option<&str> {
    normal::code(variant.sku.as_deref())
}

/// For each given variant the place of the known one that it is; no known one twice.
fn recognise(given: &[ProductVariant], known: &[ProductVariant]) -> Vec<Option<usize>> {
    let mut places = vec![None; given.len()];
    for is in RULES {
        for (i, variant) in given.iter().enumerate() {
            if places[i].is_none() {
                places[i] = (0..known.len())
                    .find(|place| !places.contains(&Some(*place)) && is(variant, &known[*place]));
            }
        }
    }
    places
}

fn new_variant_key(writer: &mut Writer<'_>) -> Result<Key, Halt> {
    loop {
        let key = format!("v{}", writer.next_position());
        // People may have chosen such a key themselves.
        if variant_owner(writer.db, &key)?.is_none() {
            return Ok(key);
        }
    }
}

fn filed_variants(db: &Connection, product: i64) -> rusqlite::Result<HashMap<Key, Option<String>>> {
    db.prepare_cached(sql::VARIANTS)?
        .query_map([product], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn require_price_types(
    prices: &[Price],
    field: impl Display,
    writer: &mut Writer<'_>,
) -> Result<(), Halt> {
    for (i, price) in prices.iter().enumerate() {
        writer.require(
            Target::Entry(Directory::PriceTypes),
            &price.price_type,
            format_args!("{field}[{i}].price_type"),
        )?;
    }
    Ok(())
}

/// Contents of pictures that the product does not show any more only fill the file.
fn drop_stale_images(db: &Connection, product: i64, shown: &[Image]) -> rusqlite::Result<()> {
    let kept: Vec<Image> = db
        .prepare_cached(sql::IMAGES)?
        .query_map([product], |row| {
            Ok(Image {
                origin: None,
                file_name: row.get(0)?,
                digest: row.get(1)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let is_shown = |image: &&Image| {
        let mut shown = shown.iter();
        shown.any(|one| one.file_name == image.file_name && one.digest == image.digest)
    };
    for image in kept.iter().filter(|image| !is_shown(image)) {
        db.prepare_cached(sql::REMOVE_IMAGE)?
            .execute(params![product, image.file_name])?;
    }
    Ok(())
}

/// Finds one product for each look-up.
pub(crate) fn find(
    db: &Connection,
    lookups: &[ProductLookup],
) -> Result<Vec<Option<Product>>, Halt> {
    lookups
        .iter()
        .map(|lookup| Ok(find_one(db, lookup)?.map(Filed::whole)))
        .collect()
}

fn find_one(db: &Connection, lookup: &ProductLookup) -> Result<Option<Filed<Product>>, Halt> {
    match lookup {
        ProductLookup::Key(key) => record::by_key(db, key),
        ProductLookup::Origin(origin) => record::by_origin(db, origin),
        ProductLookup::Sku(sku) => {
            let Some(sku) = normal::code(Some(sku)) else {
                return Ok(None);
            };
            match record::one(db, sql::PRODUCT_BY_VARIANT_SKU, &[&sku])? {
                None => record::one(db, sql::PRODUCT_BY_SKU, &[&sku]),
                found => Ok(found),
            }
        }
        ProductLookup::BrandAndSku((brand, sku)) => {
            let Some(sku) = normal::code(Some(sku)) else {
                return Ok(None);
            };
            let brand = normal::name(brand);
            match record::one(db, sql::PRODUCT_BY_BRAND_AND_VARIANT_SKU, &[&sku, &brand])? {
                None => record::one(db, sql::PRODUCT_BY_BRAND_AND_SKU, &[&sku, &brand]),
                found => Ok(found),
            }
        }
        ProductLookup::Name(name) => record::one(db, sql::PRODUCT_BY_NAME, &[&normal::name(name)]),
    }
}

/// The content of a picture.
pub(crate) fn read_image(db: &Connection, product: &str, digest: &str) -> Result<Vec<u8>, Halt> {
    let filed: Filed<Product> = record::existing(db, product)?;
    match record::value(db, sql::IMAGE, &[&filed.id, &digest])? {
        Some(content) => Ok(content),
        None => {
            let reason = Reason::new("platform.no-such-picture").arg("product", product);
            refuse(
                reason
                    .arg("digest", digest)
                    .mend(reasons::mend(RecordKind::Product, filed.key())),
            )
        }
    }
}

/// Adds a picture, or replaces the one of the same file name, whose owner it keeps. A new one without
/// an origin takes that of the product.
pub(crate) fn save_image(
    writer: &mut Writer<'_>,
    product: &str,
    mut image: Image,
    content: &[u8],
) -> Result<Saved, Halt> {
    if image.file_name.is_empty() {
        return refuse(reasons::empty("file_name"));
    }
    let mut filed: Filed<Product> = record::existing(writer.db, product)?;
    writer
        .db
        .prepare_cached(sql::WRITE_IMAGE)?
        .execute(params![filed.id, image.file_name, image.digest, content])?;
    let mut accounts = filed.accounts();
    let mut images = filed.record.images.clone();
    if image.origin.is_none() {
        image.origin.clone_from(&filed.head.origin);
    }
    let speaker = image.origin.clone();
    match images
        .iter_mut()
        .find(|known| known.file_name == image.file_name)
    {
        Some(known) => known.digest = image.digest,
        None => {
            images.push(image);
        }
    }
    if filed.record.images == images {
        return Ok(filed.saved(Effect::Unchanged));
    }
    let changes = vec![FieldChange::of("images", &filed.record.images, &images)];
    filed.record.images = images;
    // Its list of pictures is news again, even if it is the one from before this picture came.
    if let Some(origin) = speaker {
        Product::forget(ProductFields::IMAGES, accounts.of(owner_of(&origin)));
    }
    filed.head.said = Some(accounts.to_bytes());
    record::rewrite(writer, &mut filed)?;
    Ok(filed.saved_with(Effect::Updated, changes))
}

impl Record for Category {
    const KIND: RecordKind = RecordKind::Category;
    const LOOKUPS: Lookups = Lookups {
        row: sql::CATEGORY_ROW,
        by_id: sql::CATEGORY_BY_ID,
        by_key: sql::CATEGORY_BY_KEY,
        by_origin: sql::CATEGORY_BY_ORIGIN,
        page: sql::CATEGORIES_PAGE,
    };
    const HEAR: &'static str = sql::HEAR_CATEGORY;

    fn every_field() -> CategoryFields {
        CategoryFields::all()
    }

    fn identity(&mut self) -> Identity<'_> {
        Identity {
            key: &mut self.key,
            origin: &mut self.origin,
            stamp: None,
        }
    }

    fn check(&self, owned: CategoryFields, writer: &mut Writer<'_>) -> Result<(), Halt> {
        check::name(&self.name)?;
        if owned.contains(CategoryFields::PARENT)
            && let Some(parent) = &self.parent
        {
            writer.require(Target::Category, parent, "parent")?;
        }
        Ok(())
    }

    fn stream(&self) -> Option<Stream> {
        None
    }

    fn write(&self, db: &Connection, head: &Head, doc: &str) -> rusqlite::Result<()> {
        db.prepare_cached(sql::WRITE_CATEGORY)?
            .execute(params![
                head.id,
                head.key,
                head.origin,
                head.version,
                head.changed_at,
                head.position,
                head.said,
                doc,
            ])
            .map(drop)
    }
}

/// All categories, in the order they were made.
pub(crate) fn categories(db: &Connection) -> Result<Vec<Category>, Halt> {
    const NO_LIMIT: i64 = -1;
    let filed = record::many(db, sql::CATEGORIES_PAGE, &[&0, &NO_LIMIT])?;
    Ok(filed.into_iter().map(Filed::whole).collect())
}

/// Saves a category, unless it would lie under itself.
pub(crate) fn save_category(
    writer: &mut Writer<'_>,
    category: Category,
    by: By,
) -> Result<Saved, Halt> {
    refuse_loop(writer.db, &category)?;
    record::save(writer, category, CategoryFields::all(), by)
}

/// A new category has nothing under it, so only a known one can close a loop.
fn refuse_loop(db: &Connection, category: &Category) -> Result<(), Halt> {
    let known: Option<Filed<Category>> = match (&category.key, &category.origin) {
        (Some(key), _) => record::by_key(db, key)?,
        (None, Some(origin)) => record::by_origin(db, origin)?,
        (None, None) => None,
    };
    let Some(known) = known else { return Ok(()) };
    let own = known.key();
    let mut above = category.parent.clone();
    while let Some(key) = above {
        if key == own {
            return refuse(Reason::new("platform.category-under-itself").arg("field", "parent"));
        }
        above = record::by_key::<Category>(db, &key)?.and_then(|filed| filed.record.parent);
    }
    Ok(())
}
