//! How the simulated MoySklad is set up, and how it behaves where the vendor's documents leave a
//! choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::Timestamp;

use crate::limit::Windows;

/// Set-up of a simulator. The default is like the real API with a small seeded account.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 takes a free one. The file storage takes two free ones beside it.
    pub listen: SocketAddr,
    /// Login of the account's administrator.
    pub login: String,
    /// Password of the account's administrator.
    pub password: String,
    /// Token of the application that is installed in the account.
    pub token: String,
    /// Whether the application is published; a draft pays more for each request.
    pub published: bool,
    /// Limits of requests.
    pub limits: Limits,
    /// How long every answer takes at least.
    pub latency: Duration,
    /// Whether answers are compressed. Clients have to offer gzip either way.
    pub compression: bool,
    /// The account's clock at the start.
    pub now: Timestamp,
    /// Whether the clock goes on by itself. Otherwise it moves only when something changes.
    pub clock_runs: bool,
    /// Whether webhooks are sent as soon as a request has changed something. Otherwise they wait
    /// until they are told to go.
    pub webhooks_at_once: bool,
    /// How long the receiver of a webhook may take.
    pub webhook_patience: Duration,
    /// What decides the seeded account, together with the fields below.
    pub seed: u64,
    /// Number of seeded products.
    pub products: usize,
    /// Number of seeded counterparties.
    pub counterparties: usize,
    /// Number of seeded orders of customers.
    pub orders: usize,
    /// Where the documents leave a choice.
    pub behaviour: Behaviour,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            login: "admin@autoparts".to_owned(),
            password: "simulated-moysklad-password".to_owned(),
            token: "5170a7ed5170a7ed5170a7ed5170a7ed5170a7ed".to_owned(),
            published: true,
            limits: Limits::default(),
            latency: Duration::ZERO,
            compression: true,
            now: Timestamp::from_second(Timestamp::now().as_second())
                .unwrap_or(Timestamp::UNIX_EPOCH),
            clock_runs: false,
            webhooks_at_once: false,
            webhook_patience: Duration::from_millis(1500),
            seed: 1,
            products: 120,
            counterparties: 40,
            orders: 20,
            behaviour: Behaviour::default(),
        }
    }
}

/// What a caller may ask.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Units per window that a user or an application may spend; none lifts the limit.
    pub units: Option<u32>,
    /// Length of that window. Tests shorten it.
    pub window: Duration,
    /// Which windows are looked at.
    pub windows: Windows,
    /// Units that a request with a login, or with a user's token, costs.
    pub user_cost: u32,
    /// Units that a request of an application that is not published costs.
    pub draft_cost: u32,
    /// Units that an extended report of stock costs anybody.
    pub stock_report_cost: u32,
    /// Requests that a user or an application may have under way; none lifts the limit.
    pub parallel: Option<usize>,
    /// Identical requests within a minute that may fail before the API is switched off for the
    /// account; none never switches it off. The vendor's number is 200.
    pub failures: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            units: Some(45),
            window: Duration::from_secs(3),
            windows: Windows::Sliding,
            user_cost: 4,
            draft_cost: 4,
            stock_report_cost: 5,
            parallel: Some(5),
            failures: None,
        }
    }
}

impl Limits {
    /// No limits at all.
    pub fn none() -> Self {
        Self {
            units: None,
            parallel: None,
            ..Self::default()
        }
    }
}

/// What MoySklad does where its documents are silent or contradict what was observed. Each default
/// is the likelier answer; a client has to live with the other one too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// When answers tell what is left of the limit.
    pub limit_headers: LimitHeaders,
    /// Whether the limit that is told is already divided by the caller's cost.
    pub limit_divided: bool,
    /// What happens to a page size over 1000.
    pub limit_over_max: LimitOverMax,
    /// Which lists leave archived objects out unless the filter says otherwise.
    pub archived: Archived,
    /// The status of a reply to an array of which some elements failed.
    pub mixed_bulk_status: u16,
    /// What repeating a creation with a known `syncId` does.
    pub known_sync_id: KnownSyncId,
    /// Whether every object gets a `syncId` when the client sends none.
    pub sync_id_filled: bool,
    /// Whether an update may name fields that the kind does not have.
    pub unknown_fields: UnknownFields,
    /// Whether `positions` may come as an object with `rows`.
    pub positions_in_rows: bool,
    /// Whether the numbers of documents of one kind have to differ.
    pub unique_numbers: bool,
    /// What is left of a deleted document.
    pub deleted_documents: DeletedDocuments,
    /// Whether prices are rounded to whole hundredths for clients that do not ask for precision.
    pub prices_rounded: bool,
    /// Whether putting an object into the archive, or taking it out, is a change of `updated`.
    pub archiving_updates: bool,
    /// Whether a change of a product's price is a change of `updated` of its variants.
    pub prices_update_variants: bool,
    /// Whether stock is recalculated at once. Otherwise reports stay as they are until the account
    /// is told to recalculate.
    pub stock_at_once: bool,
    /// How what a counterparty owes is written.
    pub balance: BalanceSign,
    /// Whether the tariff has the report on counterparties.
    pub crm: bool,
    /// Whether the tariff has webhooks.
    pub webhooks: bool,
    /// Whether a webhook whose receiver did not answer in time is sent again as after a bad answer.
    pub late_webhooks_repeated: bool,
    /// Whether objects carry keys that no document names.
    pub unknown_keys: bool,
    /// What the file storage hands out.
    pub files: Files,
    /// Whether the file storage refuses requests that carry credentials.
    pub storage_refuses_credentials: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            limit_headers: LimitHeaders::Always,
            limit_divided: false,
            limit_over_max: LimitOverMax::Clamp,
            archived: Archived::LeftOut,
            mixed_bulk_status: 400,
            known_sync_id: KnownSyncId::AsIs,
            sync_id_filled: false,
            unknown_fields: UnknownFields::Ignored,
            positions_in_rows: true,
            unique_numbers: true,
            deleted_documents: DeletedDocuments::Gone,
            prices_rounded: true,
            archiving_updates: true,
            prices_update_variants: false,
            stock_at_once: true,
            balance: BalanceSign::DebtIsNegative,
            crm: true,
            webhooks: true,
            late_webhooks_repeated: true,
            unknown_keys: true,
            files: Files::Whole,
            storage_refuses_credentials: true,
        }
    }
}

/// When answers tell what is left of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitHeaders {
    /// Every answer does.
    Always,
    /// Only those over the limit.
    OnlyOver,
}

/// What happens to a page size over 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOverMax {
    /// It counts as 1000.
    Clamp,
    /// It is refused.
    Refuse,
}

/// Which lists leave archived objects out unless the filter says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archived {
    /// All.
    LeftOut,
    /// Only the assortment; others show them.
    LeftOutOfAssortment,
}

/// What repeating a creation with a known `syncId` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownSyncId {
    /// The object is answered as it is.
    AsIs,
    /// The object is updated.
    Updated,
}

/// What happens to fields that the kind does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownFields {
    /// They are passed over.
    Ignored,
    /// An update that names one is refused.
    RefusedOnUpdate,
}

/// What is left of a deleted document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletedDocuments {
    /// Nothing.
    Gone,
    /// The document, in the bin.
    Binned,
}

/// What the file storage hands out, always as a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// The file.
    Whole,
    /// A page about an error.
    Error,
    /// Nothing.
    Empty,
    /// The first half of the file.
    Half,
}

/// How what a counterparty owes is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceSign {
    /// Below zero.
    DebtIsNegative,
    /// Above zero.
    DebtIsPositive,
}
