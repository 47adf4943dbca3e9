//! `tenon backup` and `tenon restore`.

use super::{Exit, args, door};
use crate::backup::{self, Done};

pub fn backup(args: &args::Backup) -> anyhow::Result<Exit> {
    let done = backup::make(&args.data, &args.to, args.tenant.as_ref(), args.with_key)?;
    let exit = tell(&done, args.json)?;
    if !done.key && args.tenant.is_none() {
        super::complain(format_args!(
            "the key of the stored credentials is not in the backup: keep the file `key` or \
             TENON_KEY elsewhere, or add --with-key"
        ));
    }
    Ok(exit)
}

pub fn restore(args: &args::Restore) -> anyhow::Result<Exit> {
    let _lock = door::lock_out(&args.data)?;
    let done = match &args.tenant {
        Some(tenant) => backup::restore_tenant(&args.data, &args.from, tenant)?,
        None => backup::restore(&args.data, &args.from)?,
    };
    let exit = tell(&done, args.json)?;
    if !done.key && args.tenant.is_none() {
        super::complain(format_args!(
            "the key of the stored credentials was not in the backup: put the file `key` back into \
             the data folder with mode 600, or set TENON_KEY"
        ));
    }
    Ok(exit)
}

/// Prints what was copied, and what was not.
fn tell(done: &Done, json: bool) -> anyhow::Result<Exit> {
    if json {
        super::say(format_args!("{}\n", serde_json::to_string(done)?))?;
    } else {
        super::say(format_args!(
            "tenants copied and checked: {}\n",
            done.tenants.len()
        ))?;
    }
    for left_out in &done.left_out {
        super::complain(format_args!(
            "tenon: left out {}: {}",
            left_out.file, left_out.why
        ));
    }
    Ok(match done.left_out.as_slice() {
        [] => Exit::Done,
        _ => Exit::SomeFailed,
    })
}
