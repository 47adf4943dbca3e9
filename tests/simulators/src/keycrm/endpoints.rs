//! What each endpoint takes and answers.

use std::sync::Arc;

use axum::http::StatusCode;

use super::account::Account;
use super::config::Behaviour;
use super::query::{Includes, ListQuery, Period, Rules, Sort};
use super::records::{Buyer, Offer, Order};
use super::refusal::Refusal;
use super::wire::Wire;
use crate::json::{self, Object, Raw, object};

/// A request as the endpoints see it.
pub struct Call<'a> {
    /// Base URL of the API.
    pub base: &'a str,
    /// Path below it.
    pub path: &'a str,
    /// Decoded parameters.
    pub parameters: &'a [(String, String)],
    /// The key in the path, as sent.
    pub id: Option<&'a str>,
}

/// JSON text, or why there is none.
pub type Answer = Result<String, Refusal>;

/// An endpoint's function.
pub type Endpoint = fn(&mut Account, &Call<'_>) -> Answer;

/// Every path that is served, with what serves it.
pub const ENDPOINTS: &[(&str, Endpoint)] = &[
    ("/order", orders),
    ("/order/{id}", order),
    ("/order/status", statuses),
    ("/order/source", sources),
    ("/order/payment-method", payment_methods),
    ("/order/delivery-service", delivery_services),
    ("/order/expense-type", expense_types),
    ("/order/tag", tags),
    ("/order/product-status", product_statuses),
    ("/users", users),
    ("/products", products),
    ("/products/{id}", product),
    ("/products/categories", categories),
    ("/offers", offers),
    ("/offers/stocks", stocks),
    ("/buyer", buyers),
    ("/buyer/{id}", buyer),
    ("/companies", companies),
    ("/companies/{id}", company),
    ("/custom-fields", custom_fields),
];

/// How many choices of orders are kept.
const MOST_CHOICES: usize = 32;

/// The answer where the API breaks over an order.
const BROKEN: Refusal = Refusal::Failure(StatusCode::INTERNAL_SERVER_ERROR);

const BY_ID: Sort<'static> = Sort {
    field: "id",
    descending: false,
};

const ORDERS: Rules = Rules {
    includes: Some(&[
        "assigned",
        "assignedCount",
        "assignedExists",
        "attachments",
        "attachments.file",
        "attachmentsCount",
        "attachmentsExists",
        "buyer",
        "buyerCount",
        "buyerExists",
        "customFields",
        "customFieldsCount",
        "customFieldsExists",
        "custom_fields",
        "expenses",
        "expensesCount",
        "expensesExists",
        "manager",
        "managerCount",
        "managerExists",
        "marketing",
        "marketingCount",
        "marketingExists",
        "payments",
        "paymentsCount",
        "paymentsExists",
        "products",
        "products.offer",
        "productsCount",
        "productsExists",
        "shipping",
        "shipping.deliveryService",
        "shipping.lastHistory",
        "shippingCount",
        "shippingExists",
        "status",
        "statusCount",
        "statusExists",
        "tags",
        "tagsCount",
        "tagsExists",
    ]),
    filters: &[
        "status_id",
        "source_id",
        "source_uuid",
        "buyer_phone",
        "buyer_email",
        "created_between",
        "updated_between",
        "shipping_between",
        "payment_status",
        "has_tracking_code",
    ],
    strict_filters: true,
    sorts: &["id", "created_at", "updated_at", "ordered_at"],
    default_sort: Sort {
        field: "id",
        descending: true,
    },
};

const DICTIONARY: Rules = Rules {
    includes: None,
    filters: &[],
    strict_filters: false,
    sorts: &["id"],
    default_sort: BY_ID,
};

const USERS: Rules = Rules {
    includes: None,
    filters: &[
        "id",
        "role_id",
        "full_name",
        "status",
        "email",
        "phone",
        "created_between",
        "last_logged_between",
    ],
    strict_filters: true,
    sorts: &[],
    default_sort: BY_ID,
};

