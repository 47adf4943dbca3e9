//! The records of the host ERP (`tenon:erp/model`), and the words of a connector's own interface.

pub use crate::contract::exports::tenon::connector::sync::{
    Action, Cause, ConnectorManifest, Job, Outcome, Request, Subscription,
};
pub use crate::contract::tenon::connector::manifest::{
    Account, ActionCall, AuthScheme, Budget, Choice, Credential, Endpoint, Read, ReasonText, Text,
    TokenExchange, Webhook, WebhookScheme, WebhookSignature, Webhooks,
};
pub use crate::contract::tenon::erp::model::{
    Attribute, Capabilities, Category, Charge, Cursor, Decimal, Delivery, Directory, DocumentKind,
    Effect, Entry, Fault, FieldChange, Image, Instant, Key, LinkedDocument, Mend, Money, Order,
    OrderDirection, OrderFields, OrderLine, OrderLookup, OrderPage, Origin, Partner, PartnerFields,
    PartnerLookup, PartnerPage, PartnerRole, Payment, Price, Product, ProductFields, ProductKind,
    ProductLookup, ProductPage, ProductVariant, Reason, RecordKind, RecordRef, Saved, StockLevel,
    StockPage,
};
pub use crate::contract::tenon::runtime::bindings::Binding;
pub use crate::contract::tenon::runtime::run::{
    Change, Directive, Level, Progress, Question, Rejection, RunContext, RunMode, Subject, Written,
};
pub use crate::contract::tenon::runtime::storage::Quota;
