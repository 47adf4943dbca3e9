//! What people see of the counterpart on an order: its document there, and why it could not be sent.

use crate::erp::orders;
use crate::model::{Fault, LinkedDocument, Reason};

/// Puts documents and an error on an order, unless the platform has no place for them.
///
/// # Errors
/// A fault that has nothing to do with the order.
pub fn annotate(
    key: &str,
    documents: &[LinkedDocument],
    error: Option<&Reason>,
) -> Result<(), Fault> {
    match orders::annotate(key, documents, error) {
        Err(fault @ (Fault::Transient(_) | Fault::Configuration(_))) => Err(fault),
        _ => Ok(()),
    }
}

/// Shows our document, or none any more, beside those of other counterparts; nothing is wrong with the
/// order then.
///
/// # Errors
/// A fault that has nothing to do with the order.
pub fn show(
    key: &str,
    shown: &[LinkedDocument],
    is_ours: impl Fn(&str) -> bool,
    document: Option<LinkedDocument>,
) -> Result<(), Fault> {
    let others = shown.iter().filter(|one| !is_ours(&one.origin)).cloned();
    let documents: Vec<LinkedDocument> = others.chain(document).collect();
    annotate(key, &documents, None)
}
