//! A real Chromium, driven as a person would use it: by what is written on the page.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tenon_scenarios::target;
use thirtyfour::extensions::query::ElementQueryable as _;
use thirtyfour::{BrowserLogEntry, By, Key, WebDriver, WebElement};

use crate::site::Site;

/// How long something may take to appear; a slow machine compiles a component meanwhile.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Finds violations of WCAG and common faults in the page it is put into.
const AXE: &str = include_str!("axe/axe-4.14.1.min.js");

/// A window of a browser of its own.
pub struct Browser {
    driver: Child,
    port: u16,
    /// The window.
    pub client: WebDriver,
    texts: Map<String, Value>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The session ends with the driver.
        let _ = self.client.clone().leak();
        // Asked to, the driver ends its browser and removes what that kept; killed, it leaves both.
        if let Err(error) = shut_down(self.port) {
            eprintln!("chromedriver: {error}");
            let _ = self.driver.kill();
        }
        let _ = self.driver.wait();
    }
}

/// Starts a driver; answers with its port, and with none when it could not have one.
fn start_driver() -> Option<(Child, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("chromedriver; `cargo xtask test` installs it, or install chromium-driver");
    let said = BufReader::new(driver.stdout.take().expect("its output"));
    let port = said.lines().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    if port.is_none() {
        // It has closed its output, and so it has ended or is about to.
        let _ = driver.wait();
    }
    Some((driver, port?))
}

