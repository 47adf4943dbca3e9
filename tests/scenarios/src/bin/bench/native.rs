//! The yardstick for the sandbox: the same sync logic over the same ERP and the same HTTP client,
//! without wasm between them.

use std::cell::RefCell;
use std::rc::Rc;

use tenon_host::platform::{self, UnitOfWork};
use tenon_host::{Platform, model as host};
use tenon_sdk::http::{self, Unsent};
use tenon_sdk::model as guest;
use tenon_sdk::native::World;
use tokio::runtime::Runtime;

/// Crosses a record from the connector's types to the host's or back.
trait Cross<T> {
    fn cross(self) -> T;
}

macro_rules! same {
    ($($type:ty),*) => { $(impl Cross<$type> for $type {
        fn cross(self) -> $type { self }
    })* };
}
same!(String, bool, i64, u8, Vec<u8>);

impl<A: Cross<B>, B> Cross<Option<B>> for Option<A> {
    fn cross(self) -> Option<B> {
        self.map(Cross::cross)
    }
}

/// `Vec<u8>` is itself, so lists of records cross by name.
trait CrossAll<T> {
    fn cross_all(self) -> Vec<T>;
}

impl<A: Cross<B>, B> CrossAll<B> for Vec<A> {
    fn cross_all(self) -> Vec<B> {
        self.into_iter().map(Cross::cross).collect()
    }
}

macro_rules! records {
    ($($name:ident { $($field:ident)* } $([$($list:ident)*])? )*) => { $(
        impl Cross<host::$name> for guest::$name {
            fn cross(self) -> host::$name {
                host::$name {
                    $($field: self.$field.cross(),)*
                    $($($list: self.$list.cross_all(),)*)?
                }
            }
        }
        impl Cross<guest::$name> for host::$name {
            fn cross(self) -> guest::$name {
                guest::$name {
                    $($field: self.$field.cross(),)*
                    $($($list: self.$list.cross_all(),)*)?
                }
            }
        }
    )* };
}

records! {
    Decimal { units scale }
    Money { amount currency }
    Attribute { origin name value }
    Price { origin price_type value }
    Image { origin file_name digest }
    Entry { key name code origin archived organization warehouse }
    FieldChange { field before after }
    Saved { key effect version } [changes]
    ProductVariant { key origin name sku } [barcodes characteristics prices]
    Product {
        key origin kind name code sku brand external_code unit description category vat archived
        version changed_at
    } [barcodes prices variants images attributes]
    Partner { key origin role name tax_id address version changed_at } [emails phones attributes]
    OrderLine {
        id origin product product_variant name sku unit quantity reserved shipped price discount vat
        refused cancel_reason
    } [attributes]
    Delivery { origin service product cost address recipient phone tracking }
    Charge { origin name amount }
    Payment { origin account amount paid_at comment }
    LinkedDocument { kind origin number url }
    Order {
        key origin direction number created_at stage source partner organization warehouse manager
        author agreement currency discount delivery reserve comment version changed_at
    } [lines charges payments documents attributes]
}

macro_rules! enums {
    ($($name:ident { $($case:ident)* })*) => { $(
        impl Cross<host::$name> for guest::$name {
            fn cross(self) -> host::$name {
                match self { $(guest::$name::$case => host::$name::$case,)* }
            }
        }
        impl Cross<guest::$name> for host::$name {
            fn cross(self) -> guest::$name {
                match self { $(host::$name::$case => guest::$name::$case,)* }
            }
        }
    )* };
}

enums! {
    Effect { Created Updated Unchanged }
    ProductKind { Good GoodWithVariants Service Bundle }
    PartnerRole { Customer Supplier }
    OrderDirection { Sale Purchase }
    DocumentKind { Order Invoice Shipment SalesReturn }
    Directory {
        Organizations Warehouses PriceTypes Currencies Units Users Accounts OrderStages OrderSources
        Agreements CancelReasons DeliveryServices ProductFields OrderFields
    }
}

