//! MoySklad and a shop: products, pictures, categories and stock come from MoySklad; partners and
//! orders go there.
//!
//! MoySklad is the master of goods and money, the shop of its customers and what they order. How
//! the pieces meet: each file in `jobs` reads one stream, decides by the pure functions in `map`,
//! and acts through `api`; what a run must remember is kept beside its job.

mod account;
mod api;
mod jobs;
mod map;
mod settings;
mod webhooks;

use settings::Settings;
use tenon_sdk::connector;

connector! {
    /// The connector.
    pub struct MoySklad = "moysklad", title(en: "MoySklad", uk: "МойСклад", ru: "МойСклад");
    settings Settings;
    credential token = bearer, title(en: "Access token", uk: "Токен доступу", ru: "Токен доступа");
    credential login = token("/api/remap/1.2/security/token", "access_token"), title(
        en: "Login and password, as `login:password`",
        uk: "Логін і пароль, як `login:password`",
        ru: "Логин и пароль, как `login:password`",
    );
    // 45 units in 3 seconds, of which a login or a user's token pays 4 for a request from December
    // 2026 on; one request is left for the exchange of a login. An application may do more; its answers
    // do not say so. Of the 5 at once, one is left to people. Extended reports on stock cost 5 units
    // (Remap 1.2, "Restrictions"). Pictures lie on several hosts, one of them at port 8080.
    endpoint remap = "{settings.base_url}", credentials(token, login), budget(10 per 3100 ms),
        parallel(4), cost("/api/remap/1.2/report/stock/all" = 5),
        cost("/api/remap/1.2/report/stock/bystore" = 5),
        cost("/api/remap/1.2/report/stock/all/current" = 1),
        cost("/api/remap/1.2/report/stock/bystore/current" = 1),
        reads(POST "/api/remap/1.2/report/counterparty"), redirects;
    check => account::check;
    choice organizations => account::organizations;
    choice stores => account::stores;
    choice services => account::services;
    choice employees => account::employees;
    choice states => account::states;
    choice "supplier-states" => account::supplier_states;
    choice "product-folders" => account::product_folders;
    job categories = every("5 0 * * *"),
        title(en: "Categories", uk: "Категорії", ru: "Категории") => jobs::categories;
    job products = every("10 0 * * *"), title(
        en: "All products",
        uk: "Повна синхронізація номенклатури",
        ru: "Полная синхронизация номенклатуры",
    ) => jobs::products;
    job changes = every("*/15 1-23 * * *"), title(
        en: "Changed products",
        uk: "Зміни номенклатури",
        ru: "Изменения номенклатуры",
    ) => jobs::changes;
    job images = every("*/30 1-23 * * *"),
        title(en: "Photos", uk: "Фотографії", ru: "Фотографии") => jobs::images;
    job stock = every("*/5 * * * *"), title(
        en: "Stock in price lists",
        uk: "Залишки прайс-листів",
        ru: "Остатки прайс-листов",
    ) => jobs::stock;
    job partners = title(
        en: "Customers and suppliers",
        uk: "Контрагенти",
        ru: "Контрагенты",
    ) => jobs::partners;
    job orders = every("*/5 * * * *"), changed(Order),
        title(en: "Orders", uk: "Замовлення", ru: "Заказы") => jobs::orders;
    job "order-again" = title(
        en: "Make it in MoySklad again",
        uk: "Створити в МойСклад знову",
        ru: "Создать в МойСклад снова",
    ) => jobs::order_again;
    job balance = visited(Partner), title(
        en: "Balances of customers",
        uk: "Баланс клієнтів",
        ru: "Баланс клиентов",
    ) => jobs::balance;
    job "match" = title(
        en: "Report what would be matched",
        uk: "Показати, що буде зіставлено",
        ru: "Показать, что будет сопоставлено",
    ) => jobs::compare;
    action stock = on(Warehouse), title(
        en: "Synchronise with MoySklad now",
        uk: "Синхронізувати з МойСклад зараз",
        ru: "Синхронизировать с МойСклад сейчас",
    );
    action "order-again" = on(Order), title(
        en: "Make it in MoySklad again",
        uk: "Створити в МойСклад знову",
        ru: "Создать в МойСклад снова",
    );
    webhooks unsigned;
    hook products => webhooks::receive;
    enable => webhooks::enable;
    disable => webhooks::disable;
}

#[cfg(test)]
mod tests;
