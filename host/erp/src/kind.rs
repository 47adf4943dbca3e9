//! The kinds of record that people can ask for by name.

use std::fmt;
use std::str::FromStr;

use tenon_host::model::Directory;

use crate::Error;

/// What a tenant's file holds, by the names of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Orders from customers and to suppliers.
    Orders,
    /// Products with their variants.
    Products,
    /// Customers and suppliers.
    Partners,
    /// Levels of stock.
    Stock,
    /// Folders of products.
    Categories,
    /// Pairs of ERP record and counterpart record, of all connections.
    Bindings,
    /// Reports of runs, of all connections.
    Runs,
    /// Entries of a directory.
    Entries(Directory),
}

impl Kind {
    /// All kinds, the directories last.
    pub fn all() -> impl Iterator<Item = Kind> {
        let plain = [
            Kind::Orders,
            Kind::Products,
            Kind::Partners,
            Kind::Stock,
            Kind::Categories,
            Kind::Bindings,
            Kind::Runs,
        ];
        let entries = Directory::ALL.iter().copied().map(Kind::Entries);
        plain.into_iter().chain(entries)
    }

    /// The name of the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Orders => "orders",
            Kind::Products => "products",
            Kind::Partners => "partners",
            Kind::Stock => "stock",
            Kind::Categories => "categories",
            Kind::Bindings => "bindings",
            Kind::Runs => "runs",
            Kind::Entries(directory) => directory.name(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = Error;

    /// Takes `order-stages` and `order_stages`.
    fn from_str(name: &str) -> Result<Kind, Error> {
        let dashed = name.replace('_', "-");
        Kind::all()
            .find(|kind| kind.name() == dashed)
            .ok_or_else(|| Error::UnknownKind(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use tenon_host::model::Directory;

    use super::Kind;

    #[test]
    fn every_kind_is_read_back_from_its_name() {
        for kind in Kind::all() {
            assert_eq!(kind.name().parse::<Kind>().unwrap(), kind);
        }
        assert_eq!(
            "order_stages".parse::<Kind>().unwrap(),
            Kind::Entries(Directory::OrderStages)
        );
        let unknown = "invoices".parse::<Kind>().unwrap_err().to_string();
        assert!(unknown.contains("invoices") && unknown.contains("order-stages"));
    }
}