/// Asks a driver to end.
fn shut_down(port: u16) -> io::Result<()> {
    let mut driver = TcpStream::connect(("127.0.0.1", port))?;
    driver.set_read_timeout(Some(PATIENCE))?;
    driver.write_all(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    driver.read_to_end(&mut Vec::new()).map(drop)
}

fn catalogue(language: &str) -> Map<String, Value> {
    let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = format!("host/server/src/console/assets/text/{language}.json");
    let text = std::fs::read_to_string(workspace.join(file)).expect("a catalogue");
    serde_json::from_str(&text).expect("an object of texts")
}

/// A text as XPath writes it.
fn quoted(text: &str) -> String {
    let parts: Vec<String> = text.split('\'').map(|part| format!("'{part}'")).collect();
    match parts.as_slice() {
        [only] => only.clone(),
        parts => format!("concat({})", parts.join(", \"'\", ")),
    }
}

impl Browser {
    /// A window whose browser prefers this language.
    pub async fn open(language: &str) -> Browser {
        // It wants the same port of both families of addresses, which may just be taken of one.
        let (driver, port) = (0..10)
            .find_map(|_| start_driver())
            .expect("a port for chromedriver");
        let wanted = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": [
                    "--headless=new",
                    "--no-sandbox",
                    "--disable-dev-shm-usage",
                    "--window-size=1280,900",
                ],
                "prefs": { "intl.accept_languages": language },
            },
        });
        let Value::Object(wanted) = wanted else {
            unreachable!("an object was written above")
        };
        let client = WebDriver::new(format!("http://127.0.0.1:{port}"), wanted)
            .await
            .expect("a browser");
        Browser {
            driver,
            port,
            client,
            texts: catalogue(language),
        }
    }

    /// Signs in with the server's first token, by hand.
    pub async fn sign_in(&self, site: &Site) {
        self.sign_in_with(site, site.token()).await;
        self.heading("nav.tenants").await;
    }

    /// Signs in with a token, by hand.
    pub async fn sign_in_with(&self, site: &Site, token: &str) {
        self.client
            .goto(&format!("{}/console/", site.url()))
            .await
            .expect("the console");
        self.type_into(&self.text("sign_in.token"), token).await;
        self.press("sign_in.submit").await;
        self.wait("//header//button[contains(@class, 'quiet')]")
            .await;
        self.settled().await;
    }

    /// Everything that is written on the page.
    pub async fn written(&self) -> String {
        let page = self.run("return document.body.innerText", Vec::new()).await;
        page.as_str().unwrap_or_default().to_owned()
    }

    /// Whether there is a button or a link with this text.
    pub async fn offers(&self, key: &str) -> bool {
        let text = Value::from(self.text(key));
        let script = format!(
            "return [...document.querySelectorAll('button, a')].some((one) => one.innerText.trim() === {text})"
        );
        self.run(&script, Vec::new()).await == true
    }

    /// The console's text of a key.
    pub fn text(&self, key: &str) -> String {
        self.text_with(key, &[])
    }

    /// The same with values in its places.
    pub fn text_with(&self, key: &str, values: &[(&str, &str)]) -> String {
        let text = self.texts.get(key).and_then(Value::as_str);
        let mut text = text.unwrap_or_else(|| panic!("no text {key}")).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// Opens a page by its address behind the `#`.
    pub async fn visit(&self, place: &str) {
        let script = "location.hash = arguments[0]";
        self.run(script, vec![place.into()]).await;
    }

    /// Runs a script in the page.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        let done = self.client.execute(script, arguments).await;
        let done = done.unwrap_or_else(|error| panic!("{script}: {error}"));
        done.json().clone()
    }

    /// Waits for an element.
    pub async fn wait(&self, xpath: &str) -> WebElement {
        let found = self.client.query(By::XPath(xpath)).wait(PATIENCE, PAUSE);
        match found.first().await {
            Ok(element) => element,
            Err(error) => {
                self.screenshot("failed").await;
                let page = self.run("return document.body.innerText", Vec::new()).await;
                panic!(
                    "{xpath}: {error}\non the page: {}",
                    page.as_str().unwrap_or_default()
                )
            }
        }
    }

    /// Waits until a script answers `true`.
    pub async fn until(&self, script: &str) {
        let began = Instant::now();
        while self.run(script, Vec::new()).await != true {
            if began.elapsed() > PATIENCE {
                self.screenshot("failed").await;
                panic!("never: {script}");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until the browser complains about something.
    pub async fn complaint(&self) -> String {
        let began = Instant::now();
        loop {
            if let Some(complaint) = self.complaints().await.pop() {
                return complaint;
            }
            assert!(began.elapsed() < PATIENCE, "the browser does not complain");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for a text anywhere on the page.
    pub async fn see(&self, text: &str) -> WebElement {
        let text = quoted(text);
        self.wait(&format!("//*[text()[contains(., {text})]] | //*[contains(normalize-space(.), {text}) and not(*[contains(normalize-space(.), {text})])]")).await
    }

    /// Waits for the page of this heading.
    pub async fn heading(&self, key: &str) {
        self.heading_of(&self.text(key)).await;
    }

    /// The same, of a text that no catalogue has.
    pub async fn heading_of(&self, text: &str) {
        let text = quoted(text);
        self.wait(&format!("//h1[normalize-space(.)={text}]")).await;
        self.settled().await;
    }

    /// Waits until nothing on the page is being loaded.
    pub async fn settled(&self) {
        self.until("return document.querySelector('h1') !== null && document.querySelector('.loading') === null")
            .await;
    }

    /// Presses the button or follows the link with this text.
    pub async fn press(&self, key: &str) {
        // In a dialog when one is open: what is behind it cannot be pressed.
        let open = "return document.querySelector('dialog[open]') !== null";
        let open = self.run(open, Vec::new()).await == true;
        let place = if open { "//dialog" } else { "" };
        self.press_in(place, &self.text(key)).await;
    }

    /// Presses a button that asks first, and says yes.
    pub async fn press_and_confirm(&self, text: &str) {
        self.press_in("", text).await;
        self.press_in("//dialog", text).await;
    }

    async fn press_in(&self, place: &str, text: &str) {
        let text = quoted(text);
        let usable = "not(@disabled) and not(@aria-disabled)";
        let xpath = format!(
            "{place}//button[normalize-space(.)={text} and {usable}] | {place}//a[normalize-space(.)={text}]"
        );
        let element = self.wait(&xpath).await;
        element.click().await.expect("a press");
    }

    /// The control that a label names.
    pub async fn control(&self, label: &str) -> WebElement {
        let label = quoted(label);
        let labels = format!("//label[starts-with(normalize-space(.), {label})]");
        self.wait(&format!("//*[@id=({labels}/@for)] | {labels}//input"))
            .await
    }

    /// Types in place of what a field holds.
    pub async fn type_into(&self, label: &str, text: &str) {
        let field = self.control(label).await;
        field.clear().await.expect("an empty field");
        field.send_keys(text).await.expect("a typed text");
    }

    /// Ticks a box or takes one of several.
    pub async fn tick(&self, label: &str) {
        self.control(label).await.click().await.expect("a tick");
    }

    /// Takes one of a list's values.
    pub async fn choose(&self, list: &WebElement, value: &str) {
        let option = By::Css(format!("option[value='{value}']"));
        let option = list.find(option).await.expect("an option");
        option.click().await.expect("a choice");
    }

    /// Presses a key as on a keyboard, wherever the focus is.
    pub async fn key(&self, key: Key) {
        let strokes = self.client.action_chain().key_down(key.clone()).key_up(key);
        strokes.perform().await.expect("a key");
    }

    /// Sends a command of the browser's own protocol.
    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let done = self.client.cdp().send_raw(command, parameters).await;
        done.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// The window gets another width and colour scheme.
    pub async fn look(&self, width: u32, scheme: &str) {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// Keeps the whole page as `target/console/NAME.png`.
    pub async fn screenshot(&self, name: &str) {
        let size = "const page = document.documentElement;
            return [page.scrollWidth, Math.min(page.scrollHeight, 6000)]";
        let size = self.run(size, Vec::new()).await;
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let parameters = json!({ "captureBeyondViewport": true, "clip": clip });
        let answer = self.devtools("Page.captureScreenshot", parameters).await;
        let image = answer["data"].as_str().unwrap_or_default();
        let folder = target().join("console");
        std::fs::create_dir_all(&folder).expect("a folder");
        let image = STANDARD.decode(image).expect("an image");
        std::fs::write(folder.join(format!("{name}.png")), image).expect("a file");
    }

    /// What sticks out of the window to the side; nothing on a page that fits.
    pub async fn sticks_out(&self) -> Value {
        self.run(
            "const wide = document.documentElement.scrollWidth;
             return wide > innerWidth ? `${wide} of ${innerWidth} pixels` : null",
            Vec::new(),
        )
        .await
    }

    /// Serious and critical faults of accessibility.
    pub async fn barriers(&self) -> Vec<String> {
        self.run(AXE, Vec::new()).await;
        let script = "const done = arguments[arguments.length - 1];
            axe.run(document, { resultTypes: ['violations'] }).then((found) => done(
                found.violations
                    .filter((one) => ['serious', 'critical'].includes(one.impact))
                    .map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`)))";
        let found = self.client.execute_async(script, Vec::new()).await;
        let found = found.expect("a verdict").convert();
        found.expect("a list of texts")
    }

    /// What the browser complained about since the last call: scripts that failed, and everything that
    /// the policy of the page stopped. Answers of the API that are no success are not meant.
    pub async fn complaints(&self) -> Vec<String> {
        let lines = self.client.browser_log().await.expect("a log");
        let of = |line: &BrowserLogEntry, source| line.source.as_deref() == Some(source);
        let lines = lines.into_iter().filter(|line| !of(line, "network"));
        let lines = lines.filter(|line| line.level == "SEVERE" || of(line, "security"));
        lines.map(|line| line.message).collect()
    }
}