macro_rules! variants {
    ($($name:ident { $($case:ident)* })*) => { $(
        impl Cross<host::$name> for guest::$name {
            fn cross(self) -> host::$name {
                match self { $(guest::$name::$case(value) => host::$name::$case(value),)* }
            }
        }
    )* };
}

variants! {
    ProductLookup { Key Origin Sku BrandAndSku Name }
    PartnerLookup { Key Origin TaxId Email Phone }
    OrderLookup { Key Origin Number }
}

impl Cross<guest::Fault> for host::Fault {
    fn cross(self) -> guest::Fault {
        match self {
            host::Fault::Transient(text) => guest::Fault::Transient(told(&text)),
            host::Fault::Configuration(text) => guest::Fault::Configuration(told(&text)),
            host::Fault::Rejected(text) => guest::Fault::Rejected(told(&text)),
            host::Fault::Conflict(text) => guest::Fault::Conflict(text),
            host::Fault::Unsupported(text) => guest::Fault::Unsupported(told(&text)),
        }
    }
}

macro_rules! flags {
    ($($name:ident { $($flag:ident)* })*) => { $(
        impl Cross<host::$name> for guest::$name {
            fn cross(self) -> host::$name {
                let mut crossed = host::$name::empty();
                $(if self.contains(guest::$name::$flag) { crossed |= host::$name::$flag; })*
                crossed
            }
        }
    )* };
}

flags! {
    ProductFields {
        KIND NAME CODE SKU BRAND EXTERNAL_CODE BARCODES UNIT DESCRIPTION CATEGORY VAT PRICES VARIANTS
        IMAGES ATTRIBUTES ARCHIVED
    }
    PartnerFields { NAME TAX_ID EMAILS PHONES ADDRESS ATTRIBUTES }
    OrderFields {
        NUMBER CREATED_AT STAGE SOURCE PARTNER ORGANIZATION WAREHOUSE MANAGER AUTHOR AGREEMENT
        CURRENCY LINES DISCOUNT CHARGES DELIVERY PAYMENTS RESERVE COMMENT DOCUMENTS ATTRIBUTES
    }
}

impl Cross<guest::Binding> for platform::Binding {
    fn cross(self) -> guest::Binding {
        guest::Binding {
            kind: self.kind,
            key: self.key,
            origin: self.origin,
            fingerprint: self.fingerprint,
        }
    }
}

impl Cross<platform::Binding> for guest::Binding {
    fn cross(self) -> platform::Binding {
        platform::Binding {
            kind: self.kind,
            key: self.key,
            origin: self.origin,
            fingerprint: self.fingerprint,
        }
    }
}

type Answer<T> = Result<T, guest::Fault>;
type Each<T> = Answer<Vec<Result<T, guest::Fault>>>;

fn answer<A: Cross<B>, B>(result: platform::Answer<A>) -> Answer<B> {
    result.map(Cross::cross).map_err(Cross::cross)
}

fn found<A: Cross<B>, B>(result: platform::Answer<Vec<A>>) -> Answer<Vec<B>> {
    result.map(CrossAll::cross_all).map_err(Cross::cross)
}

fn each<A: Cross<B>, B>(result: platform::Each<A>) -> Each<B> {
    match result {
        Ok(records) => Ok(records.into_iter().map(answer).collect()),
        Err(fault) => Err(fault.cross()),
    }
}

fn state<A>(result: platform::Answer<A>) -> A {
    result.unwrap_or_else(|fault| panic!("the state of the benchmark: {fault}"))
}

/// The real ERP and a real HTTP client, for sync logic that runs natively.
pub struct NativeWorld {
    runtime: Rc<Runtime>,
    work: RefCell<Box<dyn UnitOfWork>>,
    client: reqwest::Client,
    key: String,
    settings: String,
}

