//! What every account has from its first day.

use rust_decimal::Decimal;

use super::account::Account;
use super::id::Id;
use super::kind::Kind;
use super::record::Record;
use super::value::{Ref, Value};

const ORDER_STATES: &[(&str, &str, i64)] = &[
    ("Новый", "Regular", 0x00a2c6),
    ("Подтвержден", "Regular", 0xffa500),
    ("Собран", "Regular", 0x9acd32),
    ("Отгружен", "Regular", 0x228b22),
    ("Доставлен", "Successful", 0x008000),
    ("Возврат", "Unsuccessful", 0xa9a9a9),
    ("Отменен", "Unsuccessful", 0xff0000),
];

const PURCHASE_STATES: &[(&str, &str, i64)] = &[
    ("Черновик", "Regular", 0xa9a9a9),
    ("Отправлен поставщику", "Regular", 0x00a2c6),
    ("Получен", "Successful", 0x008000),
];

impl Account {
    /// Puts in what the vendor itself puts into a new account. No trace of it is left.
    pub(super) fn furnish(&mut self) {
        let word = |text: &str| Value::Text(text.to_owned());
        self.home.group = self.install(Kind::Group, |group| {
            group.set("name", word("Основной"));
            group.set("index", Value::Int(0));
        });
        let group = Ref {
            kind: Kind::Group,
            id: self.home.group,
        };
        self.home.employee = self.install(Kind::Employee, |employee| {
            employee.set("lastName", word("Администратор"));
            employee.set("name", word("Администратор"));
            employee.set("shortFio", word("Администратор"));
            employee.set("fullName", word("Администратор"));
            employee.set("group", Value::Ref(group));
        });
        self.home.currency = self.install(Kind::Currency, |currency| {
            currency.set("name", word("руб"));
            currency.set("fullName", word("Российский рубль"));
            currency.set("code", word("643"));
            currency.set("isoCode", word("RUB"));
            currency.set("rate", Value::Number(Decimal::ONE));
            currency.set("default", Value::Flag(true));
            currency.set("system", Value::Flag(true));
        });
        self.home.price_type = self.install(Kind::PriceType, |one| {
            one.set("name", word("Цена продажи"));
        });
        self.home.piece = self.install(Kind::Uom, |uom| {
            uom.set("name", word("шт"));
            uom.set("description", word("Штука"));
            uom.set("code", word("796"));
        });
        self.install(Kind::Country, |country| {
            country.set("name", word("Россия"));
            country.set("code", word("643"));
        });
        self.home.organization = self.install(Kind::Organization, |organization| {
            organization.set("name", word("ООО \"Автозапчасти\""));
            organization.set("legalTitle", word("ООО \"Автозапчасти\""));
            organization.set("inn", word("7701234567"));
            organization.set("kpp", word("770101001"));
        });
        self.home.store = self.install(Kind::Store, |store| {
            store.set("name", word("Основной склад"));
        });
        for (kind, states) in [
            (Kind::CustomerOrder, ORDER_STATES),
            (Kind::PurchaseOrder, PURCHASE_STATES),
        ] {
            for (name, state_type, color) in states {
                self.install(Kind::State, |state| {
                    state.set("name", word(name));
                    state.set("stateType", word(state_type));
                    state.set("color", Value::Int(*color));
                    state.set("entityType", word(kind.word()));
                });
            }
        }
        self.settle();
        self.audit.clear();
    }

    fn install(&mut self, kind: Kind, fill: impl FnOnce(&mut Record)) -> Id {
        let mut record = self.begin(kind);
        fill(&mut record);
        let id = record.id;
        self.put(record);
        id
    }
}
