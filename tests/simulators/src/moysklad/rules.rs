//! What is peculiar to a kind: what a new object has, what follows from its fields, and which
//! combinations of them are refused.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::{Decimal, RoundingStrategy};

use super::account::Account;
use super::id::Id;
use super::kind::Kind;
use super::moscow;
use super::record::Record;
use super::refusal::Refusal;
use super::schema::{self, Field};
use super::stock::Level;
use super::value::{Barcode, Price, Rate, Ref, Value};
use super::webhook;

const MOST_COMPONENTS: usize = 50;

fn text(text: impl Into<String>) -> Value {
    Value::Text(text.into())
}

impl Account {
    /// A new object with everything that the server fills in by itself.
    pub(super) fn begin(&mut self, kind: Kind) -> Record {
        let mut record = self.blank(kind);
        for field in schema::fields(kind) {
            if let Some(value) = schema::default(field) {
                record.set(field.name, value);
            }
        }
        let has = |name| schema::find(kind, name).is_some();
        let moment = self.stamp();
        for field in ["created", "updated"] {
            if has(field) {
                record.set(field, Value::Moment(moment));
            }
        }
        if has("owner") && kind != Kind::Employee {
            let (employee, group) = (self.home.employee, self.home.group);
            let of = |kind, id| Value::Ref(Ref { kind, id });
            record.set("owner", of(Kind::Employee, employee));
            record.set("group", of(Kind::Group, group));
        }
        if has("externalCode") {
            record.set("externalCode", text(self.allot_code()));
        }
        if has("salePrices") {
            record.set("salePrices", Value::Prices(BTreeMap::new()));
            if kind != Kind::Variant {
                record.set("buyPrice", Value::Price(self.no_price()));
                record.set("minPrice", Value::Price(self.no_price()));
            }
        }
        if self.behaviour.sync_id_filled && has("syncId") {
            let id = self.allot_id();
            record.set("syncId", Value::Id(id));
        }
        match kind {
            Kind::Product => {
                record.set("paymentItemType", text("GOOD"));
                record.set("trackingType", text("NOT_TRACKED"));
            }
            Kind::CustomerOrder | Kind::PurchaseOrder => {
                record.set("moment", Value::Moment(moscow::minute(moment)));
                for field in ["applicable", "vatEnabled", "vatIncluded"] {
                    record.set(field, Value::Flag(true));
                }
                record.set("rate", Value::Rate(self.no_rate()));
            }
            Kind::CustomerOrderPosition | Kind::PurchaseOrderPosition => {
                record.set("vat", Value::Int(0));
                record.set("vatEnabled", Value::Flag(false));
            }
            Kind::Contract => {
                record.set("moment", Value::Moment(moscow::minute(moment)));
                record.set("rate", Value::Rate(self.no_rate()));
                record.set("contractType", text("Sales"));
            }
            Kind::Counterparty | Kind::Organization => record.set("companyType", text("legal")),
            Kind::Currency => {
                record.set("rate", Value::Number(Decimal::ONE));
                record.set("multiplicity", Value::Int(1));
                record.set("rateUpdateType", text("manual"));
            }
            Kind::Webhook => {
                record.set("enabled", Value::Flag(true));
                record.set("method", text("POST"));
            }
            Kind::WebhookStock => record.set("enabled", Value::Flag(true)),
            Kind::State => {
                record.set("color", Value::Int(0));
                record.set("stateType", text("Regular"));
            }
            Kind::Characteristic => record.set("type", text("string")),
            Kind::AttributeMetadata => record.set("show", Value::Flag(true)),
            _ => {}
        }
        record
    }

    /// Nothing, in the currency of account.
    pub(super) fn no_price(&self) -> Price {
        Price {
            value: Decimal::ZERO,
            currency: self.home.currency,
        }
    }

    /// The currency of account.
    pub(super) fn no_rate(&self) -> Rate {
        Rate {
            currency: self.home.currency,
            value: None,
        }
    }