const PRODUCTS: Rules = Rules {
    includes: Some(&["custom_fields"]),
    filters: &["product_id", "category_id", "is_archived"],
    strict_filters: true,
    sorts: &[],
    default_sort: BY_ID,
};

const CATEGORIES: Rules = Rules {
    includes: None,
    filters: &["category_id", "parent_id"],
    strict_filters: true,
    sorts: &[],
    default_sort: BY_ID,
};

const OFFERS: Rules = Rules {
    includes: Some(&["product"]),
    filters: &["id", "product_id", "sku", "is_archived"],
    strict_filters: true,
    sorts: &["id"],
    default_sort: BY_ID,
};

const STOCKS: Rules = Rules {
    includes: None,
    filters: &["offers_id", "offers_sku", "details"],
    // A filter that the endpoint does not know was seen to do nothing.
    strict_filters: false,
    sorts: &[],
    default_sort: BY_ID,
};

const BUYERS: Rules = Rules {
    includes: Some(&["manager", "shipping", "company", "loyalty", "custom_fields"]),
    filters: &[
        "buyer_id",
        "buyer_phone",
        "buyer_email",
        "created_between",
        "updated_between",
    ],
    strict_filters: true,
    sorts: &[],
    default_sort: BY_ID,
};

const COMPANIES: Rules = Rules {
    includes: Some(&["manager", "buyer", "custom_fields"]),
    filters: &["company_id", "created_between", "updated_between"],
    strict_filters: true,
    sorts: &[],
    default_sort: BY_ID,
};

const CUSTOM_FIELDS: Rules = Rules {
    includes: Some(&["options"]),
    filters: &["model"],
    strict_filters: true,
    sorts: &["id", "position"],
    default_sort: BY_ID,
};

fn orders(account: &mut Account, call: &Call<'_>) -> Answer {
    let query = ListQuery::parse(call.parameters, ORDERS, &account.behaviour)?;
    let chosen = choose_orders(account, &query)?;
    let wire = Wire::new(account);
    let mut breaks = false;
    let answer = page(account, call, &query, &chosen, |out, id| {
        breaks |= account.broken_orders.contains(id);
        if let Some(order) = account.orders.get(id) {
            wire.order(out, order, &query.includes);
        }
    });
    if breaks {
        return Err(BROKEN);
    }
    Ok(answer)
}

/// The keys of the orders that the query's filters and sort choose.
fn choose_orders(account: &mut Account, query: &ListQuery<'_>) -> Result<Arc<[i64]>, Refusal> {
    let choice = format!("{:?} {:?}", query.filters, query.sort);
    if let Some(chosen) = account.choices.get(&choice) {
        return Ok(chosen.clone());
    }
    let conditions = Condition::of(query, &account.behaviour)?;
    let mut orders: Vec<&Order> = account
        .orders
        .values()
        .filter(|order| conditions.iter().all(|one| one.holds(account, order)))
        .collect();
    let key = |order: &Order, field: &str| match field {
        "created_at" => order.created_at.as_second(),
        "updated_at" => order.updated_at.as_second(),
        "ordered_at" => order.ordered_at.as_second(),
        _ => order.id,
    };
    orders.sort_by(|one, other| {
        query
            .sort
            .iter()
            .map(|sort| {
                let ascending = key(one, sort.field).cmp(&key(other, sort.field));
                if sort.descending {
                    ascending.reverse()
                } else {
                    ascending
                }
            })
            .find(|order| order.is_ne())
            .unwrap_or_else(|| one.id.cmp(&other.id))
    });
    let chosen: Arc<[i64]> = orders.iter().map(|order| order.id).collect();
    // A client that asks for "until now" again and again never asks the same twice.
    if account.choices.len() == MOST_CHOICES {
        account.choices.clear();
    }
    account.choices.insert(choice, chosen.clone());
    Ok(chosen)
}

