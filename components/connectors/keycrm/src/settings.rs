//! What an admin chooses.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use tenon_sdk::flow::pull::Span;
use tenon_sdk::import::fingerprint;
use tenon_sdk::lenient::Id;
use tenon_sdk::model::{Fault, Key, Reason};
use tenon_sdk::time::{NotATime, Zone};
use tenon_sdk::{Settings, reason};

/// All settings of a connection.
#[derive(Debug, Settings)]
#[setting(one_of(period, last_days))]
pub struct Chosen {
    /// Where the API is.
    #[setting(
        title(en: "API address", uk: "Адреса API", ru: "Адрес API"),
        address, default = "https://openapi.keycrm.app/v1",
    )]
    pub base_url: String,
    /// For the host, which keeps the budget. The vendor's description says 60, its newer article on
    /// API keys is quoted with 20.
    #[setting(
        title(en: "Requests a minute", uk: "Запитів на хвилину", ru: "Запросов в минуту"),
        hint(
            en: "How many KeyCRM grants your key; 20 is safe",
            uk: "Скільки KeyCRM дозволяє вашому ключу; 20 – безпечне значення",
            ru: "Сколько KeyCRM разрешает вашему ключу; 20 – безопасное значение",
        ),
        default = 20, among(20, 60),
    )]
    pub requests_per_minute: u32,
    /// Which orders, by time.
    #[setting(
        title(en: "Period", uk: "Період", ru: "Период"),
        hint(
            en: "Every run loads the orders placed in this period, by your time zone; a day counts whole",
            uk: "Кожен обмін завантажує замовлення за цей період, за вашим часовим поясом; день рахується повністю",
            ru: "Каждый обмен загружает заказы за этот период, по вашему часовому поясу; день считается целиком",
        ),
    )]
    pub period: Option<Period>,
    /// The same, counted from now.
    #[setting(
        title(en: "Last days", uk: "Останні дні", ru: "Последние дни"),
        hint(
            en: "The first run loads the orders of so many days; later runs load what changed",
            uk: "Перший обмін завантажує замовлення за стільки днів, наступні – лише зміни",
            ru: "Первый обмен загружает заказы за столько дней, следующие – только изменения",
        ),
        min = 1, max = 3650,
    )]
    pub last_days: Option<u32>,
    /// How many days back closed orders are looked at again.
    #[setting(
        title(
            en: "Look at cancelled orders again, days",
            uk: "Перевіряти скасовані замовлення, днів",
            ru: "Проверять отменённые заказы, дней",
        ),
        hint(
            en: "Once a day cancelled orders placed within so many days are compared: KeyCRM may not report that a completed order was cancelled",
            uk: "Раз на день звіряються скасовані замовлення за стільки днів: KeyCRM може не повідомити, що виконане замовлення скасовано",
            ru: "Раз в день сверяются отменённые заказы за столько дней: KeyCRM может не сообщить, что выполненный заказ отменён",
        ),
        default = 30, min = 1, max = 365,
    )]
    pub look_back_days: u32,
    /// Statuses to load; empty for all.
    #[setting(
        title(en: "Statuses to load", uk: "Статуси для завантаження", ru: "Статусы для загрузки"),
        hint(
            en: "None chosen means all; an order that was loaded before is updated in any status",
            uk: "Якщо не обрано, завантажуються всі; вже завантажене замовлення оновлюється в будь-якому статусі",
            ru: "Если не выбраны, загружаются все; уже загруженный заказ обновляется в любом статусе",
        ),
        options = statuses,
    )]
    pub statuses: BTreeSet<Id>,
    /// User who is the author of orders.
    #[setting(
        title(en: "Author of orders", uk: "Автор замовлень", ru: "Автор заказов"),
        directory = Users,
    )]
    pub author: Option<Key>,
    /// Partner of orders without a buyer.
    #[setting(
        title(
            en: "Partner of orders without a buyer",
            uk: "Партнер для замовлень без покупця",
            ru: "Партнёр для заказов без покупателя",
        ),
        record = Partner,
    )]
    pub default_partner: Option<Key>,
    /// Service product that delivery is booked under.
    #[setting(
        title(en: "Delivery service", uk: "Послуга з доставки", ru: "Услуга доставки"),
        record = Product,
    )]
    pub delivery_product: Option<Key>,
    /// Whether the source's order number goes into the comment.
    #[setting(title(
        en: "Write the source's order number to the comment",
        uk: "Записувати номер джерела в коментар",
        ru: "Записывать номер источника в комментарий",
    ))]
    pub write_source_number: bool,
    /// Account of payments.
    #[setting(
        title(
            en: "Bank account or cash desk",
            uk: "Банківський рахунок або каса",
            ru: "Банковский счёт или касса",
        ),
        directory = Accounts,
    )]
    pub account: Option<Key>,
    /// Categories whose products are services.
    #[setting(
        title(en: "Categories of services", uk: "Категорії послуг", ru: "Категории услуг"),
        hint(
            en: "Products of these categories and those below become services",
            uk: "Товари цих категорій та вкладених у них стають послугами",
            ru: "Товары этих категорий и вложенных в них становятся услугами",
        ),
        options = categories,
    )]
    pub service_categories: BTreeSet<Id>,
    /// Stages by CRM status.
    #[setting(
        title(
            en: "Statuses and stages",
            uk: "Відповідність статусів і стадій",
            ru: "Соответствие статусов и стадий",
        ),
        hint(
            en: "Other statuses find or make a stage of their name",
            uk: "Для інших статусів стадія знаходиться або створюється за назвою",
            ru: "Для других статусов стадия находится или создаётся по названию",
        ),
        options = statuses, directory = OrderStages,
    )]
    pub stages: BTreeMap<i64, Key>,
    /// Users by CRM manager.
    #[setting(
        title(
            en: "Managers and users",
            uk: "Відповідність менеджерів і користувачів",
            ru: "Соответствие менеджеров и пользователей",
        ),
        options = managers, directory = Users,
    )]
    pub users: BTreeMap<i64, Key>,
    /// Currency of sources that have none.
    #[setting(
        title(
            en: "Currency of sources that have none",
            uk: "Валюта джерел, де її не вказано",
            ru: "Валюта источников, где она не указана",
        ),
        pattern = "^[A-Z]{3}$", default = "UAH",
    )]
    pub currency: String,
}

