//! The fields of each kind, in the order in which answers have them: what they hold, who may write
//! them, and whether lists can be filtered by them.
//!
//! The API is uniform, so its objects are described here and read, written, filtered and sorted by
//! code that knows no kind. What is peculiar to one is in `rules`.

use rust_decimal::Decimal;

use super::kind::{ASSORTMENT, Kind};
use super::value::Value;

/// A field of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in JSON.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Who may write it.
    pub access: Access,
    /// Whether lists can be filtered and sorted by it.
    pub filtered: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text of at most so many characters.
    Text(usize),
    /// Text with an at sign in it.
    Email,
    /// An address of the web.
    Url,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Yes or no.
    Flag,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// Money.
    Money,
    /// A moment.
    Moment,
    /// A moment whose seconds do not count.
    Minute,
    /// A UUID.
    Uuid,
    /// A reference to one of these kinds.
    Ref(&'static [Kind]),
    /// A reference to a row of another object's collection.
    RowOf(Kind),
    /// References to documents of a kind.
    Refs(Kind),
    /// A price.
    Price,
    /// Prices by types.
    Prices,
    /// Barcodes.
    Barcodes,
    /// Packs.
    Packs,
    /// Words.
    Words,
    /// An address as text, whose parts are in another field.
    AddressText(&'static str),
    /// An address in parts, whose text is in another field.
    AddressParts(&'static str),
    /// The currency of a document.
    Rate,
    /// What sets a variant apart.
    Characteristics,
    /// Additional fields.
    Attributes,
    /// Rows of a kind.
    Rows(Kind),
    /// Pictures.
    Images,
    /// A collection that is always empty here, with the type of what it would hold.
    Nothing(&'static str),
}

/// Who may write a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Clients, and a new object must have it.
    Required,
    /// Clients.
    Free,
    /// Clients, but only on a new object.
    Once,
    /// The server alone. What clients send is passed over.
    Shown,
}

const fn field(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        access: Access::Free,
        filtered: true,
    }
}

impl Field {
    const fn required(mut self) -> Self {
        self.access = Access::Required;
        self
    }

    const fn once(mut self) -> Self {
        self.access = Access::Once;
        self
    }

    const fn shown(mut self) -> Self {
        self.access = Access::Shown;
        self
    }

    const fn unfiltered(mut self) -> Self {
        self.filtered = false;
        self
    }
}

use Shape::{
    AddressParts, AddressText, Attributes, Barcodes, Characteristics, Email, Flag, Images, Int,
    Minute, Moment, Money, Nothing, Number, Packs, Price, Prices, Rate, Refs, RowOf, Rows, Text,
    Url, Uuid, Word, Words,
};

const NAME: usize = 255;
const LONG: usize = 4096;

/// The parts of an address, with the most characters of each.
pub const ADDRESS_PARTS: &[(&str, usize)] = &[
    ("postalCode", 6),
    ("city", NAME),
    ("street", NAME),
    ("house", 30),
    ("apartment", 30),
    ("addInfo", NAME),
    ("comment", NAME),
];

const TAX_SYSTEMS: &[&str] = &[
    "GENERAL_TAX_SYSTEM",
    "SIMPLIFIED_TAX_SYSTEM_INCOME",
    "SIMPLIFIED_TAX_SYSTEM_INCOME_OUTCOME",
    "UNIFIED_AGRICULTURAL_TAX",
    "PRESUMPTIVE_TAX_SYSTEM",
    "PATENT_BASED",
    "TAX_SYSTEM_SAME_AS_GROUP",
];

const COMPANY_TYPES: &[&str] = &["legal", "entrepreneur", "individual"];

const SYNC: &[Field] = &[field("syncId", Uuid).once()];

const OWNED: &[Field] = &[
    field("owner", Shape::Ref(&[Kind::Employee])),
    field("shared", Flag),
    field("group", Shape::Ref(&[Kind::Group])),
];

const UPDATED: &[Field] = &[field("updated", Moment).shown()];

const CREATED: &[Field] = &[field("created", Moment).shown()];

const NAMED: &[Field] = &[
    field("name", Text(NAME)).required(),
    field("description", Text(LONG)),
    field("code", Text(NAME)),
    field("externalCode", Text(NAME)),
];

const ARCHIVED: &[Field] = &[field("archived", Flag)];

const ATTRIBUTES: &[Field] = &[field("attributes", Attributes).unfiltered()];

const IN_FOLDER: &[Field] = &[
    field("pathName", Text(LONG)).shown(),
    field("productFolder", Shape::Ref(&[Kind::ProductFolder])).unfiltered(),
];

const VAT: &[Field] = &[
    field("vat", Int).unfiltered(),
    field("vatEnabled", Flag).unfiltered(),
    field("useParentVat", Flag).unfiltered(),
    field("effectiveVat", Int).shown().unfiltered(),
    field("effectiveVatEnabled", Flag).shown().unfiltered(),
    field("taxSystem", Word(TAX_SYSTEMS)).unfiltered(),
];

const PRICED: &[Field] = &[
    field("discountProhibited", Flag).unfiltered(),
    field("minPrice", Price).unfiltered(),
    field("salePrices", Prices).unfiltered(),
    field("buyPrice", Price).unfiltered(),
    field("barcodes", Barcodes).unfiltered(),
];

const UNIT: &[Field] = &[field("uom", Shape::Ref(&[Kind::Uom])).unfiltered()];

const PICTURES: &[Field] = &[field("images", Images).unfiltered()];

const FILES: &[Field] = &[field("files", Nothing("files")).shown().unfiltered()];

const PRODUCT: &[Field] = &[
    field("paymentItemType", Text(NAME)).unfiltered(),
    field(
        "supplier",
        Shape::Ref(&[Kind::Counterparty, Kind::Organization]),
    ),
    field("country", Shape::Ref(&[Kind::Country])).unfiltered(),
    field("article", Text(NAME)),
    field("weighed", Flag).unfiltered(),
    field("weight", Number),
    field("volume", Number),
    field("minimumBalance", Number),
    field("packs", Packs).unfiltered(),
    field("variantsCount", Int).shown().unfiltered(),
    field("isSerialTrackable", Flag),
    field("trackingType", Text(NAME)).unfiltered(),
];

const VARIANT: &[Field] = &[
    // The name follows from the product's.
    field("name", Text(NAME)).shown(),
    field("description", Text(LONG)).unfiltered(),
    field("code", Text(NAME)),
    field("externalCode", Text(NAME)),
    field("article", Text(NAME)),
    field("characteristics", Characteristics)
        .required()
        .unfiltered(),
    field("packs", Packs).unfiltered(),
    field("product", Shape::Ref(&[Kind::Product]))
        .required()
        .unfiltered(),
];

const BUNDLE: &[Field] = &[
    field("country", Shape::Ref(&[Kind::Country])).unfiltered(),
    field("article", Text(NAME)),
    field("weight", Number),
    field("volume", Number),
    field("overhead", Price).unfiltered(),
    field("components", Rows(Kind::BundleComponent))
        .required()
        .unfiltered(),
];

const FOLDER: &[Field] = &[field("archived", Flag).shown()];

const CURRENCY: &[Field] = &[
    field("system", Flag).shown().unfiltered(),
    field("name", Text(NAME)).required(),
    field("fullName", Text(NAME)),
    field("code", Text(NAME)),
    field("isoCode", Text(NAME)),
    field("rate", Number).unfiltered(),
    field("multiplicity", Int),
    field("indirect", Flag).unfiltered(),
    field("rateUpdateType", Word(&["manual", "auto"])).unfiltered(),
    field("archived", Flag),
    field("default", Flag).shown(),
];

const REQUISITES: &[Field] = &[
    field("companyType", Word(COMPANY_TYPES)),
    field("legalTitle", Text(LONG)),
    field("legalLastName", Text(NAME)).unfiltered(),
    field("legalFirstName", Text(NAME)).unfiltered(),
    field("legalMiddleName", Text(NAME)).unfiltered(),
    field("legalAddress", AddressText("legalAddressFull")),
    field("legalAddressFull", AddressParts("legalAddress")).unfiltered(),
    field("inn", Text(NAME)),
    field("kpp", Text(NAME)),
    field("ogrn", Text(NAME)).unfiltered(),
    field("ogrnip", Text(NAME)).unfiltered(),
    field("okpo", Text(NAME)).unfiltered(),
    field("certificateNumber", Text(NAME)),
    field("certificateDate", Moment).unfiltered(),
    field("email", Email),
    field("phone", Text(NAME)),
    field("fax", Text(NAME)),
    field("actualAddress", AddressText("actualAddressFull")),
    field("actualAddressFull", AddressParts("actualAddress")).unfiltered(),
    field("accounts", Rows(Kind::BankAccount)).unfiltered(),
];

const COUNTERPARTY: &[Field] = &[
    field("contactpersons", Rows(Kind::ContactPerson)).unfiltered(),
    field("notes", Nothing("note")).shown().unfiltered(),
    field("tags", Words),
    field("state", Shape::Ref(&[Kind::State])),
    field("priceType", Shape::Ref(&[Kind::PriceType])).unfiltered(),
    field("discountCardNumber", Text(NAME)),
    field("bonusPoints", Int).shown().unfiltered(),
    field("salesAmount", Money).shown().unfiltered(),
];

const ORGANIZATION: &[Field] = &[
    field("director", Text(NAME)).unfiltered(),
    field("directorPosition", Text(NAME)).unfiltered(),
    field("chiefAccountant", Text(NAME)).unfiltered(),
    field("payerVat", Flag).unfiltered(),
];

const STORE: &[Field] = &[
    field("address", AddressText("addressFull")),
    field("addressFull", AddressParts("address")).unfiltered(),
    field("pathName", Text(LONG)).shown(),
    field("parent", Shape::Ref(&[Kind::Store])),
    field("zones", Nothing("storezone")).shown().unfiltered(),
    field("slots", Nothing("slot")).shown().unfiltered(),
];

const EMPLOYEE: &[Field] = &[
    field("name", Text(NAME)).shown(),
    field("description", Text(LONG)),
    field("code", Text(NAME)),
    field("externalCode", Text(NAME)),
    field("uid", Text(NAME)).shown(),
    field("email", Email),
    field("phone", Text(NAME)),
    field("firstName", Text(NAME)),
    field("middleName", Text(NAME)),
    field("lastName", Text(NAME)).required(),
    field("fullName", Text(NAME)).shown().unfiltered(),
    field("shortFio", Text(NAME)).shown().unfiltered(),
    field("position", Text(NAME)).unfiltered(),
    field("inn", Text(NAME)).unfiltered(),
];

const DOCUMENT: &[Field] = &[
    // A number is found for a document without one.
    field("name", Text(NAME)),
    field("description", Text(LONG)),
    field("code", Text(NAME)),
    field("externalCode", Text(NAME)),
    field("moment", Minute),
    field("applicable", Flag),
    field("rate", Rate).unfiltered(),
    field("sum", Money).shown(),
    field("store", Shape::Ref(&[Kind::Store])),
    field("contract", Shape::Ref(&[Kind::Contract])),
    field("project", Shape::Ref(&[Kind::Project])),
    field(
        "agent",
        Shape::Ref(&[Kind::Counterparty, Kind::Organization]),
    )
    .required(),
    field("agentAccount", RowOf(Kind::BankAccount)).unfiltered(),
    field("organization", Shape::Ref(&[Kind::Organization])).required(),
    field("organizationAccount", RowOf(Kind::BankAccount)).unfiltered(),
    field("state", Shape::Ref(&[Kind::State])),
    field("deleted", Moment).shown(),
    field("printed", Flag).shown(),
    field("published", Flag).shown(),
    field("vatEnabled", Flag).unfiltered(),
    field("vatIncluded", Flag).unfiltered(),
    field("vatSum", Money).shown().unfiltered(),
    field("payedSum", Money).shown().unfiltered(),
    field("shippedSum", Money).shown().unfiltered(),
    field("invoicedSum", Money).shown().unfiltered(),
    field("deliveryPlannedMoment", Minute),
];

const CUSTOMER_ORDER: &[Field] = &[
    field("positions", Rows(Kind::CustomerOrderPosition)).unfiltered(),
    field("reservedSum", Money).shown().unfiltered(),
    field("salesChannel", Shape::Ref(&[Kind::SalesChannel])),
    field("shipmentAddress", AddressText("shipmentAddressFull")),
    field("shipmentAddressFull", AddressParts("shipmentAddress")).unfiltered(),
    field("taxSystem", Word(TAX_SYSTEMS)).unfiltered(),
    field("purchaseOrders", Refs(Kind::PurchaseOrder))
        .shown()
        .unfiltered(),
];

const PURCHASE_ORDER: &[Field] = &[
    field("positions", Rows(Kind::PurchaseOrderPosition)).unfiltered(),
    field("waitSum", Money).shown().unfiltered(),
    field("customerOrders", Refs(Kind::CustomerOrder)).unfiltered(),
];

const POSITION: &[Field] = &[
    field("quantity", Number).required(),
    field("price", Money),
    field("discount", Number),
    field("vat", Int),
    field("vatEnabled", Flag),
];

const CUSTOMER_ORDER_POSITION: &[Field] = &[
    field("assortment", Shape::Ref(ASSORTMENT)).required(),
    field("shipped", Number).shown(),
    field("reserve", Number),
    field("taxSystem", Word(TAX_SYSTEMS)),
];

const PURCHASE_ORDER_POSITION: &[Field] = &[
    field("assortment", Shape::Ref(ASSORTMENT)).required(),
    field("shipped", Number).shown(),
    field("inTransit", Number).shown(),
];

const COMPONENT: &[Field] = &[
    field("assortment", Shape::Ref(ASSORTMENT)).required(),
    field("quantity", Number).required(),
];

const BANK_ACCOUNT: &[Field] = &[
    field("isDefault", Flag),
    field("accountNumber", Text(NAME)).required(),
    field("bankName", Text(NAME)),
    field("bankLocation", Text(NAME)),
    field("correspondentAccount", Text(NAME)),
    field("bic", Text(NAME)),
];

const CONTACT_PERSON: &[Field] = &[
    field("name", Text(NAME)).required(),
    field("description", Text(LONG)),
    field("externalCode", Text(NAME)),
    field("email", Email),
    field("phone", Text(NAME)),
    field("position", Text(NAME)),
];

const CONTRACT: &[Field] = &[
    field("moment", Minute),
    field("sum", Money),
    field("state", Shape::Ref(&[Kind::State])),
    field("contractType", Word(&["Sales", "Commission"])),
    field("ownAgent", Shape::Ref(&[Kind::Organization])).required(),
    field(
        "agent",
        Shape::Ref(&[Kind::Counterparty, Kind::Organization]),
    )
    .required(),
    field("rate", Rate).unfiltered(),
];

const SALES_CHANNEL: &[Field] = &[field(
    "type",
    Word(&[
        "MESSENGER",
        "SOCIAL_NETWORK",
        "MARKETPLACE",
        "ECOMMERCE",
        "CLASSIFIED_ADS",
        "DIRECT_SALES",
        "OTHER",
    ]),
)];

const WEBHOOK: &[Field] = &[
    field("entityType", Text(NAME)).required(),
    field("url", Url).required(),
    field("method", Text(NAME)),
    field("enabled", Flag),
    field("action", Text(NAME)).required(),
    field("diffType", Text(NAME)),
];

const WEBHOOK_STOCK: &[Field] = &[
    field("url", Url).required(),
    field("enabled", Flag),
    field("reportType", Word(&["all", "bystore"])).required(),
    field("stockType", Word(&["stock"])).required(),
];

const STATE: &[Field] = &[
    field("name", Text(NAME)).required(),
    field("color", Int),
    field(
        "stateType",
        Word(&["Regular", "Successful", "Unsuccessful"]),
    ),
    field("entityType", Text(NAME)).shown(),
];

/// The types that an additional field may have.
pub const ATTRIBUTE_TYPES: &[&str] = &[
    "string",
    "text",
    "link",
    "long",
    "double",
    "boolean",
    "time",
    "counterparty",
    "contract",
    "project",
    "store",
    "employee",
    "product",
];

const ATTRIBUTE: &[Field] = &[
    field("name", Text(NAME)).required(),
    field("type", Word(ATTRIBUTE_TYPES)).required(),
    field("required", Flag),
    field("show", Flag),
    field("description", Text(LONG)),
];

const CHARACTERISTIC: &[Field] = &[
    field("name", Text(NAME)).required(),
    field("type", Text(NAME)).shown(),
    field("required", Flag).shown(),
];

const GROUP: &[Field] = &[
    field("name", Text(NAME)).required(),
    field("index", Int).unfiltered(),
];

const PRICE_TYPE: &[Field] = &[
    field("name", Text(NAME)).required(),
    field("externalCode", Text(NAME)),
];

const fn groups(kind: Kind) -> &'static [&'static [Field]] {
    match kind {
        Kind::Product => &[
            SYNC, OWNED, UPDATED, NAMED, ARCHIVED, IN_FOLDER, VAT, UNIT, PICTURES, PRICED, PRODUCT,
            ATTRIBUTES, FILES,
        ],
        Kind::Variant => &[UPDATED, ARCHIVED, PICTURES, PRICED, VARIANT],
        Kind::Service => &[
            SYNC, OWNED, UPDATED, NAMED, ARCHIVED, IN_FOLDER, VAT, UNIT, PRICED, ATTRIBUTES, FILES,
        ],
        Kind::Bundle => &[
            SYNC, OWNED, UPDATED, NAMED, ARCHIVED, IN_FOLDER, VAT, UNIT, PICTURES, PRICED, BUNDLE,
            ATTRIBUTES, FILES,
        ],
        Kind::ProductFolder => &[OWNED, UPDATED, NAMED, FOLDER, IN_FOLDER, VAT],
        Kind::Uom | Kind::Country => &[OWNED, UPDATED, NAMED],
        Kind::Currency => &[CURRENCY],
        Kind::Organization => &[
            SYNC,
            OWNED,
            UPDATED,
            CREATED,
            NAMED,
            ARCHIVED,
            REQUISITES,
            ORGANIZATION,
            ATTRIBUTES,
        ],
        Kind::Store => &[OWNED, UPDATED, NAMED, ARCHIVED, STORE, ATTRIBUTES],
        Kind::Group => &[GROUP],
        Kind::Employee => &[OWNED, UPDATED, CREATED, EMPLOYEE, ARCHIVED, ATTRIBUTES],
        Kind::Counterparty => &[
            SYNC,
            OWNED,
            UPDATED,
            CREATED,
            NAMED,
            ARCHIVED,
            REQUISITES,
            COUNTERPARTY,
            ATTRIBUTES,
            FILES,
        ],
        Kind::Contract => &[SYNC, OWNED, UPDATED, NAMED, ARCHIVED, CONTRACT, ATTRIBUTES],
        Kind::Project => &[OWNED, UPDATED, NAMED, ARCHIVED, ATTRIBUTES],
        Kind::SalesChannel => &[OWNED, UPDATED, NAMED, ARCHIVED, SALES_CHANNEL],
        Kind::CustomerOrder => &[
            SYNC,
            OWNED,
            UPDATED,
            CREATED,
            DOCUMENT,
            CUSTOMER_ORDER,
            ATTRIBUTES,
            FILES,
        ],
        Kind::PurchaseOrder => &[
            SYNC,
            OWNED,
            UPDATED,
            CREATED,
            DOCUMENT,
            PURCHASE_ORDER,
            ATTRIBUTES,
            FILES,
        ],
        Kind::Webhook => &[WEBHOOK],
        Kind::WebhookStock => &[WEBHOOK_STOCK],
        Kind::CustomerOrderPosition => &[POSITION, CUSTOMER_ORDER_POSITION],
        Kind::PurchaseOrderPosition => &[POSITION, PURCHASE_ORDER_POSITION],
        Kind::BundleComponent => &[COMPONENT],
        Kind::BankAccount => &[UPDATED, BANK_ACCOUNT],
        Kind::ContactPerson => &[UPDATED, CONTACT_PERSON],
        Kind::PriceType => &[PRICE_TYPE],
        Kind::State => &[STATE],
        Kind::AttributeMetadata => &[ATTRIBUTE],
        Kind::Characteristic => &[CHARACTERISTIC],
    }
}

