//! The command line as people and scripts meet it: output, exit status, errors in one line.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use tenon_scenarios::{target, written};
use tenon_simulators::keycrm::{self, Config, Simulator};

const KEY: &str = "simulated-keycrm-key";

/// A data folder and the command that works on it.
struct Site {
    folder: TempDir,
    sim: Simulator,
}

impl Site {
    fn new(orders: usize) -> Site {
        let sim = keycrm::start(Config {
            orders,
            requests_per_minute: None,
            ordered_to: "2026-03-31T12:00:00Z".parse().expect("a moment"),
            ..Config::default()
        });
        let site = Site {
            folder: tempfile::tempdir().expect("a folder"),
            sim: sim.expect("a simulator"),
        };
        let partner = json!([{ "key": "walk-in", "name": "Роздрібний покупець" }]);
        let loaded = site.load("partners", &partner);
        assert!(loaded.status.success(), "{loaded:?}");
        site.settings(&json!({
            "base_url": site.sim.url(),
            "period": { "from": "2026-01-01", "to": "2026-12-31" },
            "default_partner": "walk-in",
        }));
        site
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn settings(&self, settings: &Value) {
        std::fs::write(self.path("settings.json"), settings.to_string()).expect("a file");
    }

    fn load(&self, kind: &str, records: &Value) -> Output {
        let file = self.path("records.json");
        std::fs::write(&file, records.to_string()).expect("a file");
        let place = ["--data", &self.path("data"), "--tenant", "shop"];
        tenon(&["load", kind, &file], &place)
    }

    fn records(&self, kind: &str) -> Vec<Value> {
        let place = ["--data", &self.path("data"), "--tenant", "shop", "--json"];
        let output = tenon(&["records", kind], &place);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The arguments of an exchange.
    fn exchange(&self) -> Vec<String> {
        let origin = self.sim.url().trim_end_matches("/v1").to_owned();
        [
            "run",
            "keycrm",
            "orders",
            "--tenant",
            "shop",
            "--credential",
            "api_key=env:KEYCRM_KEY",
            "--no-budget",
            "--json",
            "--grant",
            &origin,
            "--data",
            &self.path("data"),
            "--settings",
            &self.path("settings.json"),
        ]
        .map(str::to_owned)
        .into()
    }

    fn command(&self) -> Command {
        let mut command = program();
        command.args(self.exchange()).env("KEYCRM_KEY", KEY);
        command
    }

    /// Spares this site the compilation that another has done.
    fn take_compiled_code(&self, other: &Site) {
        let (from, to) = (other.path("data/compiled"), self.path("data/compiled"));
        std::fs::create_dir_all(&to).expect("a folder");
        for file in std::fs::read_dir(from).expect("a folder") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), Path::new(&to).join(file.file_name())).expect("a copy");
        }
    }

    fn run(&self) -> Output {
        self.command().output().expect("tenon starts")
    }
}

fn program() -> Command {
    let mut command = Command::new(target().join("release/tenon"));
    command
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env("LANG", "C");
    command.env("TENON_COMPONENTS", target().join("components"));
    command
}

fn tenon(arguments: &[&str], more: &[&str]) -> Output {
    (program().args(arguments).args(more).output()).expect("tenon is built")
}

/// The error of a command that could not run: one line on standard error, exit status 2.
fn refusal(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(Some(2), output.status.code(), "{text}");
    assert_eq!(1, text.lines().count(), "{text}");
    text
}

