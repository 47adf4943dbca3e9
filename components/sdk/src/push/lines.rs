//! The lines of a document that is kept up at a counterpart, where people work on it, too.
//!
//! A position is known by its line, never by its product, so two lines with one product stay two.
//! Positions are changed, added and deleted one by one: the whole list, written over, would take
//! away what people at the counterpart have entered meanwhile. What they took away comes back only
//! when its line changes, and no position goes below what was delivered of it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use rust_decimal::Decimal;

use super::Fields;
use crate::model::FieldChange;

/// A position of a document, as the counterpart has it.
pub trait Position {
    /// What tells a position from all others, and goods from other goods.
    type Id: Copy + Eq + Hash;

    /// The fields that hold how much is ordered and how much of that is reserved.
    const QUANTITY: &'static str;
    /// See there.
    const RESERVE: &'static str;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// What is ordered.
    fn item(&self) -> Option<Self::Id>;

    /// How much of it was delivered.
    fn delivered(&self) -> Decimal;

    /// Whether it has the figures of a position that was sent.
    fn is_like(&self, sent: &Fields) -> bool;
}

/// A line on its way.
#[derive(Debug)]
pub struct Line<I> {
    /// Its id within the order.
    pub id: String,
    /// Nobody wants it any more.
    pub refused: bool,
    /// What is ordered; none where it does not matter.
    pub product: Option<I>,
    /// The position.
    pub fields: Fields,
}

/// A line as a document was last given it.
#[derive(Clone, Debug)]
pub struct Agreed<I> {
    /// Its position, as far as that is known.
    pub position: Option<I>,
    /// What was sent.
    pub print: Option<Vec<u8>>,
}

/// What has to be done to the positions of a document.
#[derive(Debug)]
pub struct Outcome<I> {
    /// Positions that get other figures.
    pub changed: Vec<Changed<I>>,
    /// Positions that are new.
    pub added: Vec<Added>,
    /// Positions that go.
    pub removed: Vec<I>,
    /// What changes, in words: name of the field, before and after.
    pub changes: Vec<FieldChange>,
    /// Lines whose position is gone or goes.
    pub gone: Vec<String>,
    /// Lines with the positions that they have and keep.
    pub placed: Vec<(String, I)>,
    /// Lines of which less is wanted than was delivered, with that: their positions keep it.
    pub delivered: Vec<(String, Decimal)>,
}

/// A position that is new.
#[derive(Debug)]
pub struct Added {
    /// Its line.
    pub line: String,
    /// All that it should have.
    pub fields: Fields,
}

/// A position that gets other figures.
#[derive(Debug)]
pub struct Changed<I> {
    /// Its line.
    pub line: String,
    /// Its id.
    pub position: I,
    /// All that it should have.
    pub fields: Fields,
}

/// What is known of a document whose positions are looked at, and so how lines are paired with those
/// that nobody has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is bound: by product and figures alone. What is not known there is most probably somebody
    /// else's, or ours from a try whose outcome was lost.
    Bound,
    /// It was found, and people may have changed it: by product and figures and then by product.
    Strange,
    /// It was found as we have made it in a try whose outcome was lost: all of its positions are ours.
    Own,
}

/// Pairs lines with the positions of a document; those that are known by what is known. A line whose
/// position is gone may have got another one in a try whose outcome was lost.
pub fn pair<P: Position>(
    lines: &[Line<P::Id>],
    agreed: &HashMap<String, Agreed<P::Id>>,
    rows: &[P],
    found: Found,
) -> Vec<Option<usize>> {
    let known = |line: &Line<P::Id>| agreed.get(&line.id).and_then(|agreed| agreed.position);
    let taken: HashSet<P::Id> = agreed
        .values()
        .filter_map(|agreed| agreed.position)
        .collect();
    let by_id: HashMap<P::Id, usize> = (0..)
        .zip(rows)
        .map(|(place, row)| (row.id(), place))
        .collect();
    let mut free: HashMap<P::Id, VecDeque<usize>> = HashMap::new();
    for (place, row) in rows.iter().enumerate() {
        if let Some(product) = row.item().filter(|_| !taken.contains(&row.id())) {
            free.entry(product).or_default().push_back(place);
        }
    }
    let mut places: Vec<Option<usize>> = lines
        .iter()
        .map(|line| by_id.get(&known(line)?).copied())
        .collect();
    type Wants<'w, I> = &'w dyn Fn(&Line<I>) -> bool;
    let mut round = |wants: Wants<'_, P::Id>, fits: &dyn Fn(&Line<P::Id>, &P) -> bool| {
        for (line, place) in lines.iter().zip(&mut places) {
            if place.is_none()
                && wants(line)
                && let Some(free) = line.product.and_then(|product| free.get_mut(&product))
                && let Some(first) = free.iter().position(|place| fits(line, &rows[*place]))
            {
                *place = free.remove(first);
            }
        }
    };
    round(&|line| !line.refused, &|line, row| {
        row.is_like(&line.fields)
    });
    if found != Found::Bound {
        round(&|line| !line.refused && known(line).is_none(), &|_, _| true);
        // What is refused was mostly never sent, so it comes last.
        round(&|line| line.refused && known(line).is_none(), &|_, _| true);
    }
    places
}

