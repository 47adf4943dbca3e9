//! What the account has to choose from, for the settings form.

use std::collections::HashMap;

use tenon_sdk::declare::choices;
use tenon_sdk::model::{Choice, Fault};

use crate::api::{Category, Crm, Named};

/// Statuses of orders.
pub fn statuses() -> Result<Vec<Choice>, Fault> {
    named("/order/status")
}

/// Users of the CRM.
pub fn managers() -> Result<Vec<Choice>, Fault> {
    named("/users")
}

/// Categories of products.
pub fn categories() -> Result<Vec<Choice>, Fault> {
    Ok(by_path(&Crm::open()?.all("/products/categories", &[])?))
}

fn named(path: &str) -> Result<Vec<Choice>, Fault> {
    let entries: Vec<Named> = Crm::open()?.all(path, &[])?;
    let entries = entries.iter();
    Ok(choices(entries.map(|entry| {
        (entry.id.get().map(|id| id.to_string()), entry.label())
    })))
}

/// Categories under their whole path: `Services / Repair`.
fn by_path(categories: &[Category]) -> Vec<Choice> {
    let by_id: HashMap<i64, &Category> = categories
        .iter()
        .filter_map(|category| Some((category.id.get()?, category)))
        .collect();
    let path = |category: &Category| {
        let mut path = vec![category.name.as_deref().unwrap_or_default()];
        let mut parent = category.parent_id.get();
        // A loop of parents is cut where it has gone through every category once.
        while let Some(above) = parent.and_then(|id| by_id.get(&id)) {
            if path.len() > by_id.len() {
                break;
            }
            path.push(above.name.as_deref().unwrap_or_default());
            parent = above.parent_id.get();
        }
        path.reverse();
        path.join(" / ")
    };
    choices(categories.iter().map(|category| {
        let id = category.id.get().map(|id| id.to_string());
        (id, Some(path(category)))
    }))
}

#[cfg(test)]
mod tests {
    use super::by_path;

    #[test]
    fn a_category_is_shown_with_the_path_to_it_even_in_a_loop() {
        let categories: Vec<crate::api::Category> = serde_json::from_str(
            r#"[{"id":1,"name":"Services","parent_id":null},
                {"id":2,"name":"Repair","parent_id":1},
                {"id":3,"name":"Loop","parent_id":3}]"#,
        )
        .expect("categories");
        let labels: Vec<_> = by_path(&categories)
            .into_iter()
            .map(|choice| choice.label)
            .collect();
        assert_eq!(labels[..2], ["Services", "Services / Repair"]);
        assert!(labels[2].starts_with("Loop / Loop"));
    }
}
