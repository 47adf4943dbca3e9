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

/// After so many failures in a row it has to be seen whether the counterpart gives anything at all.
const DOUBTFUL: usize = 2;

/// Reads page `page` of pages of the first of `sizes`. Each size divides the one before, so that the
/// smaller pages are parts of the larger one. `ask` sends the request for a page of a size, `rows` tells
/// how many records an answer has.
///
/// # Errors
/// The fault of a request, where it is none that one record could have caused, or where the counterpart
/// gives nothing at all.
pub fn read(
    sizes: &[u64],
    page: u64,
    ask: impl Fn(u64, u64) -> Result<Answer, Fault>,
    rows: impl Fn(&Answer, u64, u64) -> Result<u64, Fault>,
) -> Result<Vec<Piece>, Fault> {
    let Some((whole, smaller)) = sizes.split_first() else {
        return Ok(Vec::new());
    };
    match ask(page, *whole) {
        Ok(answer) => return Ok(vec![Piece::Read(answer, page, *whole)]),
        Err(fault) if of_one_record(&fault).is_some() && !smaller.is_empty() => {}
        Err(fault) => return Err(fault),
    }
    let mut failures = 1;
    let mut end = u64::MAX;
    let mut pieces = Vec::new();
    let mut size = *whole;
    let mut broken = vec![(page - 1) * whole];
    // All parts of one size, then the parts of those among them that failed.
    for (depth, part) in smaller.iter().enumerate() {
        let is_smallest = depth + 1 == smaller.len();
        let parts = broken
            .iter()
            .flat_map(|from| (*from..from + size).step_by(*part as usize));
        let mut failed = Vec::new();
        for offset in parts {
            if offset >= end {
                continue;
            }
            if failures >= DOUBTFUL {
                // Any record but the first, over which it may stumble as well.
                ask(2, sizes.last().copied().unwrap_or(1))?;
                failures = 0;
            }
            let page = offset / part + 1;
            let read = ask(page, *part).and_then(|answer| {
                let rows = rows(&answer, page, *part)?;
                Ok((answer, rows))
            });
            match read {
                Ok((answer, rows)) => {
                    failures = 0;
                    if rows < *part {
                        end = offset + part;
                    }
                    pieces.push((offset, Piece::Read(answer, page, *part)));
                }
                Err(fault) => {
                    let Some(reason) = of_one_record(&fault).cloned() else {
                        return Err(fault);
                    };
                    failures += 1;
                    if is_smallest {
                        pieces.push((offset, Piece::Broken(reason)));
                    } else {
                        failed.push(offset);
                    }
                }
            }
        }
        broken = failed;
        size = *part;
    }
    pieces.sort_by_key(|(offset, _)| *offset);
    Ok(pieces.into_iter().map(|(_, piece)| piece).collect())
}

/// Why an answer did not come, where one record may be the cause: the counterpart's program broke over
/// it, or what it wrote cannot be read. A counterpart that is overloaded or away says so otherwise.
pub fn of_one_record(fault: &Fault) -> Option<&Reason> {
    let Fault::Transient(reason) = fault else {
        return None;
    };
    let status = reason.args.iter().find(|(name, _)| name == "status");
    let is_broken = match reason.code.as_str() {
        "sdk.http.busy" => status.is_some_and(|(_, status)| status == "500"),
        code => code == "sdk.http.unreadable",
    };
    is_broken.then_some(reason)
}
