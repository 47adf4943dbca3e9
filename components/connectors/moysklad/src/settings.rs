//! What an admin chooses.

use std::collections::HashSet;

use tenon_sdk::model::{Fault, Instant, Key};
use tenon_sdk::reason;
use tenon_sdk::time::Zone;
use uuid::Uuid;

/// All settings of a connection.
#[derive(Clone, Debug, tenon_sdk::Settings)]
pub struct Settings {
    #[setting(
        title(en: "Organization", uk: "Організація", ru: "Организация"),
        hint(
            en: "The organization in MoySklad whose books this region is in",
            uk: "Організація в МойСклад, за якою ведеться облік цього регіону",
            ru: "Организация в МойСклад, по которой ведётся учёт в этом регионе",
        ),
        options = organizations,
    )]
    pub organization: Option<Uuid>,
    #[setting(
        title(en: "Region", uk: "Регіон", ru: "Регион"),
        hint(
            en: "Only orders of this region are sent; all when none is chosen. Every branch has a connection of its own, possibly with one login",
            uk: "Надсилаються лише замовлення цього регіону; якщо не обрано, усі. Кожна філія має власне підключення, можливо з одним логіном",
            ru: "Отправляются только заказы этого региона; если не выбран, все. У каждого филиала своё подключение, возможно с одним логином",
        ),
        directory = Organizations,
    )]
    pub region: Option<Key>,
    #[setting(title(en: "Active", uk: "Активна", ru: "Активна"))]
    pub active: bool,
    #[setting(
        title(
            en: "Send orders to suppliers",
            uk: "Надсилати замовлення постачальникам",
            ru: "Отправлять заказы поставщикам",
        ),
    )]
    pub supplier_orders: bool,
    #[setting(
        title(
            en: "Delete refused lines",
            uk: "Видаляти позиції з відмовою",
            ru: "Удалять позиции, по которым пришёл отказ или снятие",
        ),
    )]
    pub delete_refused: bool,
    #[setting(
        title(
            en: "When all lines of an order are refused",
            uk: "Якщо відмовлено за всіма позиціями",
            ru: "Если отказано по всем позициям",
        ),
    )]
    pub all_refused: AllRefused,
    #[setting(
        title(
            en: "State of refused orders",
            uk: "Статус замовлень з відмовою",
            ru: "Статус заказов с отказом",
        ),
        options = states, needed_when(all_refused = "state"),
    )]
    pub refused_state: Option<Uuid>,
    #[setting(title(en: "Receive photos", uk: "Отримувати фотографії", ru: "Получать фотографии"))]
    pub photos: bool,
    #[setting(
        title(
            en: "Category to synchronise from",
            uk: "З якої категорії синхронізувати категорії",
            ru: "Из какой категории синхронизировать категории",
        ),
        hint(
            en: "All categories when none is chosen",
            uk: "Якщо не обрано, синхронізуються всі категорії",
            ru: "Если не выбрать, будут синхронизированы все категории",
        ),
        options = "product-folders",
    )]
    pub root_category: Option<Uuid>,
    #[setting(
        title(en: "Category on the site", uk: "Категорія на сайті", ru: "Категория на сайте"),
        hint(
            en: "The categories of MoySklad are put under it",
            uk: "До неї додаються категорії, отримані з МойСклад",
            ru: "В неё добавляются категории, полученные из МойСклад",
        ),
        record = Category,
    )]
    pub site_category: Option<Key>,
    #[setting(
        title(
            en: "Synchronise categories",
            uk: "Увімкнути синхронізацію категорій",
            ru: "Включить синхронизацию категорий",
        ),
    )]
    pub categories: bool,
    #[setting(
        title(
            en: "Synchronise the balance",
            uk: "Синхронізувати баланс",
            ru: "Синхронизировать баланс",
        ),
        hint(
            en: "Needs a paid tariff with the CRM option",
            uk: "Потрібен платний тариф з опцією CRM",
            ru: "Нужен платный тариф с опцией CRM",
        ),
    )]
    pub balance: bool,
    #[setting(
        title(
            en: "A positive balance is a debt of the customer",
            uk: "Додатний баланс – борг клієнта",
            ru: "Положительный баланс – долг клиента",
        ),
    )]
    pub balance_is_debt: bool,
    #[setting(
        title(
            en: "Price lists and stores",
            uk: "Прайс-листи та склади",
            ru: "Прайс-листы и склады",
        ),
        hint(
            en: "The stock levels of a price list are replaced by those of its store",
            uk: "Залишки прайс-листа замінюються залишками його складу",
            ru: "Остатки прайс-листа заменяются остатками его склада",
        ),
    )]
    pub price_lists: Vec<PriceList>,
    #[setting(
        title(en: "Store of orders", uk: "Склад замовлень", ru: "Склад заказов"),
        options = stores,
    )]
    pub store: Option<Uuid>,
    #[setting(
        title(en: "Owner of orders", uk: "Відповідальний за замовлення", ru: "Владелец заказов"),
        options = employees,
    )]
    pub owner: Option<Uuid>,
    #[setting(
        title(
            en: "State of new orders of customers",
            uk: "Статус нових замовлень клієнтів",
            ru: "Статус новых заказов клиентов",
        ),
        options = states,
    )]
    pub state: Option<Uuid>,
    #[setting(
        title(
            en: "State of new orders to suppliers",
            uk: "Статус нових замовлень постачальникам",
            ru: "Статус новых заказов поставщикам",
        ),
        options = "supplier-states",
    )]
    pub supplier_state: Option<Uuid>,
    #[setting(
        title(
            en: "Reserve ordered goods",
            uk: "Резервувати замовлені товари",
            ru: "Резервировать заказанные товары",
        ),
    )]
    pub reserve: bool,
    #[setting(
        title(en: "Service for delivery", uk: "Послуга для доставки", ru: "Услуга для доставки"),
        hint(
            en: "Delivery and other charges of an order become a position with this service; when none is chosen they are not sent",
            uk: "Доставка та інші доплати замовлення стають позицією з цією послугою; якщо не обрано, не надсилаються",
            ru: "Доставка и другие доплаты заказа становятся позицией с этой услугой; если не выбрана, не отправляются",
        ),
        options = services,
    )]
    pub delivery_service: Option<Uuid>,
    #[setting(
        title(en: "Orders since", uk: "Замовлення з", ru: "Заказы с"),
        hint(
            en: "Orders placed earlier are not sent",
            uk: "Раніші замовлення не надсилаються",
            ru: "Более ранние заказы не отправляются",
        ),
        pattern = "^\\d{4}-\\d{2}-\\d{2}$",
    )]
    pub orders_from: Option<String>,
    #[setting(
        title(en: "Group of customers", uk: "Група покупців", ru: "Группа покупателей"),
        default = "покупатели",
    )]
    pub customer_tag: String,
    #[setting(
        title(en: "Group of suppliers", uk: "Група постачальників", ru: "Группа поставщиков"),
        default = "поставщики",
    )]
    pub supplier_tag: String,
    #[setting(
        title(en: "API address", uk: "Адреса API", ru: "Адрес API"),
        address, default = "https://api.moysklad.ru/api/remap/1.2",
    )]
    pub base_url: String,
}