/// The fields of a kind.
pub fn fields(kind: Kind) -> impl Iterator<Item = &'static Field> {
    groups(kind).iter().copied().flatten()
}

/// A field of a kind by its name.
pub fn find(kind: Kind, name: &str) -> Option<&'static Field> {
    fields(kind).find(|field| field.name == name)
}

/// The kind that an additional field of a type refers to; none for plain values.
pub fn attribute_target(attribute_type: &str) -> Option<Kind> {
    Kind::of_word(attribute_type).filter(|_| ATTRIBUTE_TYPES.contains(&attribute_type))
}

/// What a field of a new object holds before anybody says more; `rules` says more for some kinds.
pub fn default(field: &Field) -> Option<Value> {
    match field.shape {
        // None is told until it is known.
        _ if matches!(field.name, "minimumBalance" | "useParentVat" | "vatEnabled") => None,
        Flag => Some(Value::Flag(false)),
        Number => Some(Value::Number(Decimal::ZERO)),
        Money => Some(Value::Money(Decimal::ZERO)),
        Words => Some(Value::Words(Vec::new())),
        Rows(_) => Some(Value::Rows(Vec::new())),
        Images => Some(Value::Images(Vec::new())),
        Nothing(kind) => Some(Value::Nothing(kind)),
        _ => None,
    }
}
