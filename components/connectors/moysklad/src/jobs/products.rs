//! Products, sets and modifications as cards of the shop: all of them once a day, and in between what
//! changed.

use tenon_sdk::flow::keep::{self, Aside, Source, Why};
use tenon_sdk::flow::moving::{Place, Row, Walked};
use tenon_sdk::http::Answer;
use tenon_sdk::import::Tally;
use tenon_sdk::model::{Fault, Origin, Outcome, Reason};
use tenon_sdk::reason;
use tenon_sdk::rejected::Retry;
use uuid::Uuid;

use super::importer::Importer;
use super::{Context, images};
use crate::api::meta::{self, Kind, origin};
use crate::api::records::{self, Listed, PRODUCTS, SETS, VARIANTS};
use crate::api::{NAMED, TOKEN, moscow};
use crate::webhooks;

const LISTS: [Listed<'static>; 3] = [PRODUCTS, SETS, VARIANTS];

/// Runs the full pass, or goes on with it.
pub fn run(context: &Context, retry: &Retry) -> Result<Outcome, Fault> {
    keep::pass(&mut Importer::open(context, retry), retry)
}

/// Looks at what changed, or goes on with it. `gone` are products that are said to be gone.
pub fn changes(context: &Context, gone: Option<&str>, retry: &Retry) -> Result<Outcome, Fault> {
    keep::changes(&mut Importer::open(context, retry), gone, retry)
}

impl Source for Importer<'_> {
    const CARDS: usize = 2;
    const PARTS: usize = 1;
    const NAMED: usize = NAMED;

    fn page(&self, list: usize, place: &Place) -> Result<Option<Answer>, Fault> {
        self.context.api.page_if_shown(&LISTS[list], place)
    }

    fn named(&self, list: usize, ids: &[Uuid]) -> Result<Answer, Fault> {
        self.context.api.named(&LISTS[list], ids)
    }

    fn rows<'a>(
        &self,
        list: usize,
        place: &Place,
        answer: &'a Answer,
    ) -> Result<Walked<'a>, Fault> {
        self.context.api.rows(&LISTS[list], place, answer)
    }

    fn alive(&self, list: usize, ids: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
        self.context.api.alive(LISTS[list].kind, ids)
    }

    fn is_gone(&self, list: usize, id: Uuid) -> Result<bool, Fault> {
        self.context.api.is_gone(LISTS[list].kind, id)
    }

    fn take(
        &mut self,
        list: usize,
        rows: &[Row<'_>],
        tally: &mut Tally,
    ) -> Result<Vec<Uuid>, Fault> {
        self.import(&LISTS[list], rows, tally)
    }

    fn card_of(&self, row: &Row<'_>) -> Option<Uuid> {
        let read: records::Variant<'_> = serde_json::from_str(row.json.get()).ok()?;
        read.product.get()?.id()
    }

    fn origin(list: usize, id: Uuid) -> Origin {
        origin(LISTS[list].kind.word(), id)
    }

    fn id_of(origin: &str) -> Option<(usize, Uuid)> {
        let (kind, id) = meta::item_of(origin)?;
        Some((usize::from(kind == Kind::Bundle), id))
    }

    fn before(seen: &str) -> Option<String> {
        moscow::before(seen)
    }

    fn seal(&self) -> String {
        let root = self.context.settings.root_category;
        root.map(|root| root.to_string()).unwrap_or_default()
    }

    fn why(&self, why: Why, number: usize, total: usize) -> Reason {
        match why {
            Why::Gone => reason!("products.gone", number = number, total = total).credential(TOKEN),
            Why::Outside => {
                reason!("products.outside", number = number, total = total).setting("root_category")
            }
            Why::Archived => reason!("products.archived", number = number, total = total),
        }
    }

    fn hidden(&self) -> Reason {
        reason!("products.hidden").credential(TOKEN)
    }

    fn aside(&mut self) -> &mut Aside {
        &mut self.aside
    }

    fn begin(&self) -> Result<(), Fault> {
        webhooks::tend(&self.context.api)
    }

    fn end(&self) {
        images::start_over();
    }
}
