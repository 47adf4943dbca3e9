//! Makes up the account of a shop of car parts: the same one for the same configuration.
//!
//! Every oddity that a connector must survive occurs in the first few dozen objects already, so
//! that small accounts are as hard as large ones; the rest is drawn at random.

use fastrand::Rng;
use jiff::SignedDuration;

use super::account::Account;
use super::builders::{NewCounterparty, NewOrder, NewProduct};
use super::config::Config;
use super::id::Id;
use super::kind::Kind;
use super::value::{Ref, Value};

/// Brands, some of several words.
const BRANDS: &[&str] = &[
    "MAHLE",
    "DOLZ",
    "MANN-FILTER",
    "Febi Bilstein",
    "TRW",
    "NGK",
    "Victor Reinz",
    "BOSCH",
    "Magneti Marelli",
    "Hella Pagid",
    "SKF",
    "Dayco",
    "Lemforder",
    "Mobis Hyundai Kia",
    "LUK",
    "КОЛОБОК",
];

/// Folders: name and the place of the parent in this list.
const FOLDERS: &[(&str, Option<usize>)] = &[
    ("Двигатель", None),
    ("Фильтры", Some(0)),
    ("Масляные фильтры", Some(1)),
    ("Воздушные фильтры", Some(1)),
    ("Охлаждение", Some(0)),
    ("Подвеска", None),
    ("Тормозная система", None),
    ("Колодки", Some(6)),
    ("Электрика", None),
    ("Расходники / прочее", None),
];

/// What a part may be called, with the place of its folder.
const PARTS: &[(&str, usize)] = &[
    ("Фильтр масляный", 2),
    ("Фильтр воздушный", 3),
    ("Насос водяной", 4),
    ("Термостат", 4),
    ("Рычаг подвески", 5),
    ("Сайлентблок", 5),
    ("Колодки тормозные передние", 7),
    ("Диск тормозной", 6),
    ("Свеча зажигания", 8),
    ("Генератор", 8),
    ("Ремень ГРМ", 0),
    ("Прокладка ГБЦ", 0),
];

const COMPANIES: &[&str] = &[
    "Радуга",
    "Автомир",
    "Колесо",
    "Мотор-Сервис",
    "Трак Плюс",
    "Вектор",
];

const LAST_NAMES: &[&str] = &[
    "Иванов",
    "Петров",
    "Сидоренко",
    "Кузнецова",
    "Соколов",
    "Ким",
];

const FIRST_NAMES: &[&str] = &["Анна", "Борис", "Виктор", "Галина", "Дмитрий", "Елена"];

const SURNAMES_OF_STAFF: &[(&str, &str)] = &[("Орлов", "Павел"), ("Зайцева", "Ольга")];

/// A picture of one pixel. What follows it makes one picture differ from another.
const PIXEL: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x62, 0, 1, 0, 0, 5, 0, 1, 0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0, b'I', b'E', b'N',
    b'D', 0xae, 0x42, 0x60, 0x82,
];

/// Every so many products one has a picture.
const PICTURED: usize = 5;

/// The account that a configuration describes.
pub fn account(config: &Config) -> Account {
    let mut account = Account::numbered(config.seed);
    let long_ago = SignedDuration::from_hours(24 * 30);
    account.set_now(config.now.saturating_sub(long_ago).unwrap_or(config.now));
    account.behaviour = config.behaviour.clone();
    let mut seed = Seed {
        account,
        rng: Rng::with_seed(config.seed),
    };
    let stores = seed.stores();
    let wholesale = seed.account.add_named(Kind::PriceType, "Оптовая");
    seed.account.add_named(Kind::Organization, "ИП Орлов П. А.");
    for (last, first) in SURNAMES_OF_STAFF {
        seed.account.add_employee(last, first);
    }
    let folders = seed.folders();
    let products = seed.products(config.products, &folders, wholesale, &stores);
    let agents = seed.counterparties(config.counterparties);
    seed.orders(config.orders, &agents, &products, &stores);
    let mut account = seed.account;
    account.set_now(config.now);
    account.audit.clear();
    account.stock.told = Some(config.now);
    account
}