    /// The value of a field as answers show it: as it is kept, or as it follows from other objects.
    pub(super) fn shown<'a>(&'a self, record: &'a Record, field: &Field) -> Option<Cow<'a, Value>> {
        match (record.kind, field.name) {
            (_, "pathName") => Some(Cow::Owned(text(self.path_name(record)))),
            (Kind::Employee, "uid") if record.id == self.home.employee => {
                Some(Cow::Owned(text(self.access.login.clone())))
            }
            (Kind::Product, "variantsCount") => {
                let referrers = self.referrers(record.id);
                let variants = referrers.filter(|one| one.kind == Kind::Variant).count();
                Some(Cow::Owned(Value::Int(variants as i64)))
            }
            (Kind::Variant, "salePrices") => {
                let own = record.get(field.name);
                let card = self.card(record).get(field.name);
                let empty = matches!(own, Some(Value::Prices(prices)) if prices.is_empty());
                Some(Cow::Borrowed(if empty { card? } else { own? }))
            }
            (_, "effectiveVat") => {
                let vat = self.vat_source(record)?.get("vat")?;
                Some(Cow::Borrowed(vat))
            }
            (_, "effectiveVatEnabled") => {
                let enabled = self.vat_source(record)?.get("vatEnabled")?;
                Some(Cow::Borrowed(enabled))
            }
            (Kind::CustomerOrder, "purchaseOrders") => {
                let referrers = self.referrers(record.id);
                let orders = referrers.filter(|one| one.kind == Kind::PurchaseOrder);
                let orders: Vec<_> = orders.map(Record::reference).collect();
                (!orders.is_empty()).then_some(Cow::Owned(Value::Refs(orders)))
            }
            _ => record.get(field.name).map(Cow::Borrowed),
        }
    }

    /// The object whose rate of VAT holds for one: itself or the nearest folder with a rate.
    fn vat_source<'a>(&'a self, record: &'a Record) -> Option<&'a Record> {
        if !record.flag("useParentVat") && record.get("vat").is_some() {
            return Some(record);
        }
        let folder = self.peek(record.refers("productFolder")?.id)?;
        self.vat_source(folder)
    }

    /// The names of the folders, or warehouses, in which an object lies.
    pub(super) fn path_name(&self, record: &Record) -> String {
        let upwards = if record.kind == Kind::Store {
            "parent"
        } else {
            "productFolder"
        };
        let mut names = Vec::new();
        let mut at = record;
        while let Some(parent) = at.refers(upwards).and_then(|one| self.peek(one.id)) {
            names.push(parent.name());
            at = parent;
        }
        names.reverse();
        names.join("/")
    }

    /// The object that has the folder and the unit: a variant's product, anything else itself.
    pub(super) fn card<'a>(&'a self, record: &'a Record) -> &'a Record {
        record
            .refers("product")
            .and_then(|product| self.peek(product.id))
            .unwrap_or(record)
    }

    /// Whether an object lies in one of these folders, or in one within them.
    pub(super) fn lies_in(&self, card: &Record, folders: &BTreeSet<Id>, within: bool) -> bool {
        let mut at = card;
        while let Some(folder) = at.refers("productFolder") {
            if folders.contains(&folder.id) {
                return true;
            }
            match self.peek(folder.id) {
                Some(next) if within => at = next,
                _ => return false,
            }
        }
        false
    }

    /// Computes what follows from an object's fields, and refuses what cannot be. `before` is the
    /// object as the account has it.
    pub(super) fn complete(
        &mut self,
        record: &mut Record,
        before: Option<&Record>,
    ) -> Result<(), Refusal> {
        match record.kind {
            Kind::Product | Kind::Service | Kind::Bundle => self.complete_goods(record, before)?,
            Kind::Variant => self.complete_variant(record)?,
            Kind::ProductFolder => self.check_folder(record)?,
            Kind::Counterparty | Kind::Organization => self.complete_agent(record)?,
            Kind::Employee => complete_employee(record),
            Kind::Store => {
                self.unique(record, "name", |_| true)?;
                self.check_parents(record, "parent")?;
            }
            Kind::CustomerOrder | Kind::PurchaseOrder => self.complete_document(record)?,
            Kind::Contract => {
                if let Some(state) = record.refers("state") {
                    self.check_state(record.kind, state)?;
                }
            }
            Kind::Currency
                if before.is_some_and(|one| one.flag("default"))
                    && record.number("rate") != Decimal::ONE =>
            {
                return Err(Refusal::code(31003));
            }
            Kind::Webhook | Kind::WebhookStock => webhook::complete(self, record)?,
            Kind::PriceType => self.unique(record, "name", |_| true)?,
            Kind::State | Kind::AttributeMetadata => {
                let word = record.text("entityType").to_owned();
                self.unique(record, "name", |one| one.text("entityType") == word)?;
                let retyped = before.is_some_and(|one| one.text("type") != record.text("type"));
                if retyped {
                    return Err(Refusal::field(3001, "type"));
                }
            }
            Kind::Characteristic => {
                let taken = self.find(Kind::Characteristic, "name", record.name());
                if taken.is_some_and(|one| one.id != record.id) {
                    return Err(Refusal::about(10002, record.name()));
                }
            }
            _ => {}
        }
        self.check_attributes(record)
    }