#[test]
fn a_run_prints_one_object_and_ends_with_0() {
    let site = Site::new(60);
    let output = site.run();
    assert_eq!(Some(0), output.status.code(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!("done", report["outcome"]);
    assert_eq!(60, report["created"]);
    for counter in ["updated", "unchanged", "failed"] {
        assert_eq!(0, report[counter], "{counter}");
    }
    assert_eq!(
        site.sim.total_requests(),
        report["requests"].as_u64().unwrap()
    );
    assert_eq!(json!([]), report["records"]);
    assert!(report["started_at"].is_string() && report["finished_at"].is_string());

    assert_eq!(60, site.records("orders").len());
    let runs = site.records("runs");
    assert_eq!(report, runs[0]);
}

#[test]
fn failed_records_are_listed_and_end_with_1() {
    let site = Site::new(60);
    let spoiled = site.sim.account(|account| {
        let id = *account.orders.keys().next().unwrap();
        account.spoil_order(id, "products", "7");
        id
    });
    let output = site.run();
    assert_eq!(Some(1), output.status.code(), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json!(59), &json!(1)),
        (&report["created"], &report["failed"])
    );
    assert_eq!(spoiled.to_string(), report["records"][0]["id"]);
    assert!(!report["records"][0]["reason"].as_str().unwrap().is_empty());
}

#[test]
fn what_a_run_logged_can_be_read_afterwards_by_connection_and_record() {
    let site = Site::new(60);
    let spoiled: Vec<String> = site.sim.account(|account| {
        let ids: Vec<i64> = account.orders.keys().copied().take(2).collect();
        for id in &ids {
            account.spoil_order(*id, "products", "7");
        }
        ids.iter().map(ToString::to_string).collect()
    });
    assert_eq!(Some(1), site.run().status.code());
    let log = |more: &[&str]| -> Vec<Value> {
        let place = ["--data", &site.path("data"), "--tenant", "shop", "--json"];
        let output = tenon(&["log"], &[&place, more].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let all = log(&["--connection", "keycrm"]);
    for record in &spoiled {
        let lines = log(&["--record", record]);
        assert_eq!(1, lines.len(), "{all:?}");
        assert_eq!(
            ("orders", "warn"),
            (
                lines[0]["job"].as_str().expect("a job"),
                lines[0]["level"].as_str().expect("a level"),
            )
        );
        assert!(all.contains(&lines[0]), "{all:?}");
    }
    assert_eq!(1, log(&["--lines", "1"]).len());
    assert!(log(&["--connection", "other"]).is_empty());
}

#[test]
fn a_limit_of_the_command_line_is_kept_and_an_unknown_one_is_refused() {
    let site = Site::new(60);
    let run = |limit: &str| {
        let output = site.command().args(["--limit", limit]).output();
        output.expect("tenon starts")
    };
    let crashed = refusal(&run("memory=1000000"));
    assert!(crashed.contains("memory"), "{crashed}");
    let unknown = refusal(&run("memmory=1000000"));
    assert!(
        unknown.contains("--limit") && unknown.contains("memmory"),
        "{unknown}"
    );
    let too_much = refusal(&run("memory=99999999999"));
    assert!(too_much.contains("a guest can have at most"), "{too_much}");
    assert!(run("requests=1000").status.success());
}

#[test]
fn what_is_wrong_with_a_command_is_told_in_one_line_of_the_readers_language() {
    let site = Site::new(5);
    assert_eq!(Some(0), site.run().status.code());
    let data = site.path("data");
    let nowhere = site.path("nowhere.json");
    let here = ["--data", data.as_str(), "--tenant", "shop"];
    let absent = ["--data", data.as_str(), "--tenant", "shpo"];
    for (line, en, uk, ru) in [
        (
            vec!["rnu"],
            "no command `rnu`",
            "немає команди `rnu`",
            "нет команды `rnu`",
        ),
        (
            [&["log"], &absent[..]].concat(),
            "there is no tenant `shpo`",
            "Не знайдено: клієнт `shpo`",
            "Не найдено: клиент `shpo`",
        ),
        (
            [&["changes"], &absent[..]].concat(),
            "there is no tenant `shpo`",
            "Не знайдено: клієнт `shpo`",
            "Не найдено: клиент `shpo`",
        ),
        (
            [&["load", "products", nowhere.as_str()], &here[..]].concat(),
            "No such file or directory",
            "немає такого файлу чи теки",
            "нет такого файла или папки",
        ),
        (
            [
                &["run", "keycrm", "orders", "--limit", "memmory=1"],
                &here[..],
            ]
            .concat(),
            "there is no limit `memmory`",
            "обмеження `memmory` не існує",
            "ограничения `memmory` не существует",
        ),
        (
            vec!["serve", "--data", data.as_str(), "--require-signature"],
            "missing: --trusted-key",
            "бракує: --trusted-key",
            "не хватает: --trusted-key",
        ),
    ] {
        for (language, text) in [("en", en), ("uk", uk), ("ru", ru)] {
            let error = refusal(&tenon(&line, &["--lang", language]));
            assert!(error.contains(text), "{error}");
        }
    }
}

#[test]
fn a_place_that_means_nothing_ends_with_2_and_one_line_that_names_the_flag() {
    let site = Site::new(5);
    let run = |flag: &str, value: &str| {
        let output = site.command().args([flag, value]).output();
        output.expect("tenon starts")
    };
    for (flag, bad) in [
        ("--time-zone", "Europe/Odesa"),
        ("--language", "de"),
        ("--currency", "RUR"),
    ] {
        let error = refusal(&run(flag, bad));
        assert!(error.contains(flag) && error.contains(bad), "{error}");
    }
    assert_eq!(0, site.sim.total_requests());
    assert!(run("--currency", "EUR").status.success());
}

#[tokio::test]
async fn a_tenant_of_the_server_has_a_place_of_its_own() {
    let mut server = tenon_scenarios::server::Server::start(&[]);
    server.tenant("shop").await;
    server.terminate();
    let site = Site::new(5);
    let run = |more: &[&str]| {
        let mut arguments = site.exchange();
        let data = arguments.iter().position(|one| *one == site.path("data"));
        arguments[data.expect("the folder")] = server.folder().display().to_string();
        let mut command = program();
        let output = command
            .args(arguments)
            .args(more)
            .env("KEYCRM_KEY", KEY)
            .output();
        output.expect("tenon starts")
    };
    let error = refusal(&run(&["--currency", "EUR"]));
    assert!(
        error.contains("--currency") && error.contains("shop"),
        "{error}"
    );
    assert_eq!(0, site.sim.total_requests());
    // The partner of the settings is in another folder, so nothing but the place is tried here.
    let error = refusal(&run(&[]));
    assert!(error.contains("default_partner"), "{error}");
}

#[test]
fn a_wrong_key_ends_with_2_and_one_line_that_names_the_credential() {
    let site = Site::new(5);
    let output = (site.command().env("KEYCRM_KEY", "wrong").output()).unwrap();
    let error = refusal(&output);
    assert!(
        error.contains("api_key") && !error.contains("wrong"),
        "{error}"
    );
    assert!(site.records("orders").is_empty());

    let output = (site.command().env_remove("KEYCRM_KEY").output()).unwrap();
    let error = refusal(&output);
    assert!(
        error.contains("api_key") && error.contains("KEYCRM_KEY"),
        "{error}"
    );
}

#[test]
fn settings_that_break_the_schema_end_with_2_and_name_each_path() {
    let site = Site::new(5);
    site.settings(&json!({ "base_url": site.sim.url(), "last_days": "many", "author": 5 }));
    let error = refusal(&site.run());
    assert!(
        error.contains("/last_days") && error.contains("/author"),
        "{error}"
    );
    std::fs::write(site.path("settings.json"), "{ not json").unwrap();
    let error = refusal(&site.run());
    assert!(error.contains("settings.json"), "{error}");
    std::fs::remove_file(site.path("settings.json")).unwrap();
    let error = refusal(&site.run());
    assert!(error.contains("settings.json"), "{error}");
    assert_eq!(0, site.sim.total_requests());
}

#[test]
fn without_a_grant_plain_http_is_refused_and_the_error_says_how_to_open_it() {
    let site = Site::new(5);
    let mut arguments = site.exchange();
    arguments.retain(|argument| argument != "--grant" && !argument.ends_with(&port(&site)));
    let output = program().args(arguments).env("KEYCRM_KEY", KEY).output();
    let output = output.unwrap();
    assert_eq!(Some(2), output.status.code(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--grant"), "{text}");
    assert_eq!(0, site.sim.total_requests());
}

fn port(site: &Site) -> String {
    format!(":{}", site.sim.address().port())
}

#[test]
fn what_does_not_exist_is_named() {
    let site = Site::new(1);
    let place = ["--data", &site.path("data"), "--tenant", "shop"];
    let settings = ["--settings", &site.path("settings.json")];
    let run = |connector: &str, job: &str| {
        let mut command = program();
        command
            .args(["run", connector, job])
            .args(place)
            .args(settings);
        command.args(["--credential", "api_key=env:KEYCRM_KEY"]);
        refusal(&command.env("KEYCRM_KEY", KEY).output().unwrap())
    };
    assert!(run("nosuch", "orders").contains("nosuch"));
    let error = run("keycrm", "nosuch");
    assert!(
        error.contains("nosuch") && error.contains("orders"),
        "{error}"
    );
    let error = refusal(&tenon(&["records", "invoices"], &place));
    assert!(
        error.contains("invoices") && error.contains("products"),
        "{error}"
    );
    let place = ["--data", &site.path("data"), "--tenant", "nobody"];
    assert!(refusal(&tenon(&["records", "orders"], &place)).contains("nobody"));
    let place = ["--data", &site.path("data"), "--tenant", "../up"];
    assert_eq!(Some(2), tenon(&["records", "orders"], &place).status.code());
}

#[test]
fn a_bad_record_in_a_file_is_named_by_place_and_field_and_nothing_is_loaded() {
    let site = Site::new(1);
    let records = json!([{ "name": "Добра" }, { "name": "Зла", "prise": "5" }]);
    let error = refusal(&site.load("products", &records));
    assert!(
        error.contains("record 2") && error.contains("prise"),
        "{error}"
    );
    assert!(site.records("products").is_empty());
    let error = refusal(&site.load("orders", &json!([{ "currency": "UAH", "partner": "no" }])));
    assert!(
        error.contains("record 1") && error.contains("no"),
        "{error}"
    );
}

#[test]
fn inspect_tells_what_a_component_is_in_three_languages() {
    let file = target().join("components/connectors/keycrm.wasm");
    let file = file.to_str().unwrap();
    let output = tenon(&["inspect", file, "--json"], &[]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    let manifest = &object["manifest"];
    assert_eq!("keycrm", manifest["name"]);
    assert_eq!("orders", manifest["jobs"][0]["id"]);
    assert_eq!("bearer", manifest["credentials"][0]["scheme"]);
    let mut titles: Vec<_> = ["en", "uk", "ru"]
        .map(|language| {
            manifest["jobs"][0]["title"][language]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .into();
    titles.dedup();
    assert_eq!(3, titles.len(), "{titles:?}");
    let imports = object["imports"].as_array().unwrap();
    assert!(imports.iter().all(|import| {
        let import = import.as_str().unwrap();
        !import.contains("sockets") && !import.contains("filesystem")
    }));
    for language in ["en", "uk", "ru"] {
        let output = tenon(&["inspect", file, "--lang", language], &[]);
        assert!(output.status.success() && !output.stdout.is_empty());
    }
    let error = refusal(&tenon(&["inspect", "/dev/null"], &[]));
    assert!(error.contains("/dev/null"), "{error}");
    for (language, text) in [
        ("en", "the component cannot be used"),
        ("uk", "компонент непридатний"),
        ("ru", "компонент непригоден"),
    ] {
        let error = refusal(&tenon(&["inspect", "/dev/null", "--lang", language], &[]));
        assert!(
            error.contains("/dev/null") && error.contains(text),
            "{error}"
        );
    }
}

#[test]
fn inspect_shows_all_that_a_component_says_about_itself() {
    let shown = |name: &str| {
        let file = target().join(format!("components/{name}.wasm"));
        let output = tenon(&["inspect", file.to_str().unwrap()], &[]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let moysklad = shown("connectors/moysklad");
    for part in [
        "contract 0.2.0, state version ",
        "price_lists — Price lists and stores (list of object",
        "    store — Store (string, required, choice stores)",
        "    price_list — Price list (string, required, directory warehouses)",
        "site_category — Category on the site (string, record category)",
        "\nchoices\n  ",
        "token — Access token (bearer)",
        "for `access_token`)",
        "{settings.base_url}, signed with token, else login, 4 at once",
        "  at most 10 in 3.1 s",
        "/api/remap/1.2/report/stock/all… costs 5",
        "\nactions\n  ",
        "\nwebhooks\n  not signed",
        "(on warehouse)",
    ] {
        assert!(moysklad.contains(part), "{part} is not in\n{moysklad}");
    }
    let ledger = shown("scenarios/ledger_1_0");
    let heard = "heard — Job (when asked, changes of order, visits of partner)";
    assert!(ledger.contains(heard), "{ledger}");
}

#[test]
fn output_that_nobody_reads_any_more_is_no_fault() {
    let file = target().join("components/connectors/moysklad.wasm");
    for format in [&[][..], &["--json"]] {
        let mut inspecting = (program().arg("inspect").arg(&file).args(format))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("tenon is built");
        drop(inspecting.stdout.take());
        let output = inspecting.wait_with_output().expect("an end");
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{output:?}"
        );
    }
}

#[test]
fn inspect_refuses_a_component_whose_settings_are_mistyped_in_one_line() {
    let file = target().join("components/conformance/mistype_settings.wasm");
    let error = refusal(&tenon(&["inspect", file.to_str().unwrap()], &[]));
    let place = "settings_schema.properties.warehouse.x-directory: there is no directory";
    assert!(error.contains(place), "{error}");
}

fn state(site: &Site) -> Vec<(&'static str, Vec<Value>)> {
    written(|kind| site.records(kind))
}

#[test]
fn killed_at_any_moment_the_next_run_ends_as_an_unbroken_one() {
    const ORDERS: usize = 1_000;
    const KILLS: usize = 20;
    let unbroken = Site::new(ORDERS);
    assert!(unbroken.run().status.success());
    let expected = state(&unbroken);
    assert_eq!(("orders", ORDERS), (expected[0].0, expected[0].1.len()));

    // With the compiled code at hand, the time of a run is that of the exchange.
    let timed = Site::new(ORDERS);
    timed.take_compiled_code(&unbroken);
    let started = Instant::now();
    assert!(timed.run().status.success());
    let whole = started.elapsed();

    let (mut killed, mut half_done) = (0, 0);
    for _ in 0..5 * KILLS {
        if killed >= KILLS && half_done >= KILLS / 2 {
            break;
        }
        let site = Site::new(ORDERS);
        site.take_compiled_code(&unbroken);
        // Up to three kills, each after a random share of an unbroken run.
        for _ in 0..fastrand::u32(1..=3) {
            let mut child = (site.command())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("tenon starts");
            std::thread::sleep(whole.mul_f64(fastrand::f64()));
            let alive = child.try_wait().expect("a child").is_none();
            child.kill().expect("a child");
            child.wait().expect("a child");
            killed += usize::from(alive);
            let orders = site.records("orders").len();
            half_done += usize::from(alive && (1..ORDERS).contains(&orders));
        }
        let output = site.run();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(expected, state(&site));
    }
    assert!(killed >= KILLS, "only {killed} runs were killed");
    assert!(
        half_done >= KILLS / 2,
        "only {half_done} kills left an exchange half done"
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let site = Site::new(60);
    assert!(site.run().status.success());
    let mut child = program()
        .args(["records", "orders", "--json", "--tenant", "shop", "--data"])
        .arg(site.path("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tenon starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("a child");
    assert_eq!(
        (Some(0), 0),
        (output.status.code(), output.stderr.len()),
        "{output:?}"
    );
}

#[test]
fn the_data_of_a_tenant_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new(1);
    site.run();
    let data = Path::new(&site.path("data")).to_owned();
    for folder in ["tenants", "compiled"] {
        let mode = std::fs::metadata(data.join(folder))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(0o700, mode & 0o777, "{folder}");
    }
    let mode = std::fs::metadata(data.join("tenants/shop.sqlite")).unwrap();
    assert_eq!(0o600, mode.permissions().mode() & 0o777);
}

#[test]
fn whoever_reads_reads_on_where_nothing_can_be_written() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let site = Site::new(5);
    assert!(site.run().status.success());
    // Readable for all, and writable for none.
    let copy = tempfile::tempdir().expect("a folder");
    let allow = |path: &Path, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(path, mode).expect("a mode");
    };
    let data = copy.path().join("data");
    std::fs::create_dir_all(data.join("tenants")).expect("a folder");
    let program = copy.path().join("tenon");
    std::fs::copy(target().join("release/tenon"), &program).expect("a copy");
    for name in ["control.sqlite", "tenants/shop.sqlite"] {
        std::fs::copy(Path::new(&site.path("data")).join(name), data.join(name)).expect("a copy");
        allow(&data.join(name), 0o444);
    }
    for folder in [&data.join("tenants"), &data, &copy.path().to_owned()] {
        allow(folder, 0o555);
    }
    let read = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .args(["--json", "--data"])
            .arg(&data);
        if std::fs::File::create(data.join("probe")).is_ok() {
            // Whom modes do not bind becomes somebody whom they do.
            std::fs::remove_file(data.join("probe")).expect("the probe");
            command.uid(65534).gid(65534);
        }
        let output = command.output().expect("tenon starts");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    assert_eq!(
        5,
        read(&["records", "orders", "--tenant", "shop"])
            .as_array()
            .expect("a list")
            .len()
    );
    let tenant = ["--tenant", "shop"];
    for of_tenant in [&["log"][..], &["changes"], &["credential", "list"]] {
        let listed = read(&[of_tenant, &tenant].concat());
        assert!(listed.is_array(), "{of_tenant:?}");
    }
    for of_all in [["token", "list"], ["maintenance", "list"]] {
        assert!(read(&of_all).is_array(), "{of_all:?}");
    }
    for folder in [&copy.path().to_owned(), &data, &data.join("tenants")] {
        allow(folder, 0o755);
    }
}

#[test]
fn a_reader_that_stops_reading_both_streams_makes_nothing_panic() {
    let site = Site::new(300);
    site.sim.account(|account| {
        let ids: Vec<i64> = account.orders.keys().copied().collect();
        for id in ids {
            account.spoil_order(id, "products", "7");
        }
    });
    // Every order is complained of on standard error, of which a hundred bytes are read.
    let text = ["--verbose".to_owned()];
    for arguments in [site.exchange(), [site.exchange(), text.to_vec()].concat()] {
        let command = format!(
            "{} {} 2>&1 | head -c 100 >/dev/null; echo ${{PIPESTATUS[0]}}",
            target().join("release/tenon").display(),
            shell(&arguments),
        );
        let output = Command::new("bash")
            .args(["-c", &command])
            .env("KEYCRM_KEY", KEY)
            .env("TENON_COMPONENTS", target().join("components"))
            .output()
            .expect("a shell");
        let status = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(["0", "1"].contains(&status.as_str()), "{status}");
    }
}

fn shell(arguments: &[String]) -> String {
    let quoted = arguments.iter().map(|one| format!("'{one}'"));
    quoted.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_setting_that_is_missing_or_unknown_is_named_by_its_path_once() {
    let site = Site::new(5);
    site.settings(&json!({ "base_url": site.sim.url(), "last_days": 3, "nonsense": 5 }));
    let error = refusal(&site.run());
    assert_eq!(1, error.matches("/nonsense").count(), "{error}");
    let folder = Path::new(&site.path("data")).join("tenants/shop.sqlite");
    std::fs::write(&folder, [b'x'; 4096]).expect("a file");
    let place = ["--data", &site.path("data"), "--tenant", "shop"];
    let error = refusal(&tenon(&["records", "orders"], &place));
    assert_eq!(1, error.matches("not a database").count(), "{error}");
    assert_eq!(1, error.matches("shop.sqlite").count(), "{error}");
}

fn is_cyrillic(letter: char) -> bool {
    ('\u{400}'..'\u{500}').contains(&letter)
}

#[test]
fn a_command_refuses_in_the_language_of_who_types_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    std::fs::write(path("settings.json"), "{").expect("a file");
    let (data, none, settings) = (path("data"), path("none"), path("settings.json"));
    std::fs::create_dir(&data).expect("a folder");
    let made = ["token", "create", "ops", "--data", &data];
    let made = tenon(&made, &["--scope", "platform"]);
    assert!(made.status.success(), "{made:?}");
    let commands: &[&[&str]] = &[
        &["token", "list", "--data", &none],
        &["token", "revoke", "--data", &data, "nobody"],
        &[
            "token", "create", "x", "--data", &data, "--tenant", "shop", "--scope", "read",
        ],
        &[
            "token", "create", "x", "--data", &data, "--tenant", "shop", "--scope", "platform",
        ],
        &["maintenance", "list", "--data", &none],
        &["maintenance", "begin", "--data", &data, "--tenant", "shop"],
        &["maintenance", "end", "--data", &data, "--tenant", "shop"],
        &["key", "rotate", "--data", &none],
        &[
            "credential",
            "remove",
            "keycrm",
            "key",
            "--data",
            &data,
            "--tenant",
            "shop",
        ],
        &["backup", "--data", &none, "--to", &none],
        &[
            "backup",
            "--data",
            folder.path().to_str().expect("text"),
            "--to",
            &data,
        ],
        &["restore", "--data", &none, "--from", &data],
        &["records", "orders", "--data", &data, "--tenant", "shop"],
        &[
            "load", "orders", &settings, "--data", &data, "--tenant", "shop",
        ],
        &[
            "run",
            "keycrm",
            "orders",
            "--data",
            &data,
            "--tenant",
            "shop",
            "--settings",
            &settings,
        ],
        &[
            "run", "nobody", "orders", "--data", &data, "--tenant", "shop",
        ],
    ];
    for arguments in commands {
        let english = refusal(&tenon(arguments, &[]));
        assert!(!english.contains(is_cyrillic), "{english}");
        for (language, of_the_other) in [("uk", "ыэъё"), ("ru", "іїєґ")] {
            let told = refusal(&tenon(arguments, &["--lang", language]));
            assert!(told.contains(is_cyrillic), "{arguments:?}: {told}");
            assert!(!told.contains(|c| of_the_other.contains(c)), "{told}");
        }
    }
}