/// A period in which orders were placed.
#[derive(Debug, Settings)]
pub struct Period {
    /// Its first day or moment.
    #[setting(
        title(en: "From", uk: "Від", ru: "С"),
        pattern = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$",
    )]
    pub from: String,
    /// Its last day or moment.
    #[setting(
        title(en: "To", uk: "До", ru: "По"),
        pattern = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$",
    )]
    pub to: String,
}

impl Chosen {
    /// Which orders, by time. Days are those of the zone.
    ///
    /// # Errors
    /// `configuration`, naming the setting that does not fit.
    pub fn span(&self, zone: &Zone) -> Result<Span, Fault> {
        match (&self.period, self.last_days) {
            (Some(period), None) => period.span(zone).map_err(Fault::Configuration),
            (None, Some(days)) => Ok(Span::LastDays(days)),
            _ => Err(Fault::Configuration(
                reason!("settings.span").setting("last_days"),
            )),
        }
    }

    /// The settings that decide what an order looks like in the ERP. A change of one of them makes
    /// every order changed.
    pub fn booking(&self) -> impl Hash + '_ {
        (
            &self.author,
            &self.default_partner,
            &self.delivery_product,
            self.write_source_number,
            &self.account,
            &self.stages,
            &self.users,
            &self.currency,
        )
    }

    /// Digest of all that decides which orders are there and what they look like, under a version of
    /// the mapping.
    pub fn digest(&self, version: u8, span: Span) -> String {
        let read = (
            &self.base_url,
            span,
            &self.statuses,
            &self.service_categories,
            self.look_back_days,
        );
        hex::encode(fingerprint(version, &(read, self.booking())))
    }
}