    /// Refuses a text that another object of the kind has in the field.
    fn unique(
        &self,
        record: &Record,
        field: &'static str,
        rival: impl Fn(&Record) -> bool,
    ) -> Result<(), Refusal> {
        let text = record.text(field);
        if text.is_empty() {
            return Ok(());
        }
        let taken = self
            .indexed(record.kind, field, text)
            .into_iter()
            .flatten()
            .filter(|id| **id != record.id)
            .filter_map(|id| self.peek(*id))
            .any(rival);
        if taken {
            return Err(Refusal::field(3006, field));
        }
        Ok(())
    }

    fn check_attributes(&self, record: &Record) -> Result<(), Refusal> {
        for definition in self.definitions(record.kind) {
            if definition.flag("required") && record.attribute(definition.id).is_none() {
                return Err(Refusal::field(3023, definition.name()));
            }
        }
        Ok(())
    }

    fn complete_goods(
        &mut self,
        record: &mut Record,
        before: Option<&Record>,
    ) -> Result<(), Refusal> {
        let vat = record.get("vat").is_some();
        if vat && record.get("vatEnabled").is_none() {
            record.set("vatEnabled", Value::Flag(true));
        }
        if record.int("vat") > 0 && !record.flag("vatEnabled") {
            return Err(Refusal::code(16010));
        }
        if record.get("useParentVat").is_none() {
            record.set("useParentVat", Value::Flag(!vat));
        }
        if before.is_none() {
            self.complete_code(record);
            if record.get("barcodes").is_none() {
                let code = Barcode::made_up(self.allot_number(Kind::Product));
                record.set("barcodes", Value::Barcodes(vec![code]));
            }
        }
        if let (Some(Value::Packs(packs)), Some(uom)) = (record.get("packs"), record.refers("uom"))
            && packs.iter().any(|pack| pack.uom == uom.id)
        {
            return Err(Refusal::code(16008));
        }
        self.check_code(record)?;
        if record.kind == Kind::Bundle {
            self.check_components(record, before)?;
        }
        Ok(())
    }

    fn complete_code(&mut self, record: &mut Record) {
        if self.settings.filled_codes && record.text("code").is_empty() {
            let number = self.allot_number(Kind::ProductFolder);
            record.set("code", text(format!("{number:05}")));
        }
    }

    /// Codes of the whole assortment differ when the account wants them to.
    fn check_code(&self, record: &Record) -> Result<(), Refusal> {
        let code = record.text("code");
        if !self.settings.unique_codes || code.is_empty() {
            return Ok(());
        }
        for kind in super::kind::ASSORTMENT {
            let mut same = self.indexed(*kind, "code", code).into_iter().flatten();
            if same.any(|id| *id != record.id) {
                return Err(Refusal::field(3006, "code"));
            }
        }
        Ok(())
    }

    fn check_components(&self, record: &Record, before: Option<&Record>) -> Result<(), Refusal> {
        let components = record.rows("components");
        if components.is_empty() || components.len() > MOST_COMPONENTS {
            return Err(Refusal::code(29000));
        }
        let mut items = BTreeSet::new();
        for component in components {
            let item = component.refers("assortment");
            if item.is_some_and(|item| item.kind == Kind::Bundle) {
                return Err(Refusal::code(29003));
            }
            if !items.insert(item) {
                return Err(Refusal::code(29002));
            }
            if component.number("quantity") <= Decimal::ZERO {
                return Err(Refusal::field(3003, "quantity"));
            }
        }
        let changed = before.is_some_and(|before| before.rows("components") != components);
        let mut users = self.referrers(record.id);
        if changed && users.any(|user| user.kind.is_document()) {
            return Err(Refusal::code(29001));
        }
        Ok(())
    }

    fn complete_variant(&mut self, record: &mut Record) -> Result<(), Refusal> {
        let Some(Value::Characteristics(values)) = record.get("characteristics") else {
            return Err(Refusal::code(15001));
        };
        if values.is_empty() {
            return Err(Refusal::code(15001));
        }
        let Some(product) = record.refers("product") else {
            return Err(Refusal::field(3000, "product"));
        };
        let twin = self.referrers(product.id).any(|other| {
            other.kind == Kind::Variant
                && other.id != record.id
                && other.get("characteristics") == record.get("characteristics")
        });
        if twin {
            return Err(Refusal::code(15000));
        }
        let values: Vec<&str> = values.values().map(String::as_str).collect();
        let name = format!("{} ({})", self.get(product.id).name(), values.join(", "));
        record.set("name", text(name));
        if record.get("barcodes").is_none() {
            let code = Barcode::made_up(self.allot_number(Kind::Product));
            record.set("barcodes", Value::Barcodes(vec![code]));
        }
        self.complete_code(record);
        self.check_code(record)
    }