/// One filter of the order list.
enum Condition<'a> {
    Status(Vec<i64>),
    Source(Vec<i64>),
    SourceNumber(&'a str),
    Phone(Vec<&'a str>),
    Email(Vec<&'a str>),
    /// The filter is named after creation but looks at the time on the source.
    Ordered(Period),
    Updated(Period),
    Shipped(Period),
    Payment(Vec<&'a str>),
    Tracked(bool),
}

impl<'a> Condition<'a> {
    fn of(query: &ListQuery<'a>, behaviour: &Behaviour) -> Result<Vec<Self>, Refusal> {
        let keys = |name| {
            query.ids(name).map(|mut ids: Vec<i64>| {
                if !behaviour.id_lists {
                    ids.truncate(1);
                }
                ids
            })
        };
        let period = |name| query.period(name, behaviour);
        Ok([
            keys("status_id").map(Self::Status),
            keys("source_id").map(Self::Source),
            query.filter("source_uuid").map(Self::SourceNumber),
            query.words("buyer_phone").map(Self::Phone),
            query.words("buyer_email").map(Self::Email),
            period("created_between")?.map(Self::Ordered),
            period("updated_between")?.map(Self::Updated),
            period("shipping_between")?.map(Self::Shipped),
            query.words("payment_status").map(Self::Payment),
            query.flag("has_tracking_code").map(Self::Tracked),
        ]
        .into_iter()
        .flatten()
        .collect())
    }

    fn holds(&self, account: &Account, order: &Order) -> bool {
        let buyer = || order.buyer_id.and_then(|id| account.buyers.get(&id));
        let shipping = order.shipping.as_ref();
        match self {
            Self::Status(ids) => ids.contains(&order.status_id),
            Self::Source(ids) => ids.contains(&order.source_id),
            Self::SourceNumber(number) => order.source_uuid.as_deref() == Some(number),
            Self::Phone(phones) => buyer().is_some_and(|buyer| has_phone(buyer, phones)),
            Self::Email(emails) => buyer().is_some_and(|buyer| has_email(buyer, emails)),
            Self::Ordered(period) => period.contains(order.ordered_at),
            Self::Updated(period) => period.contains(order.updated_at),
            Self::Shipped(period) => shipping
                .and_then(|shipping| shipping.shipped_at)
                .is_some_and(|at| period.contains(at)),
            Self::Payment(states) => {
                states.contains(&order.totals(&account.behaviour).payment_status.as_str())
            }
            Self::Tracked(wanted) => {
                shipping.is_some_and(|shipping| shipping.tracking_code.is_some()) == *wanted
            }
        }
    }
}

fn has_phone(buyer: &Buyer, phones: &[&str]) -> bool {
    let digits = |phone: &str| -> String { phone.chars().filter(char::is_ascii_digit).collect() };
    phones.iter().any(|wanted| {
        let wanted = digits(wanted);
        buyer.phones.iter().any(|phone| digits(phone) == wanted)
    })
}

fn has_email(buyer: &Buyer, emails: &[&str]) -> bool {
    let same = |wanted: &&str| {
        buyer
            .emails
            .iter()
            .any(|own| own.eq_ignore_ascii_case(wanted))
    };
    emails.iter().any(same)
}

fn order(account: &mut Account, call: &Call<'_>) -> Answer {
    let includes = includes(call, ORDERS)?;
    let order = by_key(&account.orders, call)?;
    if account.broken_orders.contains(&order.id) {
        return Err(BROKEN);
    }
    let mut out = String::new();
    Wire::new(account).order(&mut out, order, &includes);
    Ok(out)
}

/// A page of a whole dictionary.
macro_rules! dictionary {
    ($name:ident, $records:ident, $show:ident, $keep:expr) => {
        fn $name(account: &mut Account, call: &Call<'_>) -> Answer {
            let query = ListQuery::parse(call.parameters, DICTIONARY, &account.behaviour)?;
            let wire = Wire::new(account);
            let rows = sorted(&query, account.$records.values().filter($keep));
            Ok(objects(account, call, &query, &rows, |out, row| {
                wire.$show(out, row);
            }))
        }
    };
}
dictionary!(statuses, statuses, status, |status| status.is_active);
dictionary!(sources, sources, source, |_| true);
dictionary!(payment_methods, payment_methods, payment_method, |_| true);
dictionary!(
    delivery_services,
    delivery_services,
    delivery_service,
    |_| true
);
dictionary!(expense_types, expense_types, expense_type, |_| true);
dictionary!(tags, tags, tag, |_| true);
dictionary!(product_statuses, product_statuses, product_status, |_| true);

fn users(account: &mut Account, call: &Call<'_>) -> Answer {
    if !account.behaviour.users_endpoint {
        return Err(Refusal::Forbidden);
    }
    let query = ListQuery::parse(call.parameters, USERS, &account.behaviour)?;
    let ids = query.ids("id");
    let roles = query.ids("role_id");
    let created = query.period("created_between", &account.behaviour)?;
    let logged = query.period("last_logged_between", &account.behaviour)?;
    let is = |filter: &str, value: Option<&str>| {
        query
            .filter(filter)
            .is_none_or(|wanted| value == Some(wanted))
    };
    let rows = sorted(
        &query,
        account.users.values().filter(|user| {
            listed(&ids, user.id)
                && listed(&roles, user.role_id)
                && is("full_name", Some(&user.full_name()))
                && is("status", Some(&user.status))
                && is("email", Some(&user.email))
                && is("phone", user.phone.as_deref())
                && created.is_none_or(|period| period.contains(account.opened_at))
                && logged
                    .is_none_or(|period| user.last_logged_at.is_some_and(|at| period.contains(at)))
        }),
    );
    let wire = Wire::new(account);
    Ok(objects(account, call, &query, &rows, |out, user| {
        wire.user(out, user);
    }))
}

fn products(account: &mut Account, call: &Call<'_>) -> Answer {
    let query = ListQuery::parse(call.parameters, PRODUCTS, &account.behaviour)?;
    let ids = query.ids("product_id");
    let categories = query.ids("category_id");
    let archived = query.flag("is_archived");
    let rows = sorted(
        &query,
        account.products.values().filter(|product| {
            listed(&ids, product.id)
                && listed(&categories, product.category_id.unwrap_or_default())
                && archived.is_none_or(|archived| archived == product.is_archived)
        }),
    );
    let wire = Wire::new(account);
    Ok(objects(account, call, &query, &rows, |out, product| {
        wire.product(out, product, &query.includes);
    }))
}

fn product(account: &mut Account, call: &Call<'_>) -> Answer {
    let includes = includes(call, PRODUCTS)?;
    let product = by_key(&account.products, call)?;
    let wire = Wire::new(account);
    Ok(bare(|out| wire.product(out, product, &includes)))
}

fn categories(account: &mut Account, call: &Call<'_>) -> Answer {
    let query = ListQuery::parse(call.parameters, CATEGORIES, &account.behaviour)?;
    let ids = query.ids("category_id");
    let parents = query.ids("parent_id");
    let rows = sorted(
        &query,
        account.categories.values().filter(|category| {
            listed(&ids, category.id) && listed(&parents, category.parent_id.unwrap_or_default())
        }),
    );
    let wire = Wire::new(account);
    Ok(objects(account, call, &query, &rows, |out, category| {
        wire.category(out, category);
    }))
}

fn offers(account: &mut Account, call: &Call<'_>) -> Answer {
    let query = ListQuery::parse(call.parameters, OFFERS, &account.behaviour)?;
    let products = query.ids("product_id");
    let archived = query.flag("is_archived");
    let keep = |offer: &&Offer| {
        listed(&products, offer.product_id)
            && archived.is_none_or(|archived| archived == offer.is_archived)
    };
    let rows = choose_offers(account, &query, "id", "sku", keep);
    let wire = Wire::new(account);
    Ok(objects(account, call, &query, &rows, |out, offer| {
        wire.offer(out, offer, &query.includes);
    }))
}

fn stocks(account: &mut Account, call: &Call<'_>) -> Answer {
    let query = ListQuery::parse(call.parameters, STOCKS, &account.behaviour)?;
    let rows = choose_offers(account, &query, "offers_id", "offers_sku", |_| true);
    let details = query.flag("details").unwrap_or(false);
    let wire = Wire::new(account);
    Ok(objects(account, call, &query, &rows, |out, offer| {
        wire.stock_row(out, offer, details);
    }))
}

fn choose_offers<'a>(
    account: &'a Account,
    query: &ListQuery<'_>,
    id_filter: &str,
    sku_filter: &str,
    keep: impl Fn(&&Offer) -> bool,
) -> Vec<&'a Offer> {
    let ids = query.ids(id_filter);
    let skus = query.words(sku_filter);
    sorted(
        query,
        account.offers.values().filter(|offer| {
            let sku = offer.sku.as_deref().unwrap_or_default();
            listed(&ids, offer.id)
                && skus.as_ref().is_none_or(|skus| skus.contains(&sku))
                && keep(offer)
        }),
    )
}

fn buyers(account: &mut Account, call: &Call<'_>) -> Answer {
    let query = ListQuery::parse(call.parameters, BUYERS, &account.behaviour)?;
    let ids = query.ids("buyer_id");
    let phones = query.words("buyer_phone");
    let emails = query.words("buyer_email");
    let created = query.period("created_between", &account.behaviour)?;
    let updated = query.period("updated_between", &account.behaviour)?;
    let rows = sorted(
        &query,
        account.buyers.values().filter(|buyer| {
            listed(&ids, buyer.id)
                && phones
                    .as_ref()
                    .is_none_or(|phones| has_phone(buyer, phones))
                && emails
                    .as_ref()
                    .is_none_or(|emails| has_email(buyer, emails))
                && created.is_none_or(|period| period.contains(buyer.created_at))
                && updated.is_none_or(|period| period.contains(buyer.updated_at))
        }),
    );
    let wire = Wire::new(account);
    Ok(objects(account, call, &query, &rows, |out, buyer| {
        wire.buyer(out, buyer, &query.includes);
    }))
}

fn buyer(account: &mut Account, call: &Call<'_>) -> Answer {
    let includes = includes(call, BUYERS)?;
    let buyer = by_key(&account.buyers, call)?;
    let wire = Wire::new(account);
    Ok(bare(|out| wire.buyer(out, buyer, &includes)))
}

fn companies(account: &mut Account, call: &Call<'_>) -> Answer {
    let query = ListQuery::parse(call.parameters, COMPANIES, &account.behaviour)?;
    let ids = query.ids("company_id");
    let created = query.period("created_between", &account.behaviour)?;
    let updated = query.period("updated_between", &account.behaviour)?;
    let rows = sorted(
        &query,
        account.companies.values().filter(|company| {
            listed(&ids, company.id)
                && created.is_none_or(|period| period.contains(company.created_at))
                && updated.is_none_or(|period| period.contains(company.updated_at))
        }),
    );
    let wire = Wire::new(account);
    Ok(objects(account, call, &query, &rows, |out, company| {
        wire.company(out, company, &query.includes);
    }))
}

fn company(account: &mut Account, call: &Call<'_>) -> Answer {
    let includes = includes(call, COMPANIES)?;
    let company = by_key(&account.companies, call)?;
    let wire = Wire::new(account);
    Ok(bare(|out| wire.company(out, company, &includes)))
}

/// All custom fields at once: the one list without pages.
fn custom_fields(account: &mut Account, call: &Call<'_>) -> Answer {
    let query = ListQuery::parse(call.parameters, CUSTOM_FIELDS, &account.behaviour)?;
    let models = query.words("model");
    let mut rows = sorted(
        &query,
        account.custom_fields.values().filter(|field| {
            models
                .as_ref()
                .is_none_or(|models| models.contains(&field.model.as_str()))
        }),
    );
    if query.sort.iter().any(|sort| sort.field == "position") {
        rows.sort_by_key(|field| field.position);
        if query.descending() {
            rows.reverse();
        }
    }
    let wire = Wire::new(account);
    let options = query.includes.has("options");
    let mut out = String::new();
    json::objects(&mut out, rows, |out, field| {
        wire.custom_field(out, field, options);
    });
    Ok(out)
}

fn includes<'a>(call: &Call<'a>, rules: Rules) -> Result<Includes<'a>, Refusal> {
    call.parameters
        .iter()
        .find(|(name, _)| name == "include")
        .map_or_else(
            || Ok(Includes::default()),
            |(_, value)| Includes::parse(value, rules.includes),
        )
}

