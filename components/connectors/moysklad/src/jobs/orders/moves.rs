//! The positions of a document that is there: changed, deleted and added one by one.
//!
//! Changes and deletions can be repeated. Additions cannot: MoySklad would add them again. So when
//! it is not known whether they were made, the positions are read and what is missing is added.

use std::collections::HashSet;

use tenon_sdk::model::{Fault, FieldChange, Reason};
use tenon_sdk::push::lines::{self, Added, Found};
use tenon_sdk::reason;
use uuid::Uuid;

use super::{Parcel, Sender};
use crate::api::Refusal;
use crate::api::fields::Fields;

/// Positions of one order that a run changes: MoySklad bans who changes one object more than a
/// hundred times a minute.
const CHANGES: usize = 90;

/// How often positions are added when it is not known whether they were.
const ATTEMPTS: usize = 3;

/// What is done to the positions of a document.
#[derive(Default)]
pub struct Moves {
    /// Positions that get other figures.
    pub changed: Vec<lines::Changed<Uuid>>,
    /// Positions that are new.
    pub added: Vec<Added>,
    /// Positions that go.
    pub removed: Vec<Uuid>,
    /// Lines whose position is gone or goes.
    pub gone: Vec<String>,
    /// Lines whose position is left to the next run.
    pub left: HashSet<String>,
    /// Lines with their positions.
    pub placed: Vec<(String, Uuid)>,
    /// What people should know.
    pub remarks: Vec<Reason>,
}

impl Sender<'_> {
    /// Decides what is done to the positions of a document that was read; answers with what people
    /// are told of it.
    pub fn plan(&self, parcel: &mut Parcel) -> Vec<FieldChange> {
        let Some(document) = &parcel.document else {
            return Vec::new();
        };
        let found = match parcel.print {
            Some(_) => Found::Bound,
            None if document.is_untouched() => Found::Own,
            None => Found::Strange,
        };
        // Of a document that stays although it should go, the reserve alone is freed.
        let delete_refused = self.context.settings.delete_refused && !parcel.goes;
        let rows = &document.positions.rows;
        let mut outcome = lines::positions(
            &parcel.draft.lines,
            &parcel.agreed,
            rows,
            found,
            delete_refused,
        );
        let left = outcome.changed.len().min(CHANGES);
        let left = outcome.changed.split_off(left).into_iter();
        parcel.moves = Moves {
            changed: outcome.changed,
            added: outcome.added,
            removed: outcome.removed,
            gone: outcome.gone,
            left: left.map(|changed| changed.line).collect(),
            placed: outcome.placed,
            remarks: (outcome.delivered.into_iter())
                .map(|(line, shipped)| {
                    reason!("order.line-shipped", line = line, shipped = shipped)
                })
                .collect(),
        };
        outcome.changes
    }

    /// Brings the positions of a document in line.
    pub fn write_positions(&self, parcel: &mut Parcel) -> Result<Result<(), Refusal>, Fault> {
        let api = &self.context.api;
        let Some(id) = parcel.id.filter(|_| !api.is_preview()) else {
            return Ok(Ok(()));
        };
        if parcel.is_new {
            // The answer has the positions that went along.
            self.read_positions(parcel, id, false)?;
        }
        let mut attempt = 1;
        loop {
            match self.move_positions(id, &mut parcel.moves) {
                Err(Fault::Transient(_))
                    if attempt < ATTEMPTS && !parcel.moves.added.is_empty() =>
                {
                    attempt += 1;
                    self.read_positions(parcel, id, true)?;
                }
                outcome => return outcome,
            }
        }
    }

    /// Decides on the positions of a document as it is now.
    fn read_positions(&self, parcel: &mut Parcel, id: Uuid, anew: bool) -> Result<(), Fault> {
        if let Some(document) = &mut parcel.document
            && (anew || !document.positions.is_whole())
        {
            document.positions.rows = self.context.api.positions(self.flow.kind(), id)?;
        }
        self.plan(parcel);
        Ok(())
    }

    fn move_positions(&self, id: Uuid, moves: &mut Moves) -> Result<Result<(), Refusal>, Fault> {
        let (api, kind) = (&self.context.api, self.flow.kind());
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
        let added: Vec<Fields> = (moves.added.iter())
            .map(|added| added.fields.clone())
            .collect();
        match api.add_positions(kind, id, &added)? {
            Ok(rows) => {
                moves.placed.extend(lines::place(&moves.added, &rows));
                Ok(Ok(()))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    /// Another connection may have added the same lines to the same documents at the same moment: where
    /// it was there before us, our positions go and its own are the lines'.
    pub fn give_way(&self, parcels: &mut [Parcel]) -> Result<(), Fault> {
        let grown = |parcel: &Parcel| !parcel.moves.added.is_empty();
        let ids = parcels.iter().filter(|parcel| grown(parcel));
        let ids: Vec<Uuid> = ids.filter_map(|parcel| parcel.id).collect();
        if ids.is_empty() || self.context.api.is_preview() {
            return Ok(());
        }
        let present = self.documents(&ids)?;
        for parcel in parcels.iter_mut().filter(|parcel| grown(parcel)) {
            let document = parcel.id.and_then(|id| present.get(&id));
            let (Some(now), Some(before)) = (document, &parcel.document) else {
                continue;
            };
            let before = before.positions.rows.iter().map(|row| row.id).collect();
            let moves = &mut parcel.moves;
            let twins = lines::twins(&moves.added, &moves.placed, &before, &now.positions.rows);
            let ours: Vec<Uuid> = twins.iter().map(|twin| twin.ours).collect();
            // One that cannot be deleted is in use already, and people see both.
            if (self
                .context
                .api
                .delete_positions(self.flow.kind(), now.id, &ours)?)
            .is_err()
            {
                continue;
            }
            for (_, id) in &mut moves.placed {
                if let Some(twin) = twins.iter().find(|twin| twin.ours == *id) {
                    *id = twin.theirs;
                }
            }
        }
        Ok(())
    }
}