    fn check_folder(&self, record: &Record) -> Result<(), Refusal> {
        match record.refers("productFolder") {
            Some(parent) if parent.id == record.id => Err(Refusal::code(23000)),
            _ => self.check_parents(record, "productFolder"),
        }
    }

    /// Refuses an object that would lie in itself.
    fn check_parents(&self, record: &Record, upwards: &str) -> Result<(), Refusal> {
        let mut at = record.refers(upwards);
        while let Some(parent) = at {
            if parent.id == record.id {
                return Err(Refusal::code(23001));
            }
            at = self.peek(parent.id).and_then(|one| one.refers(upwards));
        }
        Ok(())
    }

    fn complete_agent(&mut self, record: &mut Record) -> Result<(), Refusal> {
        if record.text("companyType") != "legal" {
            let parts = ["legalLastName", "legalFirstName", "legalMiddleName"];
            let parts: Vec<&str> = parts
                .iter()
                .map(|field| record.text(field))
                .filter(|part| !part.is_empty())
                .collect();
            if !parts.is_empty() {
                let title = match record.text("companyType") {
                    "entrepreneur" => format!("ИП {}", parts.join(" ")),
                    _ => parts.join(" "),
                };
                record.set("legalTitle", text(title));
            }
            // Only companies have it.
            record.clear("kpp");
        }
        if let Some(state) = record.refers("state") {
            self.check_state(record.kind, state)?;
        }
        if record.kind == Kind::Counterparty && self.settings.unique_counterparty_codes {
            self.unique(record, "code", |_| true)?;
        }
        let mut accounts = record.rows("accounts").to_vec();
        if !accounts.is_empty() && !accounts.iter().any(|one| one.flag("isDefault")) {
            accounts[0].set("isDefault", Value::Flag(true));
            record.set("accounts", Value::Rows(accounts));
        }
        Ok(())
    }

    fn check_state(&self, kind: Kind, state: Ref) -> Result<(), Refusal> {
        match self.resolve(state) {
            None => Err(Refusal::code(11001)),
            Some(state) if state.text("entityType") != kind.word() => Err(Refusal::code(11002)),
            Some(_) => Ok(()),
        }
    }

    /// Refuses a change of a document that what was shipped of it forbids: a position that goes, one
    /// that becomes less than was shipped, another partner or organization.
    pub(super) fn check_shipped(&self, record: &Record, before: &Record) -> Result<(), Refusal> {
        let shipped = |row: &&Record| row.number("shipped") > Decimal::ZERO;
        for row in before.rows("positions").iter().filter(shipped) {
            let left = record.rows("positions").iter().find(|one| one.id == row.id);
            let left = left.ok_or_else(|| Refusal::about(1023, row.id.to_string()))?;
            if left.number("quantity") < row.number("shipped") {
                return Err(Refusal::field(3035, "quantity"));
            }
        }
        if before.rows("positions").iter().any(|row| shipped(&row)) {
            for field in ["agent", "organization"] {
                if record.refers(field) != before.refers(field) {
                    return Err(Refusal::field(3004, field));
                }
            }
        }
        Ok(())
    }

    fn complete_document(&mut self, record: &mut Record) -> Result<(), Refusal> {
        if let Some(state) = record.refers("state") {
            self.check_state(record.kind, state)?;
        }
        for (field, account, code) in [
            ("organization", "organizationAccount", 17000),
            ("agent", "agentAccount", 17001),
        ] {
            if let Some(account) = record.refers(account)
                && self.owner_of(account.id) != record.refers(field).map(|owner| owner.id)
            {
                return Err(Refusal::code(code));
            }
        }
        if record.name().is_empty() {
            let name = loop {
                let name = format!("{:05}", self.allot_number(record.kind));
                if self.find(record.kind, "name", &name).is_none() {
                    break name;
                }
            };
            record.set("name", text(name));
        } else if self.behaviour.unique_numbers {
            self.unique(record, "name", |_| true)?;
        }
        let purchase = record.kind == Kind::PurchaseOrder;
        let mut rows = record.rows("positions").to_vec();
        for row in &mut rows {
            complete_position(row, purchase)?;
        }
        record.set("positions", Value::Rows(rows));
        total(record);
        Ok(())
    }
}