/// Whether the lines ask for another set of positions than was agreed.
pub fn differ<I>(
    lines: &[Line<I>],
    agreed: &HashMap<String, Agreed<I>>,
    delete_refused: bool,
) -> bool {
    let ids: HashSet<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    let gone = agreed.keys().any(|id| !ids.contains(id.as_str()));
    gone || lines.iter().any(|line| match agreed.get(&line.id) {
        Some(_) if line.refused && delete_refused => true,
        Some(agreed) => !line.fields.since(agreed.print.as_deref()).is_empty(),
        None => !line.refused,
    })
}

/// Decides what has to be done to the positions of a document. Those that people put there stay as
/// they are; one that people took away comes back only when its line changes. What was delivered stays:
/// no position goes below that.
pub fn positions<P: Position>(
    lines: &[Line<P::Id>],
    agreed: &HashMap<String, Agreed<P::Id>>,
    rows: &[P],
    found: Found,
    delete_refused: bool,
) -> Outcome<P::Id> {
    let pairs = pair(lines, agreed, rows, found);
    let mut outcome = Outcome::default();
    for (line, place) in lines.iter().zip(&pairs) {
        let known = agreed.get(&line.id);
        let kept = known.and_then(|agreed| agreed.print.as_deref());
        match place.map(|place| &rows[place]) {
            Some(row) if line.refused && delete_refused => {
                outcome.remove(&line.id, row, kept);
            }
            Some(row) => {
                let unchanged = match kept {
                    None if !line.refused => row.is_like(&line.fields),
                    _ => line.fields.since(kept).is_empty(),
                };
                if !unchanged {
                    outcome.change(line, row, kept);
                }
                outcome.placed.push((line.id.clone(), row.id()));
            }
            None if line.refused => {
                if known.is_some() {
                    outcome.say(&line.id, kept, None);
                    outcome.gone.push(line.id.clone());
                }
            }
            None => {
                let unchanged = known.is_some() && line.fields.since(kept).is_empty();
                if !unchanged {
                    outcome.say(&line.id, kept, Some(&line.fields));
                    outcome.added.push(Added {
                        line: line.id.clone(),
                        fields: line.fields.clone(),
                    });
                }
            }
        }
    }
    let ids: HashSet<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    for (id, was) in agreed {
        if ids.contains(id.as_str()) {
            continue;
        }
        match rows.iter().find(|row| Some(row.id()) == was.position) {
            Some(row) => outcome.remove(id, row, was.print.as_deref()),
            None => {
                outcome.say(id, was.print.as_deref(), None);
                outcome.gone.push(id.clone());
            }
        }
    }
    if found == Found::Own {
        let claimed: HashSet<usize> = pairs.into_iter().flatten().collect();
        for (_, row) in (0..)
            .zip(rows)
            .filter(|(place, _)| !claimed.contains(place))
        {
            outcome.say("?", None, None);
            outcome.removed.push(row.id());
        }
    }
    outcome
}

/// The lines whose positions were added, with their ids.
pub fn place<P: Position>(added: &[Added], rows: &[P]) -> Vec<(String, P::Id)> {
    let mut free: Vec<&P> = rows.iter().collect();
    let placed = added.iter().filter_map(|added| {
        let place = free.iter().position(|row| row.is_like(&added.fields))?;
        Some((added.line.clone(), free.remove(place).id()))
    });
    placed.collect()
}

/// A position that was added for a line, and the same one that somebody else had added just before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin<I> {
    /// The line.
    pub line: String,
    /// Ours, which goes.
    pub ours: I,
    /// Theirs, which the line has from then on.
    pub theirs: I,
}

/// Of the positions that were just added, those that somebody else has added as well: another connection
/// may send the same lines at the same moment. `before` are those that were there when it was decided
/// what to add, `rows` those that are there now, in the order in which they came. Whoever came later
/// gives way, and has seen both by then, so one of the two always stays.
pub fn twins<P: Position>(
    added: &[Added],
    placed: &[(String, P::Id)],
    before: &HashSet<P::Id>,
    rows: &[P],
) -> Vec<Twin<P::Id>> {
    let mut taken: HashSet<P::Id> = placed.iter().map(|(_, id)| *id).collect();
    let mut twins = Vec::new();
    for one in added {
        let placed = placed.iter().find(|(line, _)| *line == one.line);
        let Some((place, ours)) = placed.and_then(|(_, id)| {
            let place = rows.iter().position(|row| row.id() == *id)?;
            Some((place, &rows[place]))
        }) else {
            continue;
        };
        let mut earlier = rows[..place].iter();
        let theirs = earlier.find(|row| {
            let is_new = !before.contains(&row.id()) && !taken.contains(&row.id());
            is_new && row.item() == ours.item() && row.is_like(&one.fields)
        });
        if let Some(theirs) = theirs {
            taken.insert(theirs.id());
            twins.push(Twin {
                line: one.line.clone(),
                ours: ours.id(),
                theirs: theirs.id(),
            });
        }
    }
    twins
}