fn by_key<'a, T>(
    records: &'a std::collections::BTreeMap<i64, T>,
    call: &Call<'_>,
) -> Result<&'a T, Refusal> {
    let id = call.id.and_then(|id| id.parse().ok());
    id.and_then(|id: i64| records.get(&id))
        .ok_or(Refusal::NotFound)
}

fn bare(write: impl FnOnce(&mut Object<'_>)) -> String {
    let mut out = String::new();
    object(&mut out, write);
    out
}

/// Whether a list of keys, when given, has this one.
fn listed(ids: &Option<Vec<i64>>, id: i64) -> bool {
    ids.as_ref().is_none_or(|ids| ids.contains(&id))
}

/// Records by key, the way round that the query wants.
fn sorted<'a, T>(query: &ListQuery<'_>, rows: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut rows: Vec<_> = rows.collect();
    if query.descending() {
        rows.reverse();
    }
    rows
}

fn objects<T>(
    account: &Account,
    call: &Call<'_>,
    query: &ListQuery<'_>,
    rows: &[T],
    mut write: impl FnMut(&mut Object<'_>, &T),
) -> String {
    page(account, call, query, rows, |out, row| {
        object(out, |out| write(out, row));
    })
}

/// The envelope of a list with the rows of the page in it.
fn page<T>(
    account: &Account,
    call: &Call<'_>,
    query: &ListQuery<'_>,
    rows: &[T],
    write: impl FnMut(&mut String, &T),
) -> String {
    let behaviour = &account.behaviour;
    let stride = match query.limit {
        limit if behaviour.overlapping_pages && limit > 1 => limit - 1,
        limit => limit,
    };
    let shared = query.limit - stride;
    let last_page = rows.len().saturating_sub(shared).div_ceil(stride).max(1);
    let first = (query.page - 1).saturating_mul(stride).min(rows.len());
    let end = (first + query.limit).min(rows.len());
    let shown = if query.page > last_page {
        &rows[..0]
    } else {
        &rows[first..end]
    };
    let url = |page: usize| page_url(call, behaviour, page);
    let mut data = String::with_capacity(shown.len() * 4096);
    json::elements(&mut data, shown, write);
    bare(|out| {
        out.put("total", rows.len());
        out.put("current_page", query.page);
        out.put("per_page", query.limit);
        if behaviour.last_page {
            out.put("last_page", last_page);
        }
        out.put("data", Raw(&data));
        out.put("first_page_url", url(1));
        out.put("last_page_url", url(last_page));
        out.put(
            "next_page_url",
            (query.page < last_page).then(|| url(query.page + 1)),
        );
        out.put(
            "prev_page_url",
            (query.page > 1).then(|| url(query.page - 1)),
        );
        if behaviour.paginator_extras {
            let from = (!shown.is_empty()).then_some(first + 1);
            out.put("from", from);
            out.put("to", from.map(|_| end));
            out.put("path", format!("{}{}", call.base, call.path));
            out.put("links", Raw("[]"));
        }
    })
}

fn page_url(call: &Call<'_>, behaviour: &Behaviour, page: usize) -> String {
    let mut url = format!("{}{}?", call.base, call.path);
    if behaviour.page_urls_keep_query {
        for (name, value) in call.parameters.iter().filter(|(name, _)| name != "page") {
            encode(&mut url, name);
            url.push('=');
            encode(&mut url, value);
            url.push('&');
        }
    }
    json::append(&mut url, format_args!("page={page}"));
    url
}

/// Appends text as a URL's query takes it.
fn encode(url: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(byte));
            }
            _ => json::append(url, format_args!("%{byte:02X}")),
        }
    }
}
