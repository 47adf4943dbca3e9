//! The records of the host ERP (`tenon:erp/model`), and the words of a connector's own interface.

pub use crate::contract::exports::tenon::connector::sync::{
    Action, Cause, ConnectorManifest, Job, Outcome, Request,
};
pub use crate::contract::tenon::connector::manifest::{
    ActionCall, AuthScheme, Choice, Credential, Endpoint, RecordRef, Text, TokenExchange, Webhook,
};
pub use crate::contract::tenon::erp::model::{
    Attribute, Category, Charge, Cursor, Decimal, Delivery, Directory, DocumentKind, Effect, Entry,
    Fault, Image, Instant, Key, LinkedDocument, Money, Order, OrderDirection, OrderFields,
    OrderLine, OrderLookup, OrderPage, Origin, Partner, PartnerFields, PartnerLookup, PartnerPage,
    PartnerRole, Payment, Price, Product, ProductFields, ProductKind, ProductLookup, ProductPage,
    ProductVariant, Saved, StockLevel, StockPage,
};
pub use crate::contract::tenon::runtime::bindings::Binding;
pub use crate::contract::tenon::runtime::run::{Directive, FieldChange, Level, Progress, Written};
pub use crate::contract::tenon::runtime::storage::Quota;
