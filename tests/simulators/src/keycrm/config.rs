//! How the simulated KeyCRM is set up, and how it behaves where KeyCRM's documents leave a choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Set-up of a simulator. The default is like the real API with a small seeded account.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The only key that is let in.
    pub api_key: String,
    /// Requests a key may send per window; none lifts the limit.
    pub requests_per_minute: Option<u32>,
    /// Length of that window. Tests shorten it.
    pub window: Duration,
    /// Whether answers are compressed for clients that accept it.
    pub compression: bool,
    /// What decides the seeded account, together with the fields below.
    pub seed: u64,
    /// Number of seeded orders.
    pub orders: usize,
    /// Number of seeded products.
    pub products: usize,
    /// Share of seeded products that have variants.
    pub with_variants: f64,
    /// Share of seeded orders in the final status groups 5 and 6.
    pub share_final: f64,
    /// First moment at which a seeded order may have been placed; none means thirty days before
    /// [`Config::ordered_to`].
    pub ordered_from: Option<Timestamp>,
    /// Last moment at which a seeded order may have been placed, and the account's clock at the
    /// start. The default is the present, so give it where an account must be reproducible.
    pub ordered_to: Timestamp,
    /// Where the documents leave a choice.
    pub behaviour: Behaviour,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            api_key: "simulated-keycrm-key".to_owned(),
            requests_per_minute: Some(60),
            window: Duration::from_secs(60),
            compression: true,
            seed: 1,
            orders: 200,
            products: 60,
            with_variants: 0.3,
            share_final: 0.6,
            ordered_from: None,
            ordered_to: Timestamp::from_second(Timestamp::now().as_second())
                .unwrap_or(Timestamp::UNIX_EPOCH),
            behaviour: Behaviour::default(),
        }
    }
}

impl Config {
    /// The first moment of the period over which seeded orders are spread.
    pub fn period_start(&self) -> Timestamp {
        self.ordered_from.unwrap_or_else(|| {
            self.ordered_to
                .saturating_sub(SignedDuration::from_hours(30 * 24))
                .unwrap_or(Timestamp::MIN)
        })
    }
}

/// What KeyCRM does where its documents are silent or contradict what was observed. Each default
/// is the likelier answer; a client has to live with the other one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Whether `filter[status_id]` and `filter[source_id]` take a list. Otherwise only the first
    /// value counts.
    pub id_lists: bool,
    /// Whether a list tells its `last_page`.
    pub last_page: bool,
    /// Whether a list tells `from`, `to`, `path` and `links`.
    pub paginator_extras: bool,
    /// Whether the page URLs repeat the filters of the request.
    pub page_urls_keep_query: bool,
    /// Whether each page begins with the last record of the page before it.
    pub overlapping_pages: bool,
    /// What happens to a page size over 50.
    pub limit_over_max: LimitOverMax,
    /// What happens to a filter the resource does not know.
    pub unknown_filter: UnknownFilter,
    /// Whether the ends of `*_between` belong to the period.
    pub inclusive_between: bool,
    /// What a date without a time means as the end of a period.
    pub date_only_end: DateOnlyEnd,
    /// Hours by which times in filters are ahead of UTC.
    pub filter_hours_ahead: i8,
    /// Whether taxes are part of `grand_total`.
    pub taxes_in_total: bool,
    /// Whether the gift wrap is part of `grand_total`.
    pub wrap_in_total: bool,
    /// What the amounts of a line's discount are for.
    pub line_discount: LineDiscount,
    /// How money and quantities are written.
    pub numbers: Numbers,
    /// How moments are written.
    pub timestamps: Timestamps,
    /// Whether a change of status is a change of `updated_at`.
    pub status_bumps_updated_at: bool,
    /// What is left of a deleted order.
    pub deleted_orders: DeletedOrders,
    /// Whether `payments` lists expenses as well.
    pub expenses_among_payments: bool,
    /// Whether keys without a value are left out here and null there. Otherwise they are null.
    pub missing_nulls: bool,
    /// Whether records carry keys that no document names.
    pub unknown_keys: bool,
    /// Whether stock figures move from one request to the next.
    pub volatile_stock: bool,
    /// Whether answers tell what is left of the request limit.
    pub limit_headers: bool,
    /// Whether the account's plan has `/users`.
    pub users_endpoint: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            id_lists: true,
            last_page: true,
            paginator_extras: true,
            page_urls_keep_query: false,
            overlapping_pages: false,
            limit_over_max: LimitOverMax::Clamp,
            unknown_filter: UnknownFilter::Refuse,
            inclusive_between: true,
            date_only_end: DateOnlyEnd::Midnight,
            filter_hours_ahead: 0,
            taxes_in_total: true,
            wrap_in_total: true,
            line_discount: LineDiscount::PerUnit,
            numbers: Numbers::Mixed,
            timestamps: Timestamps::Mixed,
            status_bumps_updated_at: true,
            deleted_orders: DeletedOrders::Gone,
            expenses_among_payments: false,
            missing_nulls: true,
            unknown_keys: true,
            volatile_stock: true,
            limit_headers: true,
            users_endpoint: true,
        }
    }
}

/// What happens to a page size over 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOverMax {
    /// It counts as 50.
    Clamp,
    /// It is refused with 422.
    Refuse,
}

/// What happens to a filter the resource does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFilter {
    /// It is refused with 400.
    Refuse,
    /// It does nothing.
    Ignore,
}

/// What a date without a time means as the end of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOnlyEnd {
    /// The day's first moment.
    Midnight,
    /// The day's last second.
    EndOfDay,
}

/// What `discount_amount`, `individual_discount`, `loyalty_discount` and `total_discount` of a
/// line are for. `price_sold` is per unit in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineDiscount {
    /// For one unit.
    PerUnit,
    /// For the whole quantity.
    PerRow,
}

/// How money and quantities are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// As numbers, with the order's additional amounts and the buyer's sum as strings here and
    /// there.
    Mixed,
    /// All as numbers.
    Plain,
    /// All as strings.
    Strings,
    /// All as floats that computations have left beside their numbers.
    Noisy,
}

/// How moments are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timestamps {
    /// With microseconds and zone, but `closed_at`, `last_synced_at` and payment dates with a
    /// space and without a zone.
    Mixed,
    /// All with microseconds and zone.
    Iso,
    /// All with a space and without a zone.
    Spaced,
}

/// What is left of a deleted order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletedOrders {
    /// Nothing.
    Gone,
    /// The order, with `deleted_at` set.
    Marked,
}
