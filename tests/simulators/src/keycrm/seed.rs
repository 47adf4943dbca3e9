//! Makes up an account: the same one for the same configuration.
//!
//! Every oddity that a connector must survive occurs in the first few dozen records already, so
//! that small accounts are as hard as large ones; the rest is drawn at random.

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::account::{Account, opened};
use super::builders::{NewProduct, NewVariants};
use super::config::Config;
use super::records::{
    Address, Buyer, Category, CustomValue, DeliveryService, Line, Marketing, Offer, Order, Payment,
    PaymentState, Property, Purpose, Shipping, Source, Status, cents,
};

/// Key of the seeded category with the services; one of its children has services as well.
pub const SERVICES_CATEGORY: i64 = 14;

const SERVICES_CHILD: i64 = 17;

/// Statuses: key, title, alias, group, active. The titles that an admin never saved again are
/// transliterated, as the factory made them.
const STATUSES: &[(i64, &str, &str, i64, bool)] = &[
    (1, "new", "new", 1, true),
    (2, "pohodzhennia", "pohodzhennia", 2, true),
    (5, "Очікуємо передплату", "ochikuiemo_peredplatu", 2, true),
    (8, "Пакування", "pakuvannia", 3, true),
    (11, "vyrobnytstvo", "vyrobnytstvo", 3, true),
    (12, "Передано в доставку", "peredano_v_dostavku", 4, true),
    (
        15,
        "Прибуло на відділення",
        "prybulo_na_viddilennia",
        4,
        true,
    ),
    (19, "vykonano", "vykonano", 5, true),
    (21, "Виконано без чека", "vykonano_bez_cheka", 5, true),
    (104, "skasovano", "skasovano", 6, true),
    (117, "Немає в наявності", "nemaie_v_naiavnosti", 6, true),
    (131, "Дублікат", "dublikat", 6, false),
];

const CATEGORIES: &[(i64, &str, Option<i64>)] = &[
    (1, "Одяг", None),
    (2, "Футболки", Some(1)),
    (3, "Худі", Some(1)),
    (5, "Взуття", None),
    (8, "Дім і сад", None),
    (9, "Посуд", Some(8)),
    (SERVICES_CATEGORY, "Послуги", None),
    (SERVICES_CHILD, "Гравіювання", Some(SERVICES_CATEGORY)),
];

/// What a product may be called, with its category.
const GOODS: &[(&str, i64)] = &[
    ("Футболка", 2),
    ("Худі", 3),
    ("Сорочка", 1),
    ("Кросівки", 5),
    ("Черевики", 5),
    ("Чашка", 9),
    ("Тарілка", 9),
    ("Плед", 8),
    ("Лампа", 8),
    ("Кашпо", 8),
];

const COLLECTIONS: &[&str] = &[
    "Карпати",
    "Дніпро",
    "Поділля",
    "Лиман",
    "Хортиця",
    "Десна",
    "Говерла",
    "Синевир",
    "Троянда",
    "Калина",
    "Мальва",
    "Ластівка",
];

const COLOURS: &[(&str, &str)] = &[
    ("Чорний", "BLK"),
    ("Білий", "WHT"),
    ("Синій", "BLU"),
    ("Зелений", "GRN"),
    ("Червоний", "RED"),
];

const SIZES: &[&str] = &["S", "M", "L", "XL"];

const FIRST_NAMES: &[&str] = &[
    "Олена",
    "Тарас",
    "Ірина",
    "Богдан",
    "Оксана",
    "Андрій",
    "Марія",
    "Юрій",
    "Наталія",
    "Василь",
    "Катерина",
    "Сергій",
];

const LAST_NAMES: &[&str] = &[
    "Шевченко",
    "Коваленко",
    "Бондаренко",
    "Ткаченко",
    "Кравченко",
    "Олійник",
    "Мельник",
    "Лисенко",
    "Гаврилюк",
    "Савчук",
];

const CITIES: &[(&str, &str, &str)] = &[
    ("Київ", "Київська", "01001"),
    ("Львів", "Львівська", "79000"),
    ("Одеса", "Одеська", "65000"),
    ("Дніпро", "Дніпропетровська", "49000"),
    ("Харків", "Харківська", "61000"),
    ("Вінниця", "Вінницька", "21000"),
];

