//! Reads a page that the counterpart cannot give as a whole in smaller ones, until only the record that
//! it stumbles over is left out.

use crate::http::Answer;
use crate::model::{Fault, Reason};

/// A part of a page.
pub enum Piece {
    /// It was read: the answer, the number of the page and its size.
    Read(Answer, u64, u64),
    /// One record that the counterpart cannot give.
    Broken(Reason),
}

/// So many failures in a row, from the largest size on, are no fault of one or two records any more.
const PATIENCE: usize = 6;

/// Reads page `page` of pages of the first of `sizes`. Each size divides the one before, so that the
/// smaller pages are parts of the larger one. `ask` sends the request for a page of a size, `rows` tells
/// how many records an answer has.
///
/// # Errors
/// The fault of a request, where it is none that one record could have caused, or where no part of
/// the page can be read.
pub fn read(
    sizes: &[u64],
    page: u64,
    ask: impl Fn(u64, u64) -> Result<Answer, Fault>,
    rows: impl Fn(&Answer, u64, u64) -> Result<u64, Fault>,
) -> Result<Vec<Piece>, Fault> {
    let Some((size, smaller)) = sizes.split_first() else {
        return Ok(Vec::new());
    };
    let fault = match ask(page, *size) {
        Ok(answer) => return Ok(vec![Piece::Read(answer, page, *size)]),
        Err(fault) if of_one_record(&fault).is_some() && !smaller.is_empty() => fault,
        Err(fault) => return Err(fault),
    };
    let mut split = Split {
        ask,
        rows,
        pieces: Vec::new(),
        is_alive: false,
        failures: 1,
    };
    split.parts((page - 1) * size, *size, smaller)?;
    // An empty list is no sign of life: all of its records may be broken, or all of its machinery.
    if split.is_alive {
        Ok(split.pieces)
    } else {
        Err(fault)
    }
}

struct Split<A, R> {
    ask: A,
    rows: R,
    pieces: Vec<Piece>,
    /// Whether any record was read.
    is_alive: bool,
    failures: usize,
}

impl<A, R> Split<A, R>
where
    A: Fn(u64, u64) -> Result<Answer, Fault>,
    R: Fn(&Answer, u64, u64) -> Result<u64, Fault>,
{
    /// Reads so many records from an offset on; says whether there may be more behind them.
    fn parts(&mut self, offset: u64, count: u64, sizes: &[u64]) -> Result<bool, Fault> {
        let Some((size, smaller)) = sizes.split_first() else {
            return Ok(true);
        };
        for part in 0..count / size {
            let offset = offset + part * size;
            let page = offset / size + 1;
            let rows = |answer: Answer| {
                let rows = (self.rows)(&answer, page, *size)?;
                Ok((answer, rows))
            };
            let more = match (self.ask)(page, *size).and_then(rows) {
                Ok((answer, rows)) => {
                    self.is_alive |= rows > 0;
                    self.pieces.push(Piece::Read(answer, page, *size));
                    rows >= *size
                }
                Err(fault) => {
                    let Some(reason) = of_one_record(&fault).cloned() else {
                        return Err(fault);
                    };
                    self.failures += 1;
                    if !self.is_alive && self.failures > PATIENCE {
                        return Err(fault);
                    }
                    if smaller.is_empty() {
                        self.pieces.push(Piece::Broken(reason));
                        true
                    } else {
                        self.parts(offset, *size, smaller)?
                    }
                }
            };
            if !more {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Why an answer did not come, where one record may be the cause: the counterpart's program broke over
/// it, or what it wrote cannot be read.
pub fn of_one_record(fault: &Fault) -> Option<&Reason> {
    let Fault::Transient(reason) = fault else {
        return None;
    };
    let status = reason.args.iter().find(|(name, _)| name == "status");
    let is_broken = match reason.code.as_str() {
        "sdk.http.busy" => status.is_some_and(|(_, status)| status.starts_with('5')),
        code => code == "sdk.http.unreadable",
    };
    is_broken.then_some(reason)
}
