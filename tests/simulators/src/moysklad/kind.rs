//! The kinds of objects that the API knows, and what sets one apart from another.

/// Declares the kinds with the words by which the API calls them.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident = $word:literal,)*) => {
        /// A kind of object.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$about])* $kind,)*
        }

        impl Kind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The word for the kind in `meta.type`, and in paths where it has one.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// Goods.
    Product = "product",
    /// A modification of goods.
    Variant = "variant",
    /// A service.
    Service = "service",
    /// A set of goods sold as one.
    Bundle = "bundle",
    /// A group of goods.
    ProductFolder = "productfolder",
    /// A unit of measure.
    Uom = "uom",
    /// A currency.
    Currency = "currency",
    /// A country.
    Country = "country",
    /// An own legal entity.
    Organization = "organization",
    /// A warehouse.
    Store = "store",
    /// A department.
    Group = "group",
    /// An employee.
    Employee = "employee",
    /// A customer or a supplier.
    Counterparty = "counterparty",
    /// A contract.
    Contract = "contract",
    /// A project.
    Project = "project",
    /// A channel of sales.
    SalesChannel = "saleschannel",
    /// A customer's order.
    CustomerOrder = "customerorder",
    /// An order to a supplier.
    PurchaseOrder = "purchaseorder",
    /// A subscription to changes of objects.
    Webhook = "webhook",
    /// A subscription to changes of stock.
    WebhookStock = "webhookstock",
    /// A line of a customer's order.
    CustomerOrderPosition = "customerorderposition",
    /// A line of an order to a supplier.
    PurchaseOrderPosition = "purchaseorderposition",
    /// A part of a bundle.
    BundleComponent = "bundlecomponent",
    /// A bank account.
    BankAccount = "account",
    /// A person to talk to.
    ContactPerson = "contactperson",
    /// A type of price.
    PriceType = "pricetype",
    /// A status of documents or counterparties.
    State = "state",
    /// The definition of an additional field.
    AttributeMetadata = "attributemetadata",
    /// The definition of a property by which variants differ.
    Characteristic = "characteristic",
}

/// What may be sold and stored.
pub const ASSORTMENT: &[Kind] = &[Kind::Product, Kind::Variant, Kind::Service, Kind::Bundle];

impl Kind {
    /// The kind that a word of the API means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }

    /// The word in `meta.type`.
    pub const fn meta_type(self) -> &'static str {
        match self {
            // The API calls both definitions by one name.
            Self::Characteristic => Self::AttributeMetadata.word(),
            other => other.word(),
        }
    }

    /// Whether the kind has a list of its own under `/entity`.
    pub fn is_entity(self) -> bool {
        self < Self::CustomerOrderPosition
    }

    /// Whether it is a document.
    pub const fn is_document(self) -> bool {
        matches!(self, Self::CustomerOrder | Self::PurchaseOrder)
    }

    /// Whether it is sold.
    pub fn is_assortment(self) -> bool {
        ASSORTMENT.contains(&self)
    }

    /// Whether it can lie in a warehouse.
    pub const fn is_stored(self) -> bool {
        matches!(self, Self::Product | Self::Variant)
    }

    /// Whether it has statuses.
    pub const fn has_states(self) -> bool {
        self.is_document() || matches!(self, Self::Counterparty | Self::Contract)
    }

    /// Whether it has `/metadata`.
    pub const fn has_metadata(self) -> bool {
        matches!(self, Self::Variant) || self.attributes().is_some()
    }

    /// Whether it has pictures.
    pub const fn has_images(self) -> bool {
        matches!(self, Self::Product | Self::Variant | Self::Bundle)
    }

    /// The kind under whose name its additional fields are defined.
    pub const fn attributes(self) -> Option<Self> {
        match self {
            Self::Product | Self::Service | Self::Bundle => Some(Self::Product),
            Self::Counterparty
            | Self::Organization
            | Self::Store
            | Self::Employee
            | Self::Contract
            | Self::Project
            | Self::CustomerOrder
            | Self::PurchaseOrder => Some(self),
            _ => None,
        }
    }

    /// The collections that its objects own: the name in paths and fields, and the kind of rows.
    pub const fn collections(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::CustomerOrder => &[("positions", Self::CustomerOrderPosition)],
            Self::PurchaseOrder => &[("positions", Self::PurchaseOrderPosition)],
            Self::Bundle => &[("components", Self::BundleComponent)],
            Self::Organization => &[("accounts", Self::BankAccount)],
            Self::Counterparty => &[
                ("accounts", Self::BankAccount),
                ("contactpersons", Self::ContactPerson),
            ],
            _ => &[],
        }
    }

    /// The name of the collection that holds rows of this kind.
    pub const fn collection(self) -> Option<&'static str> {
        match self {
            Self::CustomerOrderPosition | Self::PurchaseOrderPosition => Some("positions"),
            Self::BundleComponent => Some("components"),
            Self::BankAccount => Some("accounts"),
            Self::ContactPerson => Some("contactpersons"),
            _ => None,
        }
    }

    /// Whether the vendor itself looks after its objects.
    pub const fn is_read_only(self) -> bool {
        matches!(self, Self::Group)
    }

    /// Whether webhooks may watch it.
    pub fn is_watched(self) -> bool {
        self.is_entity() && !matches!(self, Self::Webhook | Self::WebhookStock)
    }
}
