//! Sends request after request, to have its counterpart ban the tenant or send a bill.

use tenon_hostile_guests::{Attack, guest, http, info, setting};
use tenon_sdk::model::Fault;

guest!(Guest);

impl Attack for Guest {
    fn run(_argument: &str) -> Result<(), Fault> {
        let url = setting("url");
        let (answered, refused): (Vec<_>, Vec<_>) = (0..30)
            .map(|_| http::get(&url, &[]))
            .partition(Result::is_ok);
        info!("{} answered, {} refused", answered.len(), refused.len());
        Ok(())
    }
}
