//! `tenon load`: records from a JSON file into the embedded ERP.

use anyhow::Context as _;
use tenon_erp::Kind;

use super::{Exit, args, site};

pub async fn load(args: args::Load) -> anyhow::Result<Exit> {
    let kind: Kind = args.kind.parse()?;
    let file = args.file.display();
    let text = std::fs::read_to_string(&args.file).with_context(|| file.to_string())?;
    let records = serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))?;
    let erp = site::erp(&args.place.data)?;
    let loaded = (erp.load(&args.place.tenant, kind, records).await)
        .with_context(|| format!("{file}: nothing was loaded"))?;
    super::say(format_args!(
        "{kind}: created {}  updated {}  unchanged {}\n",
        loaded.created, loaded.updated, loaded.unchanged
    ))?;
    Ok(Exit::Done)
}
