//! Tries every way to a file or a folder of the host. It may link the interfaces for that, as guests
//! of some languages do without using them; there is nothing behind them. The argument is a path on the
//! host where nothing is and where the host itself might write.

use std::fs;
use std::io::Write as _;

use tenon_hostile_guests::{Attack, guest, info};
use tenon_sdk::model::Fault;
use wasip2::filesystem::preopens;

guest!(Guest);

impl Attack for Guest {
    fn run(argument: &str) -> Result<(), Fault> {
        let mut tries = 0;
        let mut tried = |way: &str, got_in: bool| {
            tries += 1;
            if got_in {
                info!("got in: {way}");
            }
        };
        for (_, path) in preopens::get_directories() {
            tried(&format!("the folder {path}"), true);
        }
        for path in [
            "/etc/passwd",
            "/proc/self/environ",
            "../tenants",
            ".",
            "/",
            "",
        ] {
            tried(&format!("read {path}"), fs::read(path).is_ok());
            tried(&format!("list {path}"), fs::read_dir(path).is_ok());
            tried(&format!("look at {path}"), fs::metadata(path).is_ok());
            tried(&format!("follow {path}"), fs::read_link(path).is_ok());
        }
        for path in [argument, "trace", "../trace"] {
            let written = fs::File::create(path).and_then(|mut file| file.write_all(b"trace"));
            tried(&format!("write {path}"), written.is_ok());
            tried(&format!("make {path}"), fs::create_dir(path).is_ok());
            tried(
                &format!("move to {path}"),
                fs::rename("/etc/hosts", path).is_ok(),
            );
            tried(
                &format!("link to {path}"),
                fs::hard_link("/etc/hosts", path).is_ok(),
            );
            tried(
                &format!("copy to {path}"),
                fs::copy("/etc/hosts", path).is_ok(),
            );
            tried(&format!("remove {path}"), fs::remove_file(path).is_ok());
            tried(
                &format!("remove all of {path}"),
                fs::remove_dir_all(path).is_ok(),
            );
        }
        info!("tried {tries} ways");
        Ok(())
    }
}
