//! `tenon backup` and `tenon restore`.

use tenon_host::reason::Reason;

use super::language::{self, Language};
use super::{Exit, args, door, one_line};
use crate::backup::{self, Done};

pub fn backup(args: &args::Backup, language: Language) -> anyhow::Result<Exit> {
    let done = backup::make(&args.data, &args.to, args.tenant.as_ref(), args.with_key)?;
    let exit = tell(&done, args.json, language)?;
    if !done.key && args.tenant.is_none() {
        super::complain(language::say(
            &Reason::new("server.backup-no-key"),
            language,
        ));
    }
    Ok(exit)
}

pub fn restore(args: &args::Restore, language: Language) -> anyhow::Result<Exit> {
    let _lock = door::lock_out(&args.data)?;
    let done = match &args.tenant {
        Some(tenant) => backup::restore_tenant(&args.data, &args.from, tenant)?,
        None => backup::restore(&args.data, &args.from)?,
    };
    let exit = tell(&done, args.json, language)?;
    if !done.key && args.tenant.is_none() {
        super::complain(language::say(
            &Reason::new("server.restore-no-key"),
            language,
        ));
    }
    Ok(exit)
}

/// Prints what was copied, and what was not.
fn tell(done: &Done, json: bool, language: Language) -> anyhow::Result<Exit> {
    if json {
        super::say(format_args!("{}\n", serde_json::to_string(done)?))?;
    } else {
        let copied = Reason::new("server.backup-done").arg("number", done.tenants.len());
        super::say(format_args!("{}\n", language::say(&copied, language)))?;
    }
    for left_out in &done.left_out {
        let file = Reason::new("server.left-out").arg("file", &left_out.file);
        let file = language::say(&file, language);
        let why = one_line(&left_out.why, language);
        super::complain(format_args!("tenon: {file}: {why}"));
    }
    Ok(match done.left_out.as_slice() {
        [] => Exit::Done,
        _ => Exit::SomeFailed,
    })
}