impl NativeWorld {
    /// A world over a platform's tenant `native`.
    pub fn new(
        runtime: Rc<Runtime>,
        platform: &dyn Platform,
        key: &str,
        settings: &serde_json::Value,
    ) -> anyhow::Result<NativeWorld> {
        // Fails only when a provider is in place already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (tenant, connection) = ("native".parse()?, "keycrm".parse()?);
        let work = runtime.block_on(platform.begin(&tenant, &connection))?;
        Ok(NativeWorld {
            work: RefCell::new(work),
            client: reqwest::Client::builder().tcp_nodelay(true).build()?,
            key: key.to_owned(),
            settings: settings.to_string(),
            runtime,
        })
    }

    /// Commits what the run left.
    pub fn finish(&self) -> anyhow::Result<()> {
        Ok(self.runtime.block_on(self.work.borrow_mut().commit())?)
    }
}

/// Calls the unit of work and waits.
macro_rules! work {
    ($world:ident . $method:ident ( $($argument:expr),* )) => {
        $world.runtime.block_on($world.work.borrow_mut().$method($($argument),*))
    };
}

fn told(reason: &tenon_host::Reason) -> guest::Reason {
    guest::Reason {
        code: reason.code.clone(),
        args: reason.args.clone(),
        mend: None,
        detail: reason.detail.clone(),
    }
}

/// No benchmark asks for these.
macro_rules! unused {
    ($($name:ident($($type:ty),*) -> $result:ty;)*) => { $(
        fn $name(&self, $(_: $type),*) -> Answer<$result> {
            Err(guest::Fault::Unsupported(guest::Reason::new(concat!(
                "not measured: ",
                stringify!($name)
            ))))
        }
    )* };
}