fn complete_employee(record: &mut Record) {
    let parts: Vec<&str> = ["lastName", "firstName", "middleName"]
        .iter()
        .map(|field| record.text(field))
        .filter(|part| !part.is_empty())
        .collect();
    let full = parts.join(" ");
    let initials: String = parts
        .iter()
        .skip(1)
        .filter_map(|part| part.chars().next())
        .map(|letter| format!(" {letter}."))
        .collect();
    let short = format!("{}{initials}", record.text("lastName"));
    record.set("name", text(short.clone()));
    record.set("shortFio", text(short));
    record.set("fullName", text(full));
}

/// Refuses a line that cannot be, and fills in what follows from its other fields.
fn complete_position(row: &mut Record, purchase: bool) -> Result<(), Refusal> {
    let hundred = Decimal::ONE_HUNDRED;
    let quantity = row.number("quantity");
    if quantity <= Decimal::ZERO {
        return Err(Refusal::field(3003, "quantity"));
    }
    if row.number("discount") > hundred {
        return Err(Refusal::code(17008));
    }
    match row.int("vat") {
        0 => {}
        vat if !(0..=100).contains(&vat) => return Err(Refusal::code(17007)),
        _ if !row.flag("vatEnabled") => return Err(Refusal::code(17021)),
        _ => {}
    }
    if row.number("reserve") > quantity {
        return Err(Refusal::code(17003));
    }
    if row.number("reserve") < Decimal::ZERO {
        return Err(Refusal::field(3002, "reserve"));
    }
    if row
        .refers("assortment")
        .is_some_and(|one| one.kind == Kind::Bundle)
    {
        if purchase {
            return Err(Refusal::code(17016));
        }
        if !quantity.fract().is_zero() {
            return Err(Refusal::code(17018));
        }
    }
    if purchase {
        let expected = (quantity - row.number("shipped")).max(Decimal::ZERO);
        row.set("inTransit", Value::Number(expected));
    }
    Ok(())
}

/// Computes the sums of a document from its lines.
fn total(record: &mut Record) {
    let hundred = Decimal::ONE_HUNDRED;
    let rounded =
        |sum: Decimal| sum.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    let included = record.flag("vatIncluded");
    let mut sums = Sums::default();
    for row in record.rows("positions") {
        let price = row.number("price") * (hundred - row.number("discount")) / hundred;
        let line = rounded(price * row.number("quantity"));
        let rate = match record.flag("vatEnabled") && row.flag("vatEnabled") {
            true => Decimal::from(row.int("vat")),
            false => Decimal::ZERO,
        };
        let vat = if included {
            rounded(line * rate / (hundred + rate))
        } else {
            rounded(line * rate / hundred)
        };
        sums.vat += vat;
        sums.all += if included { line } else { line + vat };
        sums.shipped += rounded(price * row.number("shipped"));
        sums.reserved += rounded(price * row.number("reserve"));
        sums.expected += rounded(price * row.number("inTransit"));
    }
    record.set("sum", Value::Money(sums.all));
    record.set("vatSum", Value::Money(sums.vat));
    record.set("shippedSum", Value::Money(sums.shipped));
    if record.kind == Kind::PurchaseOrder {
        record.set("waitSum", Value::Money(sums.expected));
    } else {
        record.set("reservedSum", Value::Money(sums.reserved));
    }
}

#[derive(Default)]
struct Sums {
    all: Decimal,
    vat: Decimal,
    shipped: Decimal,
    reserved: Decimal,
    expected: Decimal,
}

/// What a document reserves and lets expect. Only what is posted and not in the bin counts.
pub fn expectations(account: &Account, record: &Record) -> Vec<(Id, Level)> {
    if !record.kind.is_document() || !record.flag("applicable") || record.get("deleted").is_some() {
        return Vec::new();
    }
    let mut expectations = Vec::new();
    for row in record.rows("positions") {
        let Some(item) = row.refers("assortment") else {
            continue;
        };
        let level = Level {
            stock: Decimal::ZERO,
            reserve: row.number("reserve"),
            in_transit: row.number("inTransit"),
        };
        if level == Level::default() {
            continue;
        }
        match item.kind {
            Kind::Bundle => {
                let bundle = account.peek(item.id);
                for part in bundle.map_or(&[][..], |bundle| bundle.rows("components")) {
                    if let Some(item) = part.refers("assortment").filter(|one| one.kind.is_stored())
                    {
                        let reserve = level.reserve * part.number("quantity");
                        expectations.push((item.id, Level { reserve, ..level }));
                    }
                }
            }
            kind if kind.is_stored() => expectations.push((item.id, level)),
            _ => {}
        }
    }
    expectations
}
