//! What the company knows of its counterparties: what they owe, what they bought.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::account::Account;
use super::config::BalanceSign;
use super::endpoints::{Answer, Call, Reply};
use super::filter::{Condition, Operator, choose_by};
use super::id::Id;
use super::input;
use super::kind::Kind;
use super::moscow;
use super::query::{Page, envelope};
use super::record::Record;
use super::refusal::Refusal;
use super::wire::Wire;
use crate::json::{self, Double, Object, object};

/// Figures of one counterparty, in hundredths of the currency of account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What the counterparty owes the company; below zero what it is owed.
    pub debt: Decimal,
    /// Number of sales.
    pub demands: i64,
    /// Sum of sales.
    pub demands_sum: Decimal,
    /// First sale.
    pub first_demand: Option<Timestamp>,
    /// Last sale.
    pub last_demand: Option<Timestamp>,
}

impl Account {
    /// What the company knows of a counterparty.
    pub fn figures(&self, counterparty: Id) -> Figures {
        self.figures.get(&counterparty).copied().unwrap_or_default()
    }

    /// Changes what the company knows of a counterparty.
    ///
    /// # Panics
    /// When there is no such counterparty.
    pub fn set_figures(&mut self, counterparty: Id, figures: Figures) {
        self.get(counterparty);
        self.figures.insert(counterparty, figures);
    }

    fn balance(&self, counterparty: Id) -> Decimal {
        let debt = self.figures(counterparty).debt;
        match self.behaviour.balance {
            BalanceSign::DebtIsNegative => -debt,
            BalanceSign::DebtIsPositive => debt,
        }
    }
}

/// `GET /report/counterparty`.
pub fn counterparties(account: &mut Account, call: &Call<'_>) -> Answer {
    allowed(account)?;
    let page = Page::usual(call, account.behaviour.limit_over_max)?;
    let text = call.parameter("filter").unwrap_or_default();
    // What is known of the counterparty itself is filtered as its list is.
    let (mut by_agent, mut by_figure) = (Vec::new(), Vec::new());
    for condition in Condition::parse_all(text)? {
        match condition.field.strip_prefix("counterparty.") {
            Some(field) => by_agent.push(Condition {
                field: field.to_owned(),
                ..condition
            }),
            None if condition.field == "id" => by_agent.push(condition),
            None => by_figure.push(condition),
        }
    }
    let chosen = choose_by(account, &[Kind::Counterparty], by_agent)?;
    let mut rows = Vec::new();
    for id in chosen {
        if holds(account, id, &by_figure)? {
            rows.push(account.get(id));
        }
    }
    let wire = Wire::new(account, call.precise, None);
    let total = rows.len();
    let body = envelope(&wire, call, &page, total, "counterparty", |out| {
        out.objects("rows", page.of(&rows), |out, agent| {
            row(out, account, &wire, agent)
        });
    });
    Ok(Reply::json(body))
}

fn holds(account: &Account, id: Id, conditions: &[Condition]) -> Result<bool, Refusal> {
    let figures = account.figures(id);
    for condition in conditions {
        let have = match condition.field.as_str() {
            "balance" => account.balance(id),
            "demandsSum" => figures.demands_sum,
            "demandsCount" => Decimal::from(figures.demands),
            other => return Err(Refusal::about(1034, other)),
        };
        let wanted: Decimal = condition
            .value
            .parse()
            .map_err(|_| Refusal::about(1014, &condition.field))?;
        let holds = match condition.operator {
            Operator::Equal => have == wanted,
            Operator::NotEqual => have != wanted,
            Operator::Greater => have > wanted,
            Operator::Less => have < wanted,
            Operator::NotLess => have >= wanted,
            Operator::NotGreater => have <= wanted,
            _ => return Err(Refusal::about(1034, &condition.field)),
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `GET /report/counterparty/{id}`.
pub fn counterparty(account: &mut Account, call: &Call<'_>) -> Answer {
    allowed(account)?;
    let id = call.id()?;
    let agent = account
        .peek(id)
        .filter(|one| one.kind == Kind::Counterparty);
    let agent = agent.ok_or_else(|| Refusal::about(1021, id.to_string()))?;
    let wire = Wire::new(account, call.precise, None);
    let mut out = String::new();
    object(&mut out, |out| row(out, account, &wire, agent));
    Ok(Reply::json(out))
}

/// `POST /report/counterparty`: the figures of those that the body names.
pub fn some_counterparties(account: &mut Account, call: &Call<'_>) -> Answer {
    allowed(account)?;
    let body = input::body(call.body)?;
    let named = body.get("counterparties").and_then(Json::as_array);
    let named = named.ok_or_else(|| Refusal::field(3000, "counterparties"))?;
    let mut agents = Vec::new();
    for one in named {
        let agent = one.get("counterparty");
        let agent = agent.ok_or_else(|| Refusal::field(3000, "counterparty"))?;
        let reference = account.reference(agent, "counterparty")?;
        if reference.kind != Kind::Counterparty {
            return Err(Refusal::field(2027, "counterparty"));
        }
        agents.push(account.get(reference.id));
    }
    let wire = Wire::new(account, call.precise, None);
    let mut out = String::new();
    object(&mut out, |out| {
        wire.context(out);
        json::objects(out.key("rows"), agents, |out, agent| {
            row(out, account, &wire, agent);
        });
    });
    Ok(Reply::json(out))
}

fn allowed(account: &Account) -> Result<(), Refusal> {
    if account.behaviour.crm {
        Ok(())
    } else {
        Err(Refusal::code(1043))
    }
}

fn row(out: &mut Object<'_>, account: &Account, wire: &Wire<'_>, agent: &Record) {
    let figures = account.figures(agent.id);
    out.object("meta", |meta| {
        let href = format!("{}/report/counterparty/{}", account.base, agent.id);
        meta.put("href", href);
        meta.put("type", "counterparty");
        meta.put("mediaType", "application/json");
    });
    out.object("counterparty", |out| {
        out.object("meta", |meta| wire.meta(meta, agent.reference()));
        out.put("id", agent.id.to_string());
        for field in ["name", "externalCode", "companyType"] {
            out.put(field, agent.text(field));
        }
    });
    let moment = |moment: Option<Timestamp>| moment.map(moscow::to_the_second);
    out.put("firstDemandDate", moment(figures.first_demand));
    out.put("lastDemandDate", moment(figures.last_demand));
    out.put("demandsCount", figures.demands);
    out.put("demandsSum", Double(figures.demands_sum));
    let average = figures
        .demands_sum
        .checked_div(Decimal::from(figures.demands))
        .unwrap_or_default();
    out.put("averageReceipt", Double(average.round_dp(2)));
    out.put("returnsCount", 0_i64);
    for field in ["returnsSum", "discountsSum", "bonusBalance", "profit"] {
        out.put(field, Double(Decimal::ZERO));
    }
    out.put("balance", Double(account.balance(agent.id)));
    out.put("lastEventDate", None::<&str>);
    out.put("lastEventText", None::<&str>);
    let updated = agent.moment("updated").map(moscow::to_the_second);
    out.put("updated", updated);
}