/// The account that `config` describes.
pub fn account(config: &Config) -> Account {
    let mut account = Account::empty();
    account.behaviour = config.behaviour.clone();
    account.api_key.clone_from(&config.api_key);
    account.opened_at = opened(config.period_start(), config.seed);
    account.set_now(account.opened_at);
    let mut rng = Rng::with_seed(config.seed);
    dictionaries(&mut account);
    catalogue(&mut account, &mut rng, config);
    buyers(&mut account, &mut rng, config.orders);
    orders(&mut account, &mut rng, config);
    account.set_now(config.ordered_to);
    account
}

fn dictionaries(account: &mut Account) {
    account.statuses = STATUSES
        .iter()
        .map(|&(id, name, alias, group_id, is_active)| {
            let status = Status {
                id,
                name: name.to_owned(),
                alias: alias.to_owned(),
                group_id,
                is_active,
                is_closing_order: group_id >= 5,
                is_reserved: matches!(id, 1 | 19 | 104),
                expiration_period: (group_id == 2).then_some(172_800),
            };
            (id, status)
        })
        .collect();
    account.sources = [
        (1, "Вручну", "vruchnu", "other", None),
        (
            3,
            "Інтернет-магазин",
            "internet_mahazyn",
            "opencart",
            Some("shop-1"),
        ),
        (4, "Prom.ua", "prom_ua", "promua", Some("3581234")),
        (9, "Instagram", "instagram", "other", None),
    ]
    .into_iter()
    .map(|(id, name, alias, driver, uuid)| {
        let source = Source {
            id,
            name: name.to_owned(),
            alias: alias.to_owned(),
            driver: driver.to_owned(),
            source_uuid: uuid.map(str::to_owned),
            source_name: uuid.map(|_| name.to_owned()),
            currency_code: "UAH".to_owned(),
        };
        (id, source)
    })
    .collect();
    account.delivery_services = [
        (1, "Нова Пошта", "novaposhta", "np_main"),
        (2, "Укрпошта", "ukrposhta", "ukrposhta"),
        (6, "Самовивіз", "pickup", "samovyviz"),
    ]
    .into_iter()
    .map(|(id, name, source_name, alias)| {
        let service = DeliveryService {
            id,
            name: name.to_owned(),
            source_name: source_name.to_owned(),
            alias: alias.to_owned(),
        };
        (id, service)
    })
    .collect();
    account.categories = CATEGORIES
        .iter()
        .map(|&(id, name, parent_id)| {
            let name = name.to_owned();
            (
                id,
                Category {
                    id,
                    name,
                    parent_id,
                },
            )
        })
        .collect();
    for method in ["Картка", "Післяплата", "LiqPay"] {
        account.add_payment_method(method);
    }
    account.add_expense_type("Комісія маркетплейсу");
    account.add_warehouse("Склад Львів");
    for tag in ["Подарунок", "Повторний клієнт", "Терміново"] {
        account.add_tag(tag);
    }
    for status in ["Новий", "Зібрано", "Немає"] {
        account.add_product_status(status);
    }
    for (index, (first, last)) in [
        ("Олена", "Коваль"),
        ("Дмитро", "Гнатюк"),
        ("Софія", "Романенко"),
        ("Петро", "Звільнений"),
        ("Нова", "Людина"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = account.add_user(first, last);
        if let Some(user) = account.users.get_mut(&id) {
            user.phone = (index % 2 == 0).then(|| format!("+38050000000{index}"));
            user.role_id = if index == 0 { 1 } else { 2 };
            user.status = match index {
                3 => "blocked",
                4 => "pending",
                _ => "active",
            }
            .to_owned();
            user.last_logged_at = (index < 3).then_some(account.opened_at);
        }
    }
    account.add_custom_field("Внутрішній номер", "order", "text");
    let channel = account.add_custom_field("Канал", "order", "select");
    if let Some(field) = account.custom_fields.get_mut(&channel) {
        field.options = vec!["Реклама".to_owned(), "Рекомендація".to_owned()];
    }
    account.add_custom_field("Знижкова картка", "client", "text");
    account.add_custom_field("Матеріал", "crm_product", "text");
    for company in ["ТОВ «Ромашка»", "ФОП Іваненко"] {
        let id = account.add_company(company);
        if let Some(company) = account.companies.get_mut(&id) {
            company.bank_account = Some("UA213223130000026007233566001".to_owned());
            company.manager_id = (id == 1).then_some(1);
        }
    }
}

/// What kind of product a seeded one is.
#[derive(Clone, Copy)]
enum Kind {
    Service(i64),
    Plain,
    WithoutSku,
    /// Named like the product before it.
    Namesake,
    OwnSkus,
    /// Variants without an SKU: absent, empty, or one for all.
    NoOwnSkus(Skus),
}

#[derive(Clone, Copy)]
enum Skus {
    Absent,
    Empty,
    Shared,
}

fn kind(rng: &mut Rng, index: usize, with_variants: f64) -> Kind {
    match index {
        0 => Kind::Plain,
        1 => Kind::OwnSkus,
        2 => Kind::Service(SERVICES_CATEGORY),
        3 => Kind::Service(SERVICES_CHILD),
        4 => Kind::Plain,
        5 => Kind::Namesake,
        6 => Kind::WithoutSku,
        7 => Kind::NoOwnSkus(Skus::Absent),
        8 => Kind::NoOwnSkus(Skus::Empty),
        9 => Kind::NoOwnSkus(Skus::Shared),
        _ if rng.f64() < with_variants => match rng.u8(0..10) {
            0 => Kind::NoOwnSkus(Skus::Absent),
            1 => Kind::NoOwnSkus(Skus::Empty),
            2 => Kind::NoOwnSkus(Skus::Shared),
            _ => Kind::OwnSkus,
        },
        _ => match rng.u8(0..30) {
            0 => Kind::Service(SERVICES_CATEGORY),
            1 => Kind::WithoutSku,
            _ => Kind::Plain,
        },
    }
}

fn catalogue(account: &mut Account, rng: &mut Rng, config: &Config) {
    let mut previous = String::new();
    for index in 0..config.products {
        let kind = kind(rng, index, config.with_variants);
        let (noun, home) = GOODS[index % GOODS.len()];
        let (name, category) = match kind {
            Kind::Service(category) => (format!("Послуга «Монтаж» №{}", index + 1), category),
            Kind::Namesake => (previous.clone(), home),
            _ => {
                let collection = COLLECTIONS[index / GOODS.len() % COLLECTIONS.len()];
                let round = index / (GOODS.len() * COLLECTIONS.len());
                let name = match round {
                    0 => format!("{noun} «{collection}»"),
                    round => format!("{noun} «{collection}» {}", round + 1),
                };
                (name, home)
            }
        };
        previous.clone_from(&name);
        let price = price(rng);
        let cost = cents(price * Decimal::new(6, 1));
        let article = format!("TN-{:05}", index + 1);
        let mut product = NewProduct::named(&name)
            .category(category)
            .priced(price, cost);
        if matches!(kind, Kind::Plain) && (index == 4 || rng.u8(0..15) == 0) {
            product = product.unit_type(if index % 2 == 0 { "кг" } else { "м" });
        }
        product = match kind {
            Kind::WithoutSku => product,
            Kind::OwnSkus => product.variants(variants(rng, price, |colour, size| {
                Some(format!("{article}-{colour}-{size}"))
            })),
            Kind::NoOwnSkus(skus) => product.variants(variants(rng, price, |_, _| match skus {
                Skus::Absent => None,
                Skus::Empty => Some(String::new()),
                Skus::Shared => Some(article.clone()),
            })),
            Kind::Plain | Kind::Namesake | Kind::Service(_) => product
                .sku(&article)
                .barcode(&format!("48{:011}", 1_000 + index)),
        };
        let id = account.add_product(product);
        for offer in account.offers.values_mut().rev() {
            if offer.product_id != id {
                break;
            }
            offer.quantity = Decimal::from(rng.u32(0..120));
            offer.in_reserve = Decimal::from(rng.u32(0..4));
            offer.weight = (rng.u8(0..3) > 0).then(|| Decimal::new(rng.i64(1..200), 1));
            offer.size = rng
                .bool()
                .then(|| [0; 3].map(|_| Decimal::new(rng.i64(10..900), 1)));
        }
        let archived = index > 20 && rng.u8(0..40) == 0;
        if let Some(product) = account.products.get_mut(&id) {
            product.is_archived = archived;
            product.thumbnail_url =
                (index % 2 == 0).then(|| format!("https://shop.example/images/{id}.jpg"));
            if rng.u8(0..4) == 0 {
                product.description = Some("Опис «для сайту» з \"лапками\"".to_owned());
                product.custom_values.push(CustomValue {
                    field_id: 4,
                    values: vec!["Бавовна".to_owned()],
                });
            }
        }
    }
}

/// Prices of every form: whole, with one digit, with two, and with cents written out.
fn price(rng: &mut Rng) -> Decimal {
    match rng.u8(0..4) {
        0 => Decimal::from(rng.u32(5..300) * 10),
        1 => Decimal::new(rng.i64(500..9_999), 1),
        2 => Decimal::new(rng.i64(1_000..250_000), 2),
        _ => Decimal::new(rng.i64(50..2_000) * 100, 2),
    }
}

fn variants(
    rng: &mut Rng,
    price: Decimal,
    sku: impl Fn(&str, &str) -> Option<String>,
) -> NewVariants {
    let count = rng.usize(2..=6);
    let colours = rng.usize(0..COLOURS.len());
    (0..count)
        .map(|index| {
            let (colour, code) = COLOURS[(colours + index / 2) % COLOURS.len()];
            let size = SIZES[index % 2 + rng.usize(0..2) * 2 * usize::from(count == 2)];
            let own_price = price + Decimal::from(rng.u8(0..3) * 10);
            let properties = [("Колір", colour), ("Розмір", size)].map(|(name, value)| Property {
                name: name.to_owned(),
                value: value.to_owned(),
            });
            (sku(code, size), own_price, properties.to_vec())
        })
        .collect()
}

fn buyers(account: &mut Account, rng: &mut Rng, orders: usize) {
    // Fewer buyers than orders, so that some come again.
    let count = (orders * 3 / 5).max(1);
    let entered = account.opened_at;
    for (id, index) in (71_i64..).zip(0..count) {
        let number = 1_000_000 + rng.u32(0..8_999_999);
        let phone = match index % 6 {
            0 | 1 => Some(format!("+38050{number}")),
            2 => Some(format!("38067{number}")),
            3 => Some(format!("0501{:06}", number % 1_000_000)),
            4 => Some(spaced_phone(number)),
            _ => None,
        };
        let email = (phone.is_none() || rng.bool()).then(|| format!("buyer{id}@mail.example"));
        let (city, region, zip) = CITIES[rng.usize(0..CITIES.len())];
        let buyer = Buyer {
            id,
            full_name: format!(
                "{} {}",
                FIRST_NAMES[rng.usize(0..FIRST_NAMES.len())],
                LAST_NAMES[rng.usize(0..LAST_NAMES.len())]
            ),
            phones: phone.into_iter().collect(),
            emails: email.into_iter().collect(),
            birthday: (rng.u8(0..10) == 0).then(|| "1990-05-16".to_owned()),
            note: (rng.u8(0..10) == 0).then(|| "Телефонувати після 18:00".to_owned()),
            company_id: (rng.u8(0..15) == 0).then(|| rng.i64(1..=2)),
            manager_id: (rng.u8(0..5) == 0).then(|| rng.i64(1..=3)),
            addresses: if rng.bool() {
                vec![Address {
                    address: Some(format!("вул. Соборна, {}", rng.u8(1..120))),
                    city: Some(city.to_owned()),
                    region: Some(region.to_owned()),
                    zip_code: Some(zip.to_owned()),
                }]
            } else {
                Vec::new()
            },
            loyalty_percent: (rng.u8(0..8) == 0).then_some(5),
            custom_values: if rng.u8(0..6) == 0 {
                vec![CustomValue {
                    field_id: 3,
                    values: vec![format!("C-{id}")],
                }]
            } else {
                Vec::new()
            },
            created_at: entered,
            updated_at: entered,
        };
        account.buyers.insert(id, buyer);
    }
}

/// A phone as people write it: `+38 (050) 111-22-33`.
fn spaced_phone(number: u32) -> String {
    format!(
        "+38 (050) {:03}-{:02}-{:02}",
        number / 10_000 % 1_000,
        number / 100 % 100,
        number % 100
    )
}

/// What the orders are drawn from.
struct Pool {
    offers: Vec<Offer>,
    names: Vec<(String, Option<String>)>,
    buyers: Vec<i64>,
    open_statuses: Vec<i64>,
    final_statuses: Vec<i64>,
    end: Timestamp,
}

fn orders(account: &mut Account, rng: &mut Rng, config: &Config) {
    let offers: Vec<Offer> = account.offers.values().cloned().collect();
    let status_ids = |is_final: bool| {
        STATUSES
            .iter()
            .filter(|(_, _, _, group, _)| (*group >= 5) == is_final)
            .map(|(id, ..)| *id)
            .collect()
    };
    let pool = Pool {
        names: offers
            .iter()
            .map(|offer| {
                let product = account.products.get(&offer.product_id);
                product.map_or_else(Default::default, |product| {
                    (product.name.clone(), product.unit_type.clone())
                })
            })
            .collect(),
        offers,
        buyers: account.buyers.keys().copied().collect(),
        open_statuses: status_ids(false),
        final_statuses: status_ids(true),
        end: config.ordered_to,
    };
    let mut id = 1_000;
    for (index, (ordered_at, created_at)) in moments(rng, config).into_iter().enumerate() {
        id += rng.i64(1..=3);
        let status_id = if rng.f64() < config.share_final {
            pool.final_statuses[rng.usize(0..pool.final_statuses.len())]
        } else {
            pool.open_statuses[rng.usize(0..pool.open_statuses.len())]
        };
        let place = Place {
            index,
            id,
            status_id,
            ordered_at,
            created_at,
        };
        let order = order(account, rng, &pool, place);
        account.orders.insert(id, order);
    }
}

/// When orders were placed and entered, in the order in which they were entered. Most are entered
/// within minutes; one in twenty comes by an import days later.
fn moments(rng: &mut Rng, config: &Config) -> Vec<(Timestamp, Timestamp)> {
    let start = config.period_start().as_second();
    let end = config.ordered_to.as_second().max(start);
    let at = |second: i64| Timestamp::from_second(second).unwrap_or(config.ordered_to);
    let mut moments: Vec<_> = (0..config.orders)
        .map(|_| {
            let ordered = rng.i64(start..=end);
            let delay = match rng.u8(0..20) {
                0 => rng.i64(86_400..20 * 86_400),
                _ => rng.i64(0..600),
            };
            (at(ordered), at((ordered + delay).min(end)))
        })
        .collect();
    moments.sort_by_key(|&(ordered, created)| (created, ordered));
    moments
}

/// When and in what state an order stands in the account.
struct Place {
    index: usize,
    id: i64,
    status_id: i64,
    ordered_at: Timestamp,
    created_at: Timestamp,
}

fn order(account: &mut Account, rng: &mut Rng, pool: &Pool, place: Place) -> Order {
    let Place {
        index,
        id,
        status_id,
        ordered_at,
        created_at,
    } = place;
    let changed = created_at
        .saturating_add(SignedDuration::from_secs(rng.i64(0..3 * 86_400)))
        .map_or(pool.end, |at| at.min(pool.end));
    let one_in = |rng: &mut Rng, n: u32| rng.u32(0..n) == 0;
    let source_id = [1, 3, 4, 9][index % 4];
    let number = 20_000 + index;
    let lines = lines(account, rng, pool, index);
    let (discount_percent, discount_amount) = match rng.u8(0..12) {
        0 => (Some(Decimal::from(10)), None),
        1 => (Some(Decimal::new(25, 1)), Some(Decimal::ZERO)),
        2 => (None, Some(Decimal::new(1_550, 2))),
        3 => (Some(Decimal::from(5)), Some(Decimal::ONE)),
        4 => (Some(Decimal::ZERO), Some(Decimal::ZERO)),
        _ => (None, None),
    };
    let buyer_id = (index % 17 != 3).then(|| pool.buyers[rng.usize(0..pool.buyers.len())]);
    let is_gift = one_in(rng, 15);
    let is_final = pool.final_statuses.contains(&status_id);
    let mut order = Order {
        id,
        parent_id: one_in(rng, 30).then_some(id - 5),
        source_id,
        source_uuid: (source_id != 1).then(|| match source_id {
            3 => format!("№{number}"),
            _ => number.to_string(),
        }),
        global_source_uuid: (source_id == 4).then(|| format!("70000000{number}")),
        status_on_source: (source_id == 4).then(|| "received".to_owned()),
        status_id,
        status_changed_at: changed,
        buyer_id,
        manager_id: (index % 5 != 0).then(|| rng.i64(1..=4)),
        assigned: if one_in(rng, 10) { vec![2] } else { Vec::new() },
        discount_percent,
        discount_amount,
        shipping_price: match rng.u8(0..6) {
            0 => Some(Decimal::ZERO),
            1 => Some(Decimal::from(70)),
            2 => Some(Decimal::new(8_250, 2)),
            3 => Some(Decimal::from(50)),
            _ => None,
        },
        wrap_price: is_gift.then(|| Decimal::from(35)),
        taxes: one_in(rng, 20).then(|| Decimal::new(1_205, 2)),
        promocode: one_in(rng, 12).then(|| "ВЕСНА10".to_owned()),
        manager_comment: one_in(rng, 5).then(|| "Передзвонити завтра".to_owned()),
        buyer_comment: one_in(rng, 4)
            .then(|| "Без дзвінка, будь ласка.\nКод \"домофона\" 25".to_owned()),
        gift_message: is_gift.then(|| "Вітаємо!".to_owned()),
        is_gift,
        ordered_at,
        created_at,
        updated_at: changed,
        closed_at: is_final.then_some(changed),
        deleted_at: None,
        lines,
        payments: Vec::new(),
        shipping: (index % 11 != 4).then(|| shipping(rng, index, created_at)),
        tag_ids: match rng.u8(0..6) {
            0 => vec![1],
            1 => vec![2, 3],
            _ => Vec::new(),
        },
        marketing: one_in(rng, 6).then(|| Marketing {
            source: Some("facebook".to_owned()),
            medium: Some("cpc".to_owned()),
            campaign: None,
        }),
        custom_values: match rng.u8(0..5) {
            0 => vec![CustomValue {
                field_id: 1,
                values: vec![format!("A-{index}")],
            }],
            1 => vec![CustomValue {
                field_id: 2,
                values: vec!["Реклама".to_owned()],
            }],
            _ => Vec::new(),
        },
        spoiled: std::collections::BTreeMap::new(),
    };
    payments(account, rng, &mut order);
    order
}

fn lines(account: &mut Account, rng: &mut Rng, pool: &Pool, index: usize) -> Vec<Line> {
    let count = [1, 1, 2, 2, 3, 4, 5, 6][rng.usize(0..8)];
    (0..count)
        .map(|position| {
            let one_off = pool.offers.is_empty() || (position == 0 && index % 13 == 5);
            line(account, rng, pool, one_off)
        })
        .collect()
}

fn line(account: &mut Account, rng: &mut Rng, pool: &Pool, one_off: bool) -> Line {
    let choice = (!one_off).then(|| rng.usize(0..pool.offers.len()));
    let offer = choice.map(|index| &pool.offers[index]);
    let (name, unit_type) = choice
        .and_then(|index| pool.names.get(index).cloned())
        .unwrap_or_else(|| ("Товар з маркетплейсу".to_owned(), None));
    // Sources keep prices of their own.
    let price = offer
        .map(|offer| offer.price)
        .filter(|_| rng.u8(0..10) > 0)
        .unwrap_or_else(|| price(rng));
    let quantity = match (unit_type.is_some(), rng.u8(0..20)) {
        (true, 0..7) | (false, 0) => Decimal::new(333, 3),
        (true, 7..14) | (false, 1) => Decimal::new(15, 1),
        (_, 2..5) => Decimal::from(2),
        (_, 5) => Decimal::from(rng.u8(3..12)),
        _ => Decimal::ONE,
    };
    let tenth = cents(price / Decimal::TEN);
    let (discount_percent, discount_amount) = match rng.u8(0..20) {
        0 | 1 => (Some(Decimal::from(5)), None),
        2 => (Some(Decimal::new(125, 1)), None),
        3 => (None, Some(tenth)),
        4 => (Some(Decimal::TEN), Some(tenth)),
        5..10 => (Some(Decimal::ZERO), Some(Decimal::ZERO)),
        _ => (None, None),
    };
    let sometimes = |rng: &mut Rng, amount: Decimal| match rng.u8(0..20) {
        0 => amount,
        _ => Decimal::ZERO,
    };
    Line {
        id: account.allot_line_id(),
        offer_id: offer.map(|offer| offer.id),
        sku: offer.and_then(|offer| offer.sku.clone()),
        name,
        price,
        purchased_price: offer.map_or(Decimal::ZERO, |offer| offer.purchased_price),
        quantity,
        unit_type,
        discount_percent,
        discount_amount,
        individual_discount: sometimes(rng, tenth),
        loyalty_discount: sometimes(rng, cents(price / Decimal::from(20))),
        properties: offer.map_or_else(Vec::new, |offer| offer.properties.clone()),
        product_status_id: (rng.u8(0..3) == 0).then(|| rng.i64(1..=3)),
        warehouse_id: (rng.u8(0..8) > 0).then(|| rng.i64(1..=2)),
        upsale: rng.u8(0..10) == 0,
        comment: (rng.u8(0..15) == 0).then(|| "Перевірити розмір".to_owned()),
    }
}

fn shipping(rng: &mut Rng, index: usize, created_at: Timestamp) -> Shipping {
    let (city, region, zip) = CITIES[rng.usize(0..CITIES.len())];
    let service = [1, 1, 1, 2, 6][rng.usize(0..5)];
    let shipped = rng.bool();
    let to_another = index % 7 == 2;
    Shipping {
        delivery_service_id: (index % 9 != 8).then_some(service),
        tracking_code: shipped.then(|| format!("2045{:010}", index)),
        shipping_status: shipped.then(|| "invoice".to_owned()),
        country: Some("Україна".to_owned()),
        region: (!index.is_multiple_of(3)).then(|| region.to_owned()),
        city: Some(city.to_owned()),
        zip: (service == 2).then(|| zip.to_owned()),
        secondary_line: (service == 2).then(|| format!("вул. Садова, {}", rng.u8(1..90))),
        receive_point: (service == 1).then(|| format!("Відділення №{}", rng.u8(1..90))),
        recipient_full_name: to_another.then(|| "Галина Отримувач".to_owned()),
        recipient_phone: to_another.then(|| "+380931112233".to_owned()),
        shipped_at: shipped.then_some(created_at),
        is_warehouse: service == 1,
    }
}

fn payments(account: &mut Account, rng: &mut Rng, order: &mut Order) {
    let total = order.totals(&account.behaviour).grand_total;
    let half = cents(total / Decimal::TWO);
    let plan: &[(PaymentState, Decimal)] = match rng.u8(0..8) {
        0 | 1 => &[(PaymentState::Paid, total)],
        2 => &[(PaymentState::Paid, half)],
        3 => &[
            (PaymentState::Paid, half),
            (PaymentState::Paid, total - half),
        ],
        4 => &[
            (PaymentState::Canceled, total),
            (PaymentState::NotPaid, total),
        ],
        5 => &[(PaymentState::NotPaid, total)],
        6 if rng.bool() => &[(PaymentState::Paid, total + Decimal::ONE)],
        _ => &[],
    };
    let mut enter = |purpose, amount, state| {
        let id = account.allot_payment_id();
        let paid = state == PaymentState::Paid;
        order.payments.push(Payment {
            id,
            purpose,
            amount,
            status: Some(state),
            paid_at: paid.then_some(order.created_at),
            description: (id % 4 == 0).then(|| "Передплата".to_owned()),
            transaction_uuid: (paid && id % 3 == 0).then(|| format!("UD{id}")),
            created_at: order.created_at,
        });
    };
    for &(state, amount) in plan {
        let method_id = rng.i64(1..=4);
        enter(Purpose::Receipt { method_id }, amount, state);
    }
    if rng.u8(0..6) == 0 {
        let type_id = rng.i64(1..=2);
        let amount = Decimal::new(rng.i64(1_000..9_000), 2);
        enter(Purpose::Expense { type_id }, amount, PaymentState::Paid);
    }
}