struct Seed {
    account: Account,
    rng: Rng,
}

impl Seed {
    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.rng.usize(..all.len())]
    }

    fn stores(&mut self) -> Vec<Id> {
        let main = self.account.home.store;
        let second = self.account.add_named(Kind::Store, "Магазин на Ленина");
        let third = self.account.add(Kind::Store, |store| {
            store.set("name", Value::Text("Удаленный склад".to_owned()));
            let parent = Ref {
                kind: Kind::Store,
                id: main,
            };
            store.set("parent", Value::Ref(parent));
        });
        vec![main, second, third]
    }

    fn folders(&mut self) -> Vec<Id> {
        let mut ids: Vec<Id> = Vec::new();
        for (name, parent) in FOLDERS {
            let parent = parent.map(|place| ids[place]);
            ids.push(self.account.add_folder(name, parent));
        }
        ids
    }

    /// An article as the trade writes them, different for each number.
    fn article(&mut self, number: usize) -> String {
        let n = 1000 + number;
        match number % 7 {
            0 => format!("OC{n}"),
            1 => format!("C{n}"),
            2 => format!("W {}/{n}", self.rng.u32(600..999)),
            3 => format!("{:02}-{n}", self.rng.u32(10..99)),
            4 => format!("0 986 {} {n}", self.rng.u32(100..999)),
            5 => format!("{n}.0{}.1", self.rng.u32(100..999)),
            _ => format!("GDB{n}"),
        }
    }

    fn products(&mut self, number: usize, folders: &[Id], wholesale: Id, stores: &[Id]) -> Vec<Id> {
        let mut products = Vec::new();
        for place in 0..number {
            let (part, folder) = *self.pick(PARTS);
            let brand = BRANDS[place % BRANDS.len()];
            let article = self.article(place);
            let kopecks = self.rng.u32(5_000..900_000);
            let price = format!("{}.{:02}", kopecks / 100, kopecks % 100);
            let cost = format!("{}.{:02}", kopecks / 150, kopecks % 100);
            let new = NewProduct::new(&format!("{part} {brand}"))
                .price_of(wholesale, &cost)
                .buy_price(&cost)
                .weight(&format!("0.{}", self.rng.u32(1..999)));
            let new = match place {
                // The rule is that the code is the brand and the article, and the article alone is
                // in its field. These break it.
                3 => new.article(&article),
                4 => new.code(&format!("{brand} {article}")),
                5 => new
                    .code(&format!("{brand} {}", article.replace(' ', "")))
                    .article(&article),
                6 => new.code(&article).article(&article),
                7 => new
                    .code(&format!("{}  {article}", brand.to_lowercase()))
                    .article(&article),
                _ => new.code(&format!("{brand} {article}")).article(&article),
            };
            let new = match place {
                8 => new.archived(),
                9 => new.description("<p>С кавычками \"ёлочки\" и&nbsp;тегами</p>"),
                10 => new.vat(20),
                11 => new
                    .barcode("ean13", "4011558704018")
                    .barcode("code128", "A-1; B"),
                _ => new,
            };
            let new = if place == 12 { new } else { new.price(&price) };
            let new = if place == 13 {
                new
            } else {
                new.folder(folders[folder])
            };
            let id = self.account.add_product(new);
            if place % PICTURED == 0 {
                let picture = [PIXEL, article.as_bytes()].concat();
                self.account
                    .add_image(id, &format!("{article}.png"), &picture);
                if place == 0 {
                    self.account.add_image(id, "Вид сбоку.png", &picture);
                }
            }
            for (shelf, store) in stores.iter().enumerate() {
                // One in so many was never in a warehouse, another has run out, a third is oversold.
                if (place + shelf) % 4 == 3 {
                    continue;
                }
                let pieces = match place {
                    14 => "0".to_owned(),
                    15 => "-2".to_owned(),
                    16 => "1.5".to_owned(),
                    _ => self.rng.u32(0..60).to_string(),
                };
                self.account.set_stock(id, *store, &pieces);
            }
            products.push(id);
        }
        if let [first, second, ..] = products[..] {
            self.account.add_named(Kind::Service, "Шиномонтаж");
            let parts = [(first, "1"), (second, "2")];
            self.account.add_bundle("Набор для ТО", &parts);
            let side = self.account.add_characteristic("Сторона");
            for value in ["левая", "правая"] {
                let variant = self.account.add_variant(second, &[(side, value)]);
                self.account.set_stock(variant, stores[0], "4");
            }
        }
        products
    }

    fn counterparties(&mut self, number: usize) -> Vec<Id> {
        let mut agents = Vec::new();
        for place in 0..number {
            let n = 1_000_000 + place;
            let last = *self.pick(LAST_NAMES);
            let first = *self.pick(FIRST_NAMES);
            let new = match place % 4 {
                0 | 1 => {
                    let company = *self.pick(COMPANIES);
                    NewCounterparty::new(&format!("ООО \"{company}\" {place}"))
                        .inn(&format!("770{n}"))
                        .text("kpp", "770101001")
                        .text("legalTitle", &format!("ООО \"{company}\""))
                        .email(&format!("office{place}@company.example"))
                }
                2 => NewCounterparty::new(&format!("ИП {last}"))
                    .company_type("entrepreneur")
                    .inn(&format!("77010{n}"))
                    .text("legalLastName", last)
                    .text("legalFirstName", first)
                    .phone(&format!("8 (916) {:03}-{:02}-{:02}", place % 1000, 12, 34)),
                _ => NewCounterparty::new(&format!("{last} {first}"))
                    .company_type("individual")
                    .phone(&format!("+7916{n}"))
                    .email(&format!("buyer{place}@mail.example")),
            };
            let new = match place {
                // Two of one company, a branch, somebody without any contacts, one in the archive.
                4 => new.inn("7701000000"),
                5 => new.inn("7701000000").text("kpp", "780202002"),
                6 => NewCounterparty::new("Розничный покупатель"),
                8 => new.archived(),
                place if place % 4 == 1 => new.tag("поставщики"),
                _ => new.tag("покупатели"),
            };
            let id = self.account.add_counterparty(new);
            if place % 3 == 0 {
                let debt = format!("{}.50", self.rng.i32(-5_000..20_000));
                self.account.set_debt(id, &debt);
            }
            agents.push(id);
        }
        agents
    }

    fn orders(&mut self, number: usize, agents: &[Id], products: &[Id], stores: &[Id]) {
        if agents.is_empty() || products.is_empty() {
            return;
        }
        let states: Vec<Id> = self
            .account
            .states(Kind::CustomerOrder)
            .iter()
            .map(|state| state.id)
            .collect();
        for place in 0..number {
            self.account.wait(SignedDuration::from_mins(31));
            let agent = *self.pick(agents);
            let mut order = if place % 4 == 3 {
                NewOrder::to(agent)
            } else {
                NewOrder::of(agent).state(*self.pick(&states))
            };
            if place % 5 != 4 {
                order = order.store(*self.pick(stores));
            }
            for _ in 0..self.rng.usize(1..5) {
                let item = *self.pick(products);
                let kopecks = self.rng.u32(5_000..900_000);
                let price = format!("{}.{:02}", kopecks / 100, kopecks % 100);
                order = order.line(item, &self.rng.u32(1..5).to_string(), &price);
                if place % 4 == 0 {
                    order = order.reserve("1");
                }
            }
            self.account.add_order(order);
        }
    }
}