impl World for NativeWorld {
    fn http(&self, request: http::Request) -> Result<http::Response, Unsent> {
        let failed = |error: reqwest::Error| Unsent::Failed(error.to_string());
        self.runtime.block_on(async {
            let method = reqwest::Method::from_bytes(request.method.name().as_bytes());
            let method = method.map_err(|error| Unsent::Failed(error.to_string()))?;
            let mut sending = self.client.request(method, &request.url);
            for (name, value) in &request.headers {
                sending = sending.header(name, value);
            }
            let sending = sending.bearer_auth(&self.key).body(request.body);
            let response = sending.send().await.map_err(failed)?;
            let headers = (response.headers().iter())
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.as_str().to_owned(), value)
                })
                .collect();
            Ok(http::Response {
                status: response.status().as_u16(),
                headers,
                body: response.bytes().await.map_err(failed)?.into(),
            })
        })
    }

    fn list_directory(&self, directory: guest::Directory) -> Answer<Vec<guest::Entry>> {
        found(work!(self.list(directory.cross())))
    }

    fn ensure_entry(
        &self,
        directory: guest::Directory,
        name: &str,
        origin: &str,
    ) -> Answer<guest::Saved> {
        let name = name.to_owned();
        let ensured = work!(self.ensure(directory.cross(), name, origin.to_owned()));
        ensured.map(Cross::cross).map_err(Cross::cross)
    }

    fn find_products(
        &self,
        lookups: &[guest::ProductLookup],
    ) -> Answer<Vec<Option<guest::Product>>> {
        found(work!(self.find_products(lookups.to_vec().cross_all())))
    }

    fn save_products(
        &self,
        products: &[guest::Product],
        owned: guest::ProductFields,
    ) -> Each<guest::Saved> {
        each(work!(
            self.save_products(products.to_vec().cross_all(), owned.cross())
        ))
    }

    fn find_partners(
        &self,
        lookups: &[guest::PartnerLookup],
    ) -> Answer<Vec<Option<guest::Partner>>> {
        found(work!(self.find_partners(lookups.to_vec().cross_all())))
    }

    fn save_partners(
        &self,
        partners: &[guest::Partner],
        owned: guest::PartnerFields,
    ) -> Each<guest::Saved> {
        each(work!(
            self.save_partners(partners.to_vec().cross_all(), owned.cross())
        ))
    }

    fn find_orders(&self, lookups: &[guest::OrderLookup]) -> Answer<Vec<Option<guest::Order>>> {
        found(work!(self.find_orders(lookups.to_vec().cross_all())))
    }

    fn save_orders(
        &self,
        orders: &[guest::Order],
        owned: guest::OrderFields,
    ) -> Each<guest::Saved> {
        each(work!(
            self.save_orders(orders.to_vec().cross_all(), owned.cross())
        ))
    }

    unused! {
        changed_products(Option<&str>, u32) -> guest::ProductPage;
        categories() -> Vec<guest::Category>;
        save_categories(&[guest::Category]) -> Vec<Answer<guest::Saved>>;
        read_image(&str, &str) -> Vec<u8>;
        save_image(&str, &guest::Image, &[u8]) -> guest::Saved;
        set_stock(&[guest::StockLevel]) -> Vec<Answer<guest::Saved>>;
        stock_levels(&[String], Option<&str>) -> Vec<Vec<guest::StockLevel>>;
        changed_stock(Option<&str>, u32) -> guest::StockPage;
        changed_partners(Option<&str>, u32) -> guest::PartnerPage;
        set_balances(&[(guest::Key, guest::Money)]) -> Vec<Answer<guest::Saved>>;
        changed_orders(guest::OrderDirection, Option<&str>, u32) -> guest::OrderPage;
        annotate_order(&str, &[guest::LinkedDocument], Option<&guest::Reason>) -> guest::Saved;
        attach_to_order(&str, &str, &[u8]) -> guest::Saved;
    }

    fn stored(&self, keys: &[String]) -> Vec<Option<Vec<u8>>> {
        state(work!(self.get(keys.to_vec())))
    }

    fn store(&self, entries: &[(String, Vec<u8>)]) -> Result<(), guest::Quota> {
        state(work!(self.set(entries.to_vec())));
        Ok(())
    }

    fn delete_stored(&self, keys: &[String]) {
        state(work!(self.delete(keys.to_vec())));
    }

    fn scan_stored(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        state(work!(self.scan(
            prefix.to_owned(),
            after.map(str::to_owned),
            limit
        )))
    }

    fn bindings_by_origin(&self, kind: &str, origins: &[String]) -> Vec<Option<guest::Binding>> {
        state(work!(
            self.bindings_by_origin(kind.to_owned(), origins.to_vec())
        ))
        .cross_all()
    }

    fn bindings_by_key(&self, kind: &str, keys: &[String]) -> Vec<Option<guest::Binding>> {
        state(work!(self.bindings_by_key(kind.to_owned(), keys.to_vec()))).cross_all()
    }

    fn bind(&self, bindings: &[guest::Binding]) {
        state(work!(self.bind(bindings.to_vec().cross_all())));
    }

    fn unbind(&self, kind: &str, keys: &[String]) {
        state(work!(self.unbind(kind.to_owned(), keys.to_vec())));
    }

    fn run_after(&self, _: &str, _: &str, _: u64, _: Option<&str>) {}

    fn cancel_timer(&self, _: &str) {}

    fn mode(&self) -> guest::RunMode {
        guest::RunMode::Live
    }

    fn context(&self) -> guest::RunContext {
        guest::RunContext {
            time_zone: "UTC".to_owned(),
            language: "en".to_owned(),
            currency: "UAH".to_owned(),
            books: "bench".to_owned(),
            account: Some("bench".to_owned()),
            supports: guest::Capabilities::all(),
        }
    }

    fn confirmed(&self, _: &guest::Question) -> bool {
        true
    }

    fn settings(&self) -> String {
        self.settings.clone()
    }

    fn checkpoint(&self, _: guest::Progress) -> guest::Directive {
        state(work!(self.commit()));
        guest::Directive::Proceed
    }

    fn wrote(&self, _: &[guest::Written]) {}

    fn reject(&self, rejections: &[guest::Rejection]) {
        assert!(rejections.is_empty(), "{rejections:?}");
    }

    fn settle(&self, _: &str, _: &[guest::Subject]) {}

    fn log(&self, _: guest::Level, _: &guest::Reason, _: Option<&str>) {}

    fn debug(&self, _: &str) {}
}