impl<I> Default for Outcome<I> {
    fn default() -> Outcome<I> {
        Outcome {
            changed: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
            changes: Vec::new(),
            gone: Vec::new(),
            placed: Vec::new(),
            delivered: Vec::new(),
        }
    }
}

impl<I> Outcome<I> {
    fn say(&mut self, line: &str, kept: Option<&[u8]>, after: Option<&Fields>) {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        self.changes.push(FieldChange {
            field: format!("line {line}"),
            before: kept.map(|kept| text(kept.to_owned())),
            after: after.map(|fields| text(fields.print())),
        });
    }

    /// A position gets the figures of its line.
    fn change<P: Position<Id = I>>(&mut self, line: &Line<I>, row: &P, kept: Option<&[u8]>) {
        let mut fields = line.fields.clone();
        let delivered = row.delivered();
        if !delivered.is_zero() {
            let wanted = fields.number(P::QUANTITY);
            if wanted.is_some_and(|wanted| wanted < delivered) {
                self.delivered.push((line.id.clone(), delivered));
                fields = fields.with_number(P::QUANTITY, delivered);
            }
            let left = fields
                .number(P::QUANTITY)
                .map(|quantity| quantity - delivered);
            if let (Some(reserve), Some(left)) = (fields.number(P::RESERVE), left) {
                fields = fields.with_number(P::RESERVE, reserve.min(left));
            }
        }
        self.say(&line.id, kept, Some(&fields));
        self.changed.push(Changed {
            line: line.id.clone(),
            position: row.id(),
            fields,
        });
    }

    /// A position goes, or stays with what was delivered of it.
    fn remove<P: Position<Id = I>>(&mut self, line: &str, row: &P, kept: Option<&[u8]>) {
        self.gone.push(line.to_owned());
        let delivered = row.delivered();
        if delivered.is_zero() {
            self.say(line, kept, None);
            self.removed.push(row.id());
            return;
        }
        self.delivered.push((line.to_owned(), delivered));
        let fields = Fields::default()
            .with_number(P::QUANTITY, delivered)
            .with(P::RESERVE, 0);
        self.say(line, kept, Some(&fields));
        self.changed.push(Changed {
            line: line.to_owned(),
            position: row.id(),
            fields,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rust_decimal::Decimal;

    use super::{Added, Fields, Position, Twin, twins};

    /// Its id, what is ordered, and how much of it.
    #[derive(Debug)]
    struct Row(u32, u32, &'static str);

    impl Position for Row {
        type Id = u32;

        const QUANTITY: &'static str = "quantity";
        const RESERVE: &'static str = "reserve";

        fn id(&self) -> u32 {
            self.0
        }

        fn item(&self) -> Option<u32> {
            Some(self.1)
        }

        fn delivered(&self) -> Decimal {
            Decimal::ZERO
        }

        fn is_like(&self, sent: &Fields) -> bool {
            sent.get("quantity").map(|one| one.get()) == Some(self.2)
        }
    }

    fn added(line: &str, quantity: u32) -> Added {
        Added {
            line: line.to_owned(),
            fields: Fields::default().with("quantity", quantity),
        }
    }

    #[test]
    fn of_one_line_that_two_have_added_the_later_gives_way() {
        let rows = [Row(7, 1, "1"), Row(9, 1, "1"), Row(8, 1, "1")];
        let before = HashSet::from([7]);
        let mine = |id: u32| twins(&[added("a", 1)], &[("a".to_owned(), id)], &before, &rows);
        assert_eq!(mine(9), []);
        let twin = Twin {
            line: "a".to_owned(),
            ours: 8,
            theirs: 9,
        };
        assert_eq!(mine(8), [twin]);
    }

    #[test]
    fn two_lines_of_one_order_and_other_goods_are_no_twins() {
        let rows = [
            Row(1, 1, "1"),
            Row(2, 2, "1"),
            Row(3, 1, "1"),
            Row(4, 1, "2"),
        ];
        let placed = [
            ("a".to_owned(), 1),
            ("b".to_owned(), 3),
            ("c".to_owned(), 4),
        ];
        let lines = [added("a", 1), added("b", 1), added("c", 2)];
        assert_eq!(twins(&lines, &placed, &HashSet::new(), &rows), []);
    }
}