impl Period {
    fn span(&self, zone: &Zone) -> Result<Span, Reason> {
        let not_read = |setting, error: NotATime| {
            reason!("sdk.setting", setting = setting)
                .setting(setting)
                .detail(error)
        };
        let from = zone
            .first(&self.from)
            .map_err(|error| not_read("period.from", error))?;
        let to = zone
            .last(&self.to)
            .map_err(|error| not_read("period.to", error))?;
        if to < from {
            return Err(reason!("settings.period").setting("period.to"));
        }
        Ok(Span::Period { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::Chosen;
    use tenon_sdk::flow::pull::Span;
    use tenon_sdk::model::{Fault, Mend};
    use tenon_sdk::settings;
    use tenon_sdk::time::{Zone, utc_text};

    fn read(json: &str) -> Result<(Chosen, Span), Fault> {
        let chosen: Chosen = settings::parse(json)?;
        let span = chosen.span(&Zone::named("Europe/Kyiv"))?;
        Ok((chosen, span))
    }

    /// The code, the setting that it leads to, and the detail.
    fn reason(json: &str) -> (String, String, String) {
        match read(json) {
            Err(Fault::Configuration(reason)) => {
                let setting = match reason.mend {
                    Some(Mend::Setting(path)) => path,
                    other => panic!("{json} leads to {other:?}"),
                };
                (reason.code, setting, reason.detail.unwrap_or_default())
            }
            other => panic!("{json} was answered with {other:?}"),
        }
    }

    #[test]
    fn ids_may_be_numbers_or_numeric_strings() {
        let (chosen, span) = read(
            r#"{"last_days":30,"statuses":[1,"21"],"service_categories":["7"],
                "stages":{"21":"packing"},"users":{"6":"olena"},"author":""}"#,
        )
        .expect("good settings");
        assert_eq!(span, Span::LastDays(30));
        assert_eq!(chosen.statuses, [1.into(), 21.into()].into());
        assert_eq!(chosen.service_categories, [7.into()].into());
        assert_eq!(chosen.stages.get(&21).map(String::as_str), Some("packing"));
        assert_eq!(chosen.users.get(&6).map(String::as_str), Some("olena"));
        assert_eq!(chosen.author, None);
    }

    #[test]
    fn days_of_a_period_count_whole_by_the_clock_of_the_tenant() {
        let json = r#"{"period":{"from":"2026-03-01","to":"2026-03-31"}}"#;
        let Ok((_, Span::Period { from, to })) = read(json) else {
            panic!("a period was set");
        };
        assert_eq!(utc_text(from), "2026-02-28 22:00:00");
        assert_eq!(utc_text(to), "2026-03-31 20:59:59");
    }

    #[test]
    fn a_wrong_setting_is_named_by_its_path() {
        for (json, code, setting, words) in [
            ("{}", "settings.span", "last_days", ""),
            (
                r#"{"last_days":7,"period":{"from":"2026-03-01","to":"2026-03-02"}}"#,
                "settings.span",
                "last_days",
                "",
            ),
            (
                r#"{"period":{"from":"soon","to":"2026-03-02"}}"#,
                "sdk.setting",
                "period.from",
                "`soon`",
            ),
            (
                r#"{"period":{"from":"2026-03-03","to":"2026-03-02"}}"#,
                "settings.period",
                "period.to",
                "",
            ),
            (
                r#"{"last_days":7,"stages":{"new":"x"}}"#,
                "sdk.setting",
                "stages",
                "",
            ),
            (
                r#"{"last_days":7,"statuses":["new"]}"#,
                "sdk.setting",
                "statuses[0]",
                "`new`",
            ),
            (
                r#"{"last_days":7,"colour":"red"}"#,
                "sdk.setting",
                "colour",
                "unknown field",
            ),
        ] {
            let (told, path, detail) = reason(json);
            assert_eq!((told.as_str(), path.as_str()), (code, setting), "{json}");
            assert!(detail.starts_with(words), "{json}: {detail}");
        }
    }
}
