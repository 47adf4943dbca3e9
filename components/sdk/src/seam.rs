//! The one seam between sync logic and whatever runs it.
//!
//! Every service of the host is listed here once. From the list come the functions that
//! connectors call and the [`World`] trait that stands in for the host natively. On wasm a
//! function is its WIT import and nothing else.

#[cfg(not(target_family = "wasm"))]
use crate::{http, model::*};

macro_rules! seam {
    ($(
        $(#[$area_doc:meta])*
        mod $area:ident { $(
            $(#[$service_doc:meta])*
            mod $service:ident uses ($($used:ident),*) { $(
                $(#[$doc:meta])*
                fn $name:ident as $native:ident ($($arg:ident : $type:ty),*) $(-> $answer:ty)?;
            )* }
        )* }
    )*) => {
        $(
            $(#[$area_doc])*
            pub mod $area { $(
                $(#[$service_doc])*
                pub mod $service {
                    $(use crate::model::$used;)*

                    $(
                        $(#[$doc])*
                        #[inline]
                        pub fn $name($($arg: $type),*) $(-> $answer)? {
                            #[cfg(target_family = "wasm")]
                            {
                                crate::contract::tenon::$area::$service::$name($($arg),*)
                            }
                            #[cfg(not(target_family = "wasm"))]
                            {
                                crate::native::world().$native($($arg),*)
                            }
                        }
                    )*
                }
            )* }
        )*

        /// Everything that sync logic can reach, for running it natively. What a method promises
        /// is written at the function of [`erp`] or [`runtime`] that leads to it.
        #[cfg(not(target_family = "wasm"))]
        pub trait World {
            /// Sends a request to the counterpart and waits for the whole answer.
            ///
            /// # Errors
            /// [`http::Unsent`] when no complete answer came.
            fn http(&self, request: http::Request) -> Result<http::Response, http::Unsent>;

            $($($(
                $(#[$doc])*
                fn $native(&self, $($arg: $type),*) $(-> $answer)?;
            )*)*)*
        }
    };
}

seam! {
    /// The records of the host ERP: `tenon:erp`.
    ///
    /// Every call that takes a list answers with a list of the same length, in the same order;
    /// one bad record never stops the others. The outer [`Fault`](crate::model::Fault) means that
    /// the call as a whole failed.
    mod erp {
        /// Short lists that other records point at.
        mod directories uses (Directory, Entry, Fault, Saved) {
            /// All entries of a directory.
            fn list as list_directory(directory: Directory) -> Result<Vec<Entry>, Fault>;
            /// Finds the entry by origin, then by name; makes it when neither is there.
            fn ensure as ensure_entry(directory: Directory, name: &str, origin: &str) -> Result<Saved, Fault>;
        }

        /// Products and their categories.
        mod catalog uses (Category, Fault, Image, Product, ProductFields, ProductLookup, ProductPage, Saved) {
            /// Of several matches, the one made first.
            fn find as find_products(lookups: &[ProductLookup]) -> Result<Vec<Option<Product>>, Fault>;
            /// Writes the owned fields only; a new record takes all that is given.
            fn save as save_products(products: &[Product], owned: ProductFields) -> Result<Vec<Result<Saved, Fault>>, Fault>;
            /// Products changed after the cursor, oldest change first; none reads from the start.
            fn changed as changed_products(after: Option<&str>, limit: u32) -> Result<ProductPage, Fault>;
            /// All categories.
            fn categories as categories() -> Result<Vec<Category>, Fault>;
            /// Writes categories.
            fn save_categories as save_categories(categories: &[Category]) -> Result<Vec<Result<Saved, Fault>>, Fault>;
            /// The content of a picture.
            fn read_image as read_image(product: &str, digest: &str) -> Result<Vec<u8>, Fault>;
            /// Adds a picture to a product, or replaces the one of the same file name.
            fn save_image as save_image(product: &str, image: &Image, content: &[u8]) -> Result<Saved, Fault>;
        }

        /// How much of each product there is.
        mod stock uses (Fault, Saved, StockLevel, StockPage) {
            /// Levels are absolute: the new one replaces the old.
            fn set as set_stock(levels: &[StockLevel]) -> Result<Vec<Result<Saved, Fault>>, Fault>;
            /// The levels of products and of their variants, in one warehouse or in all; a list for
            /// each product.
            fn levels as stock_levels(products: &[String], warehouse: Option<&str>) -> Result<Vec<Vec<StockLevel>>, Fault>;
            /// Levels changed after the cursor, oldest change first.
            fn changed as changed_stock(after: Option<&str>, limit: u32) -> Result<StockPage, Fault>;
        }

        /// Customers and suppliers.
        mod partners uses (Fault, Key, Money, Partner, PartnerFields, PartnerLookup, PartnerPage, Saved) {
            /// Of several matches, the one made first. Phones and e-mails are compared normalised.
            fn find as find_partners(lookups: &[PartnerLookup]) -> Result<Vec<Option<Partner>>, Fault>;
            /// Writes the owned fields only; a new record takes all that is given.
            fn save as save_partners(partners: &[Partner], owned: PartnerFields) -> Result<Vec<Result<Saved, Fault>>, Fault>;
            /// Partners changed after the cursor, oldest change first.
            fn changed as changed_partners(after: Option<&str>, limit: u32) -> Result<PartnerPage, Fault>;
            /// What a partner owes (negative) or has paid ahead (positive), as the counterpart sees it.
            fn set_balances as set_balances(balances: &[(Key, Money)]) -> Result<Vec<Result<Saved, Fault>>, Fault>;
        }

        /// Orders from customers and to suppliers.
        mod orders uses (Fault, LinkedDocument, Order, OrderDirection, OrderFields, OrderLookup, OrderPage, Reason, Saved) {
            /// Of several matches, the one made first.
            fn find as find_orders(lookups: &[OrderLookup]) -> Result<Vec<Option<Order>>, Fault>;
            /// Writes the owned fields only; a new record takes all that is given. An order that
            /// carries a `version` is saved only while that is still its version.
            fn save as save_orders(orders: &[Order], owned: OrderFields) -> Result<Vec<Result<Saved, Fault>>, Fault>;
            /// Orders changed after the cursor, oldest change first.
            fn changed as changed_orders(direction: OrderDirection, after: Option<&str>, limit: u32) -> Result<OrderPage, Fault>;
            /// What the platform's people see on the order: the documents, and the last error or none.
            fn annotate as annotate_order(order: &str, documents: &[LinkedDocument], error: Option<&Reason>) -> Result<Saved, Fault>;
            /// Puts a file, such as a printed invoice, on the order.
            fn attach as attach_to_order(order: &str, file_name: &str, content: &[u8]) -> Result<Saved, Fault>;
        }
    }

    /// The connector's own state and the run under way: `tenon:runtime`.
    mod runtime {
        /// Durable state of this connector in this tenant. Nothing written is visible to anybody,
        /// or survives a crash, before the next checkpoint; everything is, after it.
        mod storage uses (Quota) {
            /// Values by key.
            fn get as stored(keys: &[String]) -> Vec<Option<Vec<u8>>>;
            /// Writes values.
            fn set as store(entries: &[(String, Vec<u8>)]) -> Result<(), Quota>;
            /// Deletes values.
            fn delete as delete_stored(keys: &[String]);
            /// Entries whose key begins with `prefix`, in key order, beginning after `after`.
            fn scan as scan_stored(prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)>;
        }

        /// Which ERP record is which counterpart record. Admins can mend a wrong pair by hand.
        mod bindings uses (Binding) {
            /// Pairs by counterpart record.
            fn by_origin as bindings_by_origin(kind: &str, origins: &[String]) -> Vec<Option<Binding>>;
            /// Pairs by ERP record.
            fn by_key as bindings_by_key(kind: &str, keys: &[String]) -> Vec<Option<Binding>>;
            /// Makes or replaces pairs.
            fn bind as bind(bindings: &[Binding]);
            /// Removes all pairs of the keys.
            fn unbind as unbind(kind: &str, keys: &[String]);
        }

        /// Work that should happen later, by this connector in this tenant.
        mod schedule uses () {
            /// Asks for `job` once, `delay_ms` from now. The same name again replaces the first.
            fn after as run_after(name: &str, job: &str, delay_ms: u64, argument: Option<&str>);
            /// Takes the request back.
            fn cancel as cancel_timer(name: &str);
        }

        /// The run that is under way.
        mod run uses (Directive, Level, Progress, Question, Reason, Rejection, RunContext, RunMode, Subject, Written) {
            /// What the run is for.
            fn mode as mode() -> RunMode;
            /// Where and for whom it works.
            fn context as context() -> RunContext;
            /// This connector's settings: JSON that fits the schema of its manifest.
            fn settings as settings() -> String;
            /// Commits all that was written since the last checkpoint, as one.
            fn checkpoint as checkpoint(progress: Progress) -> Directive;
            /// Tells what was done at the counterpart or, in a preview, would be done.
            fn wrote as wrote(written: &[Written]);
            /// Whether to go ahead with what cannot easily be undone. Beyond the host's limits people
            /// are asked, and until one of them has agreed the answer is no.
            fn confirmed as confirmed(question: &Question) -> bool;
            /// Lists records that could not be taken; people see them and can ask for them again.
            fn reject as reject(rejections: &[Rejection]);
            /// Takes records off that list which need nothing any more although no pair tells so.
            fn settle as settle(record_kind: &str, subjects: &[Subject]);
            /// A line in the run's log; `record_key` ties it to a record that people can open.
            fn log as log(level: Level, reason: &Reason, record_key: Option<&str>);
            /// A line for who looks for a fault in the connector.
            fn debug as debug(message: &str);
        }
    }
}
