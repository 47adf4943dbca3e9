//! KeyCRM → ERP: orders with their buyers, products, delivery and payments.
//!
//! KeyCRM is the master of orders; people own the cards of partners and products once they exist.
//! How the pieces meet: [`jobs::orders`] brings what the SDK's flow reads into the ERP, and `map` holds
//! every rule about one record, without any I/O.

mod account;
mod api;
mod catalogue;
mod choices;
mod directories;
mod goods;
mod jobs;
mod map;
mod partners;
mod settings;

use settings::Chosen;
use tenon_sdk::connector;

connector! {
    /// The connector.
    pub struct KeyCrm = "keycrm", title(en: "KeyCRM orders", uk: "Замовлення KeyCRM", ru: "Заказы KeyCRM");
    settings Chosen;
    state 1;
    credential api_key = bearer, title(en: "API key", uk: "Ключ API", ru: "Ключ API");
    // The vendor counts requests in any minute; half a second covers the clocks.
    endpoint crm = "{settings.base_url}", credentials(api_key),
        budget(20 per 60_500 ms by requests_per_minute), parallel(2);
    check => account::check;
    choice statuses => choices::statuses;
    choice managers => choices::managers;
    choice categories => choices::categories;
    job orders = every("*/10 * * * *"),
        title(en: "Load orders", uk: "Отримати замовлення", ru: "Получить заказы") => jobs::orders::run;
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_describes_itself_as_the_host_wants_it() {
        let problems = tenon_sdk::testing::problems::<super::KeyCrm>(env!("CARGO_MANIFEST_DIR"));
        assert_eq!(problems, [""; 0]);
    }
}
