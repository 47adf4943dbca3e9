//! The positions of a document that is there: changed, deleted and added one by one.
//!
//! Changes and deletions can be repeated. Additions cannot: MoySklad would add them again. So when
//! it is not known whether they were made, the positions are read and what is missing is added.

use std::collections::HashSet;

use tenon_sdk::model::{Fault, FieldChange};
use uuid::Uuid;

use super::{Parcel, Sender};
use crate::api::fields::Fields;
use crate::api::records::Position;
use crate::api::{PAGE as ROWS, Refusal};
use crate::map::order::{self, Changed, Pairing};

/// Positions of one order that a run changes: MoySklad bans who changes one object more than a
/// hundred times a minute.
const CHANGES: usize = 90;

/// How often positions are added when it is not known whether they were.
const ATTEMPTS: usize = 3;

/// What is done to the positions of a document.
#[derive(Default)]
pub struct Moves {
    /// Positions that get other figures.
    pub changed: Vec<Changed>,
    /// Positions that are new.
    pub added: Vec<Fields>,
    /// Positions that go.
    pub removed: Vec<Uuid>,
    /// Lines whose position is gone or goes.
    pub gone: Vec<String>,
    /// Lines whose position is left to the next run.
    pub left: HashSet<String>,
    /// Positions that are somebody else's.
    pub others: Vec<Uuid>,
}

impl Moves {
    fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.added.is_empty() && self.removed.is_empty()
    }
}

impl Sender<'_> {
    /// Decides what is done to the positions; answers with what people are told of it.
    pub fn plan(&self, parcel: &mut Parcel, rows: &[Position]) -> Vec<FieldChange> {
        let delete_refused = self.context.settings.delete_refused;
        let pairing = match parcel.print {
            Some(_) => Pairing::Figures,
            None => Pairing::Product(&[]),
        };
        let mut outcome =
            order::positions(&parcel.draft, &parcel.agreed, rows, pairing, delete_refused);
        let left = outcome.changed.len().min(CHANGES);
        let left = outcome.changed.split_off(left).into_iter();
        parcel.moves = Moves {
            changed: outcome.changed,
            added: outcome.added,
            removed: outcome.removed,
            gone: outcome.gone,
            left: left.map(|changed| changed.line).collect(),
            others: outcome.others,
        };
        outcome.changes
    }

    /// Brings the positions of a document in line.
    pub fn write_positions(&self, parcel: &mut Parcel) -> Result<Result<(), Refusal>, Fault> {
        let (api, kind) = (&self.context.api, self.flow.kind());
        let Some(id) = parcel.id.filter(|_| !api.is_preview()) else {
            return Ok(Ok(()));
        };
        let wanted = parcel.draft.lines.iter().filter(|line| !line.refused);
        if parcel.is_new && wanted.count() > ROWS {
            let rows = api.positions(kind, id)?;
            self.plan(parcel, &rows);
        }
        let mut attempt = 1;
        loop {
            match self.move_positions(id, &parcel.moves) {
                Err(Fault::Transient(_))
                    if attempt < ATTEMPTS && !parcel.moves.added.is_empty() =>
                {
                    attempt += 1;
                    let rows = api.positions(kind, id)?;
                    self.plan(parcel, &rows);
                }
                outcome => return outcome,
            }
        }
    }

    fn move_positions(&self, id: Uuid, moves: &Moves) -> Result<Result<(), Refusal>, Fault> {
        let (api, kind) = (&self.context.api, self.flow.kind());
        if moves.is_empty() {
            return Ok(Ok(()));
        }
        for one in &moves.changed {
            let outcome = api.change_position(kind, id, one.position, &one.fields)?;
            if outcome.is_err() {
                return Ok(outcome);
            }
        }
        let outcome = api.delete_positions(kind, id, &moves.removed)?;
        if outcome.is_err() {
            return Ok(outcome);
        }
        api.add_positions(kind, id, &moves.added)
    }
}
