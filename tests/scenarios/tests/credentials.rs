//! Stored credentials as admins and thieves meet them: what is used, what lies on the disk, and what
//! happens when a key is missing, open to others, replaced, or the process dies while replacing it.
#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_scenarios::target;
use tenon_simulators::keycrm::{self, Config, Simulator};

const SECRET: &str = "kc-4b1d0c5e9a7f42d8b6e3";
const ORDERS: usize = 5;

/// A data folder, the simulator that lets in [`SECRET`], and the command that works with both.
struct Site {
    folder: TempDir,
    sim: Simulator,
}

impl Site {
    fn new() -> Site {
        let sim = keycrm::start(Config {
            orders: ORDERS,
            api_key: SECRET.to_owned(),
            requests_per_minute: None,
            ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
            ..Config::default()
        });
        let site = Site {
            folder: tempfile::tempdir().expect("a folder"),
            sim: sim.expect("a simulator"),
        };
        let settings = json!({
            "base_url": site.sim.url(),
            "period": { "from": "2026-01-01", "to": "2026-12-31" },
            "default_partner": "walk-in",
        });
        fs::write(site.settings(), settings.to_string()).expect("a file");
        let partners = site.folder.path().join("partners.json");
        fs::write(&partners, r#"[{ "key": "walk-in", "name": "Покупець" }]"#).expect("a file");
        let mut load = site.command(&["load", "partners"]);
        done(load.arg(partners).args(["--tenant", "shop"]));
        site
    }

    /// With the credential of the tenant `shop` stored.
    fn with_stored_credential() -> Site {
        let site = Site::new();
        done(&mut site.set("shop", "api_key", SECRET));
        site
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("settings.json")
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn key_file(&self) -> PathBuf {
        self.data().join("key")
    }

    /// The keys in the key file.
    fn keys(&self) -> Vec<String> {
        let text = fs::read_to_string(self.key_file()).expect("a key file");
        text.lines().map(str::to_owned).collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(target().join("release/tenon"));
        command
            .env_remove("LC_ALL")
            .env_remove("LC_MESSAGES")
            .env("LANG", "C");
        command
            .env("TENON_COMPONENTS", target().join("components"))
            .env_remove("TENON_KEY")
            .args(arguments)
            .arg("--data")
            .arg(self.data());
        command
    }

    fn set(&self, tenant: &str, name: &str, secret: &str) -> Command {
        let mut command = self.command(&["credential", "set", "keycrm", name]);
        command.args(["--tenant", tenant, "--from", "env:SECRET"]);
        command.env("SECRET", secret);
        command
    }

    fn list(&self, tenant: &str) -> Value {
        let mut command = self.command(&["credential", "list", "--json", "--tenant", tenant]);
        serde_json::from_slice(&done(&mut command).stdout).expect("JSON")
    }

    fn remove(&self, tenant: &str, name: &str) -> Command {
        let mut command = self.command(&["credential", "remove", "keycrm", name]);
        command.args(["--tenant", tenant]);
        command
    }

    fn rotate(&self) -> Command {
        self.command(&["key", "rotate", "--json"])
    }

    /// A call into the connector for a tenant, without any credential on the command line.
    fn call(&self, call: &[&str], tenant: &str) -> Command {
        let origin = self.sim.url().trim_end_matches("/v1").to_owned();
        let mut command = self.command(call);
        command.args(["--tenant", tenant, "--no-budget", "--grant", &origin]);
        command.arg("--settings").arg(self.settings());
        command
    }

    /// Whether the counterpart lets the tenant in; for others, why not.
    fn check(&self, tenant: &str) -> Command {
        self.call(&["check", "keycrm"], tenant)
    }

    fn control(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.data().join("control.sqlite")).expect("a database")
    }

    /// What is stored for a tenant's credential.
    fn sealed(&self, tenant: &str) -> Vec<u8> {
        let sealed = "SELECT sealed FROM credentials WHERE tenant = ?1";
        (self.control())
            .query_row(sealed, [tenant], |row| row.get(0))
            .expect("one credential")
    }

    /// The files of the data folder that hold these bytes.
    fn files_with(&self, bytes: &[u8]) -> Vec<PathBuf> {
        let mut files = files(&self.data());
        assert!(files.len() > 1, "{files:?}");
        files.retain(|file| holds(&fs::read(file).expect("a file"), bytes));
        files
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let entries = entries.map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    memchr::memmem::find(bytes, what).is_some()
}

/// The secret as it could be written down: itself, and its base64 wherever it stands in a longer
/// text.
fn spellings() -> Vec<Vec<u8>> {
    let mut spellings = vec![SECRET.as_bytes().to_vec()];
    for engine in [STANDARD, URL_SAFE] {
        for shift in 0..3 {
            let longer = [&b"\0\0"[..shift], SECRET.as_bytes()].concat();
            let text = engine.encode(longer).into_bytes();
            // The first and the last group also hold what stands beside it.
            spellings.push(text[4 * usize::from(shift > 0)..text.len() - 4].to_vec());
        }
    }
    spellings
}

fn output(command: &mut Command) -> Output {
    command.output().expect("tenon is built")
}

/// The output of a command that ends with 0.
fn done(command: &mut Command) -> Output {
    let output = output(command);
    assert_eq!(Some(0), output.status.code(), "{command:?}: {output:?}");
    output
}

/// The error of a command that could not run: one line on standard error, exit status 2.
fn refusal(command: &mut Command) -> String {
    let output = output(command);
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(Some(2), output.status.code(), "{command:?}: {text}");
    assert_eq!(1, text.lines().count(), "{text}");
    text
}

fn resealed(command: &mut Command) -> u64 {
    let object: Value = serde_json::from_slice(&done(command).stdout).expect("JSON");
    object["resealed"].as_u64().expect("a number")
}

/// A key that nothing is sealed with.
fn new_key() -> String {
    STANDARD.encode(std::array::from_fn::<u8, 32, _>(|_| fastrand::u8(..)))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("my file");
}

fn mode(path: impl AsRef<Path>) -> u32 {
    let metadata = fs::metadata(path).expect("a file");
    metadata.permissions().mode() & 0o777
}

#[test]
fn a_stored_credential_is_used_where_none_is_given() {
    let site = Site::new();
    let error = refusal(&mut site.check("shop"));
    assert!(
        error.contains("`api_key` is missing") && error.contains("tenon credential set"),
        "{error}"
    );
    assert!(!site.key_file().exists(), "reading made a key");

    done(&mut site.set("shop", "api_key", SECRET));
    let run = done(&mut site.call(&["run", "keycrm", "orders", "--json"], "shop"));
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(ORDERS, report["created"]);
    done(&mut site.check("shop"));
    let choices = done(&mut site.call(&["choices", "keycrm", "statuses"], "shop"));
    assert!(!choices.stdout.is_empty());
}

#[test]
fn a_given_credential_wins_over_the_stored_one() {
    let site = Site::new();
    let given = |secret: &str| {
        let mut check = site.check("shop");
        check.args(["--credential", "api_key=env:GIVEN"]);
        check.env("GIVEN", secret);
        check
    };
    done(&mut site.set("shop", "api_key", "outdated"));
    refusal(&mut site.check("shop"));
    done(&mut given(SECRET));
    // Setting it again replaces it.
    done(&mut site.set("shop", "api_key", SECRET));
    done(&mut site.check("shop"));
    refusal(&mut given("outdated"));
}

#[test]
fn a_credential_comes_from_a_file_without_its_line_break() {
    let site = Site::new();
    let file = site.folder.path().join("secret.txt");
    let mut set = site.command(&["credential", "set", "keycrm", "api_key"]);
    let from = format!("file:{}", file.display());
    set.args(["--tenant", "shop", "--from", &from]);

    let error = refusal(&mut set);
    assert!(error.contains("secret.txt"), "{error}");
    fs::write(&file, "\n").unwrap();
    let error = refusal(&mut set);
    assert!(error.contains("secret.txt is empty"), "{error}");
    assert_eq!(json!([]), site.list("shop"));

    fs::write(&file, format!("{SECRET}\r\n")).unwrap();
    done(&mut set);
    done(&mut site.check("shop"));
}

#[test]
fn a_credential_is_for_its_tenant_and_connection_alone() {
    let site = Site::with_stored_credential();
    let missing = "`api_key` is missing";
    assert!(refusal(&mut site.check("other")).contains(missing));
    let branch = ["--connection", "branch"];
    assert!(refusal(site.check("shop").args(branch)).contains(missing));
    done(site.set("shop", "api_key", SECRET).args(branch));
    done(&mut site.remove("shop", "api_key"));
    done(site.check("shop").args(branch));
    assert!(refusal(&mut site.check("shop")).contains(missing));
}

#[test]
fn what_the_connector_does_not_declare_is_not_even_opened() {
    let site = Site::with_stored_credential();
    done(&mut site.set("shop", "leftover", "of an older version"));
    let spoilt = "UPDATE credentials SET sealed = x'00' WHERE name = 'leftover'";
    assert_eq!(1, site.control().execute(spoilt, []).unwrap());
    done(&mut site.check("shop"));
}

#[test]
fn stored_credentials_are_listed_by_name_and_removed() {
    let site = Site::new();
    assert_eq!(json!([]), site.list("shop"));
    for name in ["token", "api_key"] {
        done(&mut site.set("shop", name, SECRET));
    }
    done(
        site.set("shop", "api_key", SECRET)
            .args(["--connection", "branch"]),
    );
    done(&mut site.set("other", "api_key", SECRET));

    let listed = site.list("shop");
    let listed = listed.as_array().unwrap();
    let names = listed.iter().map(|credential| {
        let fields: Vec<_> = credential.as_object().unwrap().keys().collect();
        assert_eq!(["connection", "name", "changed_at"], fields[..]);
        let changed_at: jiff::Timestamp =
            credential["changed_at"].as_str().unwrap().parse().unwrap();
        assert!(changed_at <= jiff::Timestamp::now());
        ["connection", "name"].map(|field| credential[field].as_str().unwrap())
    });
    assert_eq!(
        [
            ["branch", "api_key"],
            ["keycrm", "api_key"],
            ["keycrm", "token"]
        ],
        names.collect::<Vec<_>>()[..]
    );
    let table = done(&mut site.command(&["credential", "list", "--tenant", "shop"])).stdout;
    assert_eq!(1 + 3, String::from_utf8(table).unwrap().lines().count());

    done(&mut site.remove("shop", "token"));
    let error = refusal(&mut site.remove("shop", "token"));
    for named in ["shop", "keycrm", "token", "tenon credential list"] {
        assert!(error.contains(named), "{error}");
    }
    assert_eq!(2, site.list("shop").as_array().unwrap().len());
    assert_eq!(1, site.list("other").as_array().unwrap().len());
}

#[test]
fn neither_the_disk_nor_the_screen_ever_holds_a_stored_secret() {
    let site = Site::new();
    let nowhere = |moment: &str, outputs: &[Output]| {
        for spelling in spellings() {
            let text = String::from_utf8_lossy(&spelling);
            let files = site.files_with(&spelling);
            assert!(files.is_empty(), "{moment}: {text} in {files:?}");
            for output in outputs {
                let told = holds(&output.stdout, &spelling) || holds(&output.stderr, &spelling);
                assert!(!told, "{moment}: {text} in {output:?}");
            }
        }
    };
    let set = done(&mut site.set("shop", "api_key", SECRET));
    nowhere("set", &[set]);
    let verbose = ["run", "keycrm", "orders", "--verbose"];
    let calls = [
        done(&mut site.call(&verbose, "shop")),
        done(&mut site.call(&["run", "keycrm", "orders", "--json"], "shop")),
        done(&mut site.check("shop")),
        done(&mut site.command(&["credential", "list", "--tenant", "shop"])),
    ];
    nowhere("calls", &calls);
    let broken = format!("{SECRET}-revoked");
    let set = done(&mut site.set("shop", "api_key", &broken));
    let refused = output(&mut site.check("shop"));
    assert_eq!(Some(2), refused.status.code(), "{refused:?}");
    nowhere("a refused credential", &[set, refused]);
    let rotated = done(&mut site.rotate());
    fs::write(site.key_file(), new_key()).unwrap();
    let unopened = output(&mut site.check("shop"));
    assert_eq!(Some(2), unopened.status.code(), "{unopened:?}");
    let removed = done(&mut site.remove("shop", "api_key"));
    nowhere(
        "rotation, a foreign key, removal",
        &[rotated, unopened, removed],
    );

    // The search itself finds what is there.
    let diary = format!("x:{SECRET}");
    for written in [
        diary.clone(),
        STANDARD.encode(&diary),
        URL_SAFE.encode(&diary),
    ] {
        fs::write(site.data().join("tenants/diary"), written).unwrap();
        let found = |spelling: &Vec<u8>| !site.files_with(spelling).is_empty();
        assert!(spellings().iter().any(found));
    }
}

#[test]
fn what_was_replaced_or_removed_is_wiped_from_the_database() {
    let site = Site::with_stored_credential();
    let first = site.sealed("shop");
    assert!(!site.files_with(&first).is_empty());
    // Another reader of the database keeps its journal from being deleted at the end of a command.
    let reader = site.control();
    let wiped = |sealed: &[u8]| site.files_with(sealed).is_empty();
    done(&mut site.rotate());
    assert!(wiped(&first));
    let second = site.sealed("shop");
    done(&mut site.remove("shop", "api_key"));
    assert!(wiped(&second));
    drop(reader);
}

#[test]
fn the_key_and_the_database_are_for_their_owner_alone() {
    let site = Site::with_stored_credential();
    let reader = site.control();
    let tables = "SELECT count(*) FROM credentials";
    let stored: i64 = reader.query_row(tables, [], |row| row.get(0)).unwrap();
    assert_eq!(1, stored);
    let mut names = Vec::new();
    for file in fs::read_dir(site.data()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            assert_eq!(0o600, mode(&path), "{path:?}");
            names.extend(path.file_name().and_then(OsStr::to_str).map(str::to_owned));
        }
    }
    names.sort();
    // Also those that SQLite makes.
    let expected = [
        "control.sqlite",
        "control.sqlite-shm",
        "control.sqlite-wal",
        "key",
        "serve.lock",
    ];
    assert_eq!(expected, names[..]);
    drop(reader);
    // A rotated key is as private.
    done(&mut site.rotate());
    assert_eq!(0o600, mode(site.key_file()));
}

#[test]
fn a_key_file_that_others_can_read_or_change_is_refused() {
    let site = Site::with_stored_credential();
    let before = site.keys();
    for open in [0o640, 0o604, 0o620, 0o602, 0o644, 0o666] {
        set_mode(&site.key_file(), open);
        let path = site.key_file().display().to_string();
        for mut command in [
            site.check("shop"),
            site.set("shop", "api_key", "x"),
            site.rotate(),
        ] {
            let error = refusal(&mut command);
            let remedy = format!("chmod 600 {path}");
            assert!(error.contains(&remedy), "{open:o}: {error}");
            assert!(!error.contains(&before[0]), "{error}");
        }
    }
    set_mode(&site.key_file(), 0o400);
    done(&mut site.check("shop"));
    assert_eq!(before, site.keys());
}

#[test]
fn without_its_key_file_nothing_is_made_anew() {
    let site = Site::with_stored_credential();
    fs::remove_file(site.key_file()).unwrap();
    for mut command in [
        site.check("shop"),
        site.set("shop", "api_key", SECRET),
        site.set("other", "api_key", SECRET),
        site.rotate(),
    ] {
        let error = refusal(&mut command);
        let path = site.key_file().display().to_string();
        assert!(
            error.contains(&path) && error.contains("missing"),
            "{error}"
        );
        assert!(!site.key_file().exists());
    }
    // Once nothing needs the lost key, a new one is made.
    done(&mut site.remove("shop", "api_key"));
    done(&mut site.set("shop", "api_key", SECRET));
    done(&mut site.check("shop"));
}

#[test]
fn processes_that_store_the_first_credentials_at_once_end_up_with_one_key() {
    const PROCESSES: usize = 8;
    for _ in 0..5 {
        let site = Site::new();
        let tenants: Vec<_> = (0..PROCESSES).map(|n| format!("shop-{n}")).collect();
        let children: Vec<_> = tenants
            .iter()
            .map(|tenant| {
                (site.set(tenant, "api_key", SECRET))
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("tenon starts")
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().expect("a child");
            assert!(output.status.success(), "{output:?}");
        }
        assert_eq!(1, site.keys().len());
        // It opens all of them.
        assert_eq!(PROCESSES as u64, resealed(&mut site.rotate()));
    }
}

#[test]
fn a_new_key_in_the_file_takes_over_and_the_old_one_opens_nothing() {
    let site = Site::with_stored_credential();
    done(&mut site.set("other", "api_key", SECRET));
    let old = site.keys();
    assert_eq!(2, resealed(&mut site.rotate()));
    let new = site.keys();
    assert_eq!((1, 1), (old.len(), new.len()));
    assert_ne!(old, new);
    for tenant in ["shop", "other"] {
        done(&mut site.check(tenant));
    }
    fs::write(site.key_file(), &old[0]).unwrap();
    let error = refusal(&mut site.check("shop"));
    for named in ["`api_key`", "`shop`", "the key that sealed it is missing"] {
        assert!(error.contains(named), "{error}");
    }
    // Both in the file: the first one seals, both open.
    fs::write(site.key_file(), format!("{}\n{}\n", old[0], new[0])).unwrap();
    done(&mut site.check("shop"));
    assert_eq!(2, resealed(&mut site.rotate()));
    assert_eq!(old, site.keys());
    done(&mut site.check("shop"));
}

#[test]
fn keys_in_the_variable_are_rotated_by_whoever_sets_it() {
    let site = Site::new();
    let [old, new] = [(); 2].map(|()| new_key());
    let with = |mut command: Command, keys: &str| {
        command.env("TENON_KEY", keys);
        command
    };
    done(&mut with(site.set("shop", "api_key", SECRET), &old));
    done(&mut with(site.check("shop"), &old));
    let error = refusal(&mut with(site.check("shop"), &new));
    assert!(
        error.contains("TENON_KEY") && error.contains("the key that sealed it is missing"),
        "{error}"
    );
    assert_eq!(0, resealed(&mut with(site.rotate(), &old)));
    refusal(&mut with(site.rotate(), &new));

    let both = format!("{new},{old}");
    done(&mut with(site.check("shop"), &both));
    assert_eq!(1, resealed(&mut with(site.rotate(), &both)));
    assert_eq!(0, resealed(&mut with(site.rotate(), &both)));
    done(&mut with(site.check("shop"), &new));
    let error = refusal(&mut with(site.check("shop"), &old));
    assert!(error.contains("missing"), "{error}");
    assert!(!site.key_file().exists());
    // Unset by mistake, it is not replaced by a key file either.
    refusal(&mut site.set("other", "api_key", SECRET));
    assert!(!site.key_file().exists());
    for key in [&old, &new] {
        assert!(site.files_with(key.as_bytes()).is_empty());
        let raw = STANDARD.decode(key).unwrap();
        assert!(site.files_with(&raw).is_empty());
    }
}

#[test]
fn the_keys_of_the_file_can_move_into_the_variable() {
    let site = Site::with_stored_credential();
    let key = fs::read_to_string(site.key_file()).unwrap();
    fs::remove_file(site.key_file()).unwrap();
    done(site.check("shop").env("TENON_KEY", key));
}

#[test]
fn a_variable_that_holds_no_key_is_refused_and_not_quoted() {
    let site = Site::with_stored_credential();
    let short = STANDARD.encode([7; 31]);
    let second = format!("{},{short}", site.keys()[0]);
    for bad in ["", " ", "not a key", &short, &second, &new_key()[1..]] {
        for mut command in [
            site.check("shop"),
            site.set("shop", "api_key", "x"),
            site.rotate(),
        ] {
            let error = refusal(command.env("TENON_KEY", bad));
            assert!(error.contains("TENON_KEY"), "{error}");
            let quoted = bad.len() > 1 && error.contains(bad);
            assert!(!quoted && !error.contains(&short), "{error}");
        }
    }
    // They are not looked at where none is needed.
    done(&mut site.check("shop"));
}

#[test]
fn a_row_that_was_moved_to_another_place_is_refused_there() {
    let site = Site::with_stored_credential();
    let moved = |sql: &str| assert_eq!(1, site.control().execute(sql, []).unwrap());
    moved("UPDATE credentials SET tenant = 'thief'");
    let error = refusal(&mut site.check("thief"));
    for named in ["`api_key`", "`keycrm`", "`thief`", "another place"] {
        assert!(error.contains(named), "{error}");
    }
    let before = site.sim.total_requests();
    moved("UPDATE credentials SET tenant = 'shop', connection = 'branch'");
    let error = refusal(site.check("shop").args(["--connection", "branch"]));
    assert!(error.contains("another place"), "{error}");
    moved("UPDATE credentials SET connection = 'keycrm', name = 'token'");
    moved("UPDATE credentials SET name = 'api_key'");
    assert_eq!(before, site.sim.total_requests());
    done(&mut site.check("shop"));
    moved("UPDATE credentials SET sealed = CAST(sealed || x'00' AS BLOB)");
    let error = refusal(&mut site.check("shop"));
    assert!(error.contains("tampered with"), "{error}");
    moved("UPDATE credentials SET sealed = x'02'");
    let error = refusal(&mut site.check("shop"));
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn a_rotation_of_nothing_says_so() {
    let site = Site::new();
    let error = refusal(&mut site.rotate());
    assert!(error.contains("no credential was ever stored"), "{error}");
    assert!(!site.key_file().exists());
}

#[test]
fn a_rotation_killed_at_any_moment_loses_no_credential() {
    const CREDENTIALS: usize = 60;
    const KILLS: usize = 60;
    let site = Site::with_stored_credential();
    for n in 1..CREDENTIALS {
        done(&mut site.set("shop", &format!("other-{n}"), SECRET));
    }
    let started = Instant::now();
    assert_eq!(CREDENTIALS as u64, resealed(&mut site.rotate()));
    let whole = started.elapsed();

    let (mut killed, mut with_both_keys) = (0, 0);
    for _ in 0..10 * KILLS {
        if killed >= KILLS && with_both_keys >= KILLS / 10 {
            break;
        }
        let mut child = (site.rotate())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tenon starts");
        std::thread::sleep(whole.mul_f64(fastrand::f64()));
        let alive = child.try_wait().expect("a child").is_none();
        child.kill().expect("a child");
        child.wait().expect("a child");
        killed += usize::from(alive);
        with_both_keys += usize::from(alive && site.keys().len() == 2);
        done(&mut site.check("shop"));
    }
    assert!(killed >= KILLS, "only {killed} rotations were killed");
    assert!(
        with_both_keys >= KILLS / 10,
        "only {with_both_keys} kills left a rotation half done"
    );
    // Two, in case the first one only finishes: each opens every credential that it seals anew.
    done(&mut site.rotate());
    assert_eq!(CREDENTIALS as u64, resealed(&mut site.rotate()));
    assert_eq!(1, site.keys().len());
    done(&mut site.check("shop"));
    let leftovers = files(&site.data()).into_iter().filter(|file| {
        let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.starts_with("key") && name != "key"
    });
    assert_eq!(0, leftovers.count());
}
