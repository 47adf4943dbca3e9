//! Levels of stock: one row for each product, variant and warehouse.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tenon_host::model::{
    Decimal, Directory, Effect, FieldChange, Key, Product, Saved, StockLevel, StockPage,
};

use crate::book::{Halt, Target, Writer};
use crate::{check, feed, record, sql};

/// Replaces a level.
pub(crate) fn set(writer: &mut Writer<'_>, level: &StockLevel) -> Result<Saved, Halt> {
    let (effect, changes) = replace(writer, level)?;
    Ok(Saved {
        key: level.product.clone(),
        effect,
        changes,
        ..Saved::default()
    })
}

fn replace(
    writer: &mut Writer<'_>,
    level: &StockLevel,
) -> Result<(Effect, Vec<FieldChange>), Halt> {
    for (value, field) in [
        (level.on_hand, "on_hand"),
        (level.reserved, "reserved"),
        (level.available, "available"),
    ] {
        check::decimal(value, field)?;
    }
    let product = writer.require(Target::Product, &level.product, "product")?;
    if let Some(variant) = &level.product_variant {
        writer.require_variant(Some(product), variant, "product_variant")?;
    }
    writer.require(
        Target::Entry(Directory::Warehouses),
        &level.warehouse,
        "warehouse",
    )?;
    let variant = level.product_variant.as_deref().unwrap_or_default();
    let known = writer
        .db
        .prepare_cached(sql::STOCK_LEVEL)?
        .query_row(params![product, variant, level.warehouse], |row| {
            let id: i64 = row.get(0)?;
            Ok((id, [decimal(row, 1)?, decimal(row, 2)?, decimal(row, 3)?]))
        })
        .optional()?;
    let numbers = [level.on_hand, level.reserved, level.available];
    let [on_hand, reserved, available] = numbers.map(|number| number.to_string());
    match known {
        Some((_, known)) if known == numbers => Ok((Effect::Unchanged, Vec::new())),
        Some((id, known)) => {
            let position = writer.next_position();
            writer
                .db
                .prepare_cached(sql::SET_STOCK)?
                .execute(params![id, on_hand, reserved, available, position])?;
            let changes = ["on_hand", "reserved", "available"]
                .into_iter()
                .zip(known.iter().zip(&numbers))
                .filter(|(_, (before, after))| before != after)
                .map(|(field, (before, after))| FieldChange::of(field, before, after));
            Ok((Effect::Updated, changes.collect()))
        }
        None => {
            let position = writer.next_position();
            writer.db.prepare_cached(sql::ADD_STOCK)?.execute(params![
                product,
                variant,
                level.warehouse,
                on_hand,
                reserved,
                available,
                position
            ])?;
            Ok((Effect::Created, Vec::new()))
        }
    }
}

/// What changed after a cursor; none reads from the start.
pub(crate) fn changed(db: &Connection, after: Option<&str>, limit: u32) -> Result<StockPage, Halt> {
    let after = feed::position(after)?;
    let (limit, probe) = feed::bounds(limit);
    let mut levels = page(db, sql::STOCK_CHANGED, after, probe)?;
    let more = levels.len() > limit;
    levels.truncate(limit);
    Ok(StockPage {
        next: levels.last().map_or(after, |(last, _)| *last).to_string(),
        levels: levels.into_iter().map(|(_, level)| level).collect(),
        more,
    })
}

/// The levels of products and of their variants, in one warehouse or in all.
pub(crate) fn of(
    db: &Connection,
    products: &[Key],
    warehouse: Option<&str>,
) -> Result<Vec<Vec<StockLevel>>, Halt> {
    let mut statement = db.prepare_cached(sql::STOCK_OF)?;
    products
        .iter()
        .map(|product| {
            let Some(filed) = record::by_key::<Product>(db, product)? else {
                return Ok(Vec::new());
            };
            let levels = statement.query_map(params![filed.id, warehouse], |row| {
                let variant: String = row.get(0)?;
                Ok(StockLevel {
                    product: filed.key(),
                    product_variant: Some(variant).filter(|variant| !variant.is_empty()),
                    warehouse: row.get(1)?,
                    on_hand: decimal(row, 2)?,
                    reserved: decimal(row, 3)?,
                    available: decimal(row, 4)?,
                })
            })?;
            Ok(levels.collect::<Result<_, _>>()?)
        })
        .collect()
}

/// Levels after a place, each with its own.
pub(crate) fn page(
    db: &Connection,
    sql: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, StockLevel)>, Halt> {
    let mut statement = db.prepare_cached(sql)?;
    let levels = statement.query_map([after, limit], |row| {
        let variant: String = row.get(2)?;
        let level = StockLevel {
            product: row.get(1)?,
            product_variant: Some(variant).filter(|variant| !variant.is_empty()),
            warehouse: row.get(3)?,
            on_hand: decimal(row, 4)?,
            reserved: decimal(row, 5)?,
            available: decimal(row, 6)?,
        };
        Ok((row.get(0)?, level))
    })?;
    Ok(levels.collect::<Result<_, _>>()?)
}

/// A number that is kept as text.
pub(crate) fn decimal(row: &Row<'_>, column: usize) -> rusqlite::Result<Decimal> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