/// What becomes of an order whose lines are all refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, tenon_sdk::Settings)]
pub enum AllRefused {
    #[setting(
        title(
            en: "The order stays, empty",
            uk: "Замовлення лишається порожнім",
            ru: "Заказ остаётся пустым",
        ),
        default,
    )]
    Keep,
    #[setting(title(
        en: "The order is deleted",
        uk: "Замовлення видаляється",
        ru: "Заказ удаляется",
    ))]
    Delete,
    #[setting(title(
        en: "The order stays, empty, and gets the state below",
        uk: "Замовлення лишається порожнім і отримує статус нижче",
        ru: "Заказ остаётся пустым и получает статус ниже",
    ))]
    State,
}

/// A price list and the store whose stock it shows.
#[derive(Clone, Debug, tenon_sdk::Settings)]
pub struct PriceList {
    #[setting(title(en: "Price list", uk: "Прайс-лист", ru: "Прайс-лист"), directory = Warehouses)]
    pub price_list: Key,
    #[setting(title(en: "Store", uk: "Склад", ru: "Склад"), options = stores)]
    pub store: Uuid,
    #[setting(
        title(
            en: "Minutes between synchronisations",
            uk: "Хвилин між синхронізаціями",
            ru: "Минут между синхронизациями",
        ),
        min = 5, max = 1440, default = 15,
    )]
    pub minutes: u32,
}

impl Settings {
    /// Fails where no two price lists may be the same.
    ///
    /// # Errors
    /// `configuration`, naming the setting.
    pub fn judge(&self) -> Result<(), Fault> {
        let mut seen = HashSet::new();
        let mut lists = self.price_lists.iter();
        match lists.all(|list| seen.insert(&list.price_list)) {
            true => Ok(()),
            false => Err(Fault::Configuration(
                reason!("settings.price-list-twice").setting("price_lists"),
            )),
        }
    }

    /// The organization, where a job cannot do without.
    ///
    /// # Errors
    /// `configuration` when none is chosen.
    pub fn organization(&self) -> Result<Uuid, Fault> {
        self.organization.ok_or_else(|| {
            Fault::Configuration(reason!("settings.no-organization").setting("organization"))
        })
    }

    /// The moment before which no order is sent: the first of a day of the shop.
    ///
    /// # Errors
    /// `configuration` for what is no day.
    pub fn orders_from(&self, zone: &Zone) -> Result<Option<Instant>, Fault> {
        let first = self.orders_from.as_deref().map(|day| zone.first(day));
        first.transpose().map_err(|error| {
            let reason = reason!("sdk.setting", setting = "orders_from").detail(error);
            Fault::Configuration(reason.setting("orders_from"))
        })
    }
}
