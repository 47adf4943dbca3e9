//! The tree of categories: folders of MoySklad under the chosen category of the site.

use std::collections::HashSet;

use tenon_sdk::flow::tree::{self, Folder};
use tenon_sdk::model::{Fault, Outcome};
use tenon_sdk::{info, reason};
use uuid::Uuid;

use super::Context;
use crate::api::TOKEN;
use crate::api::meta::{Kind, origin};

/// Runs the job.
pub fn run(context: &Context) -> Result<Outcome, Fault> {
    let settings = &context.settings;
    if !settings.categories {
        info!(reason!("categories.off").setting("categories"));
        return Ok(Outcome::Done);
    }
    let (folders, root) = folders(context)?;
    tree::run(
        &folders,
        root,
        settings.site_category.as_ref(),
        |id| origin(Kind::ProductFolder.word(), id),
        |number, total| {
            reason!("categories.gone", number = number, total = total).credential(TOKEN)
        },
    )?;
    Ok(Outcome::Done)
}

/// The folders from which the settings take products; none where they take all.
///
/// # Errors
/// The fault of a request; `configuration` when the chosen folder is not there.
pub fn branch(context: &Context) -> Result<Option<HashSet<Uuid>>, Fault> {
    if context.settings.root_category.is_none() {
        return Ok(None);
    }
    let (folders, root) = folders(context)?;
    Ok(root.map(|root| tree::branch(&folders, root)))
}

/// All folders, and the chosen one, which is one of them.
fn folders(context: &Context) -> Result<(Vec<Folder<Uuid>>, Option<Uuid>), Fault> {
    let folders = context.api.folders("archived=true;archived=false")?;
    let root = context.settings.root_category;
    if root.is_some_and(|root| !folders.iter().any(|folder| folder.id == root)) {
        let reason = reason!("categories.no-root").setting("root_category");
        return Err(Fault::Configuration(reason));
    }
    Ok((folders, root))
}
