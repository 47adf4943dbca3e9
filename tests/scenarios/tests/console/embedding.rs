//! The console in a frame of a platform.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::json;
use thirtyfour::By;
use tokio::net::TcpListener;

use crate::browser::Browser;
use crate::site::Site;

/// A platform that frames the console and hands it a token as soon as it is asked for one. Served on
/// an origin of its own: another port of this machine. Its page counts in `asked`, has the token in
/// `token`, or an empty text, and hands over another by `hand`.
struct Platform {
    listener: TcpListener,
    origin: String,
}

impl Platform {
    async fn new() -> Platform {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        Platform {
            listener,
            origin: format!("http://{address}"),
        }
    }

    /// Serves its page; answers where.
    fn frames(self, console: &str, token: &str) -> String {
        let page = format!(
            "<!doctype html><title>Platform</title>
             <iframe src=\"{console}/console/\" width=\"900\" height=\"700\"></iframe>
             <script>
             var asked = 0;
             var token = '{token}';
             function hand(given) {{
               const message = {{ type: 'tenon:token', token: given }};
               document.querySelector('iframe').contentWindow.postMessage(message, '{console}');
             }}
             addEventListener('message', (event) => {{
               if (event.origin !== '{console}' || event.data.type !== 'tenon:ready') return;
               asked += 1;
               if (token) hand(token);
             }});
             </script>"
        );
        let routes = Router::new().route("/", get(move || async { Html(page) }));
        tokio::spawn(axum::serve(self.listener, routes).into_future());
        self.origin
    }
}

#[tokio::test]
async fn a_named_platform_frames_the_console_and_signs_its_people_in() {
    let platform = Platform::new().await;
    let site = Site::start(&["--console-origin", &platform.origin]);
    let page = platform.frames(site.url(), site.token());
    let browser = Browser::open("en").await;
    browser.client.goto(&page).await.expect("the platform");
    let frame = browser
        .client
        .find(By::Css("iframe"))
        .await
        .expect("a frame");
    frame.enter_frame().await.expect("the frame");
    browser.heading("nav.tenants").await;
    assert_eq!(Vec::<String>::new(), browser.complaints().await);
}

#[tokio::test]
async fn the_next_person_in_the_frame_begins_anew_and_nobody_is_resumed() {
    let platform = Platform::new().await;
    let site = Site::start(&["--console-origin", &platform.origin]);
    for (tenant, name, language) in [("shop", "Крамниця", "uk"), ("depot", "Склад", "ru")]
    {
        let tenant = json!({
            "id": tenant, "name": name, "time_zone": "Europe/Kyiv", "language": language,
            "currency": "UAH",
        });
        site.post("/tenants", tenant).await;
    }
    let (olena, taras) = (
        site.token_of("shop", "Olena").await,
        site.token_of("depot", "Taras").await,
    );
    let page = platform.frames(site.url(), &olena);
    let browser = Browser::open("en").await;
    browser.client.goto(&page).await.expect("the platform");
    browser.client.enter_frame(0).await.expect("the frame");
    browser.heading_of("Крамниця").await;
    // Who chose no language is spoken to in the tenant's.
    browser
        .until("return document.documentElement.lang === 'uk'")
        .await;

    browser.client.enter_parent_frame().await.expect("the page");
    browser.run("hand(arguments[0])", vec![taras.into()]).await;
    browser.client.enter_frame(0).await.expect("the frame");
    browser.heading_of("Склад").await;
    let who = "return document.querySelector('.who')?.innerText.includes('Taras') === true";
    browser.until(who).await;

    browser.client.enter_parent_frame().await.expect("the page");
    let again = "token = ''; asked = 0;
        document.querySelector('iframe').src = document.querySelector('iframe').src";
    browser.run(again, Vec::new()).await;
    browser.until("return asked === 1").await;
    browser.client.enter_frame(0).await.expect("the frame");
    browser.heading("sign_in.title").await;
}

#[tokio::test]
async fn a_platform_that_hands_a_refused_token_again_is_not_asked_again_and_again() {
    let platform = Platform::new().await;
    let site = Site::start(&["--console-origin", &platform.origin]);
    let page = platform.frames(site.url(), &format!("tnn_{}", "A".repeat(43)));
    let browser = Browser::open("en").await;
    browser.client.goto(&page).await.expect("the platform");
    browser.client.enter_frame(0).await.expect("the frame");
    browser.wait("//*[@role='alert']/p").await;
    for _ in 0..5 {
        // As long as another attempt would take.
        let me = "return fetch('../v1/me').then((answer) => answer.status)";
        assert_eq!(401, browser.run(me, Vec::new()).await);
    }
    browser.client.enter_parent_frame().await.expect("the page");
    // At the start, and when the token was refused.
    assert_eq!(2, browser.run("return asked", Vec::new()).await);

    let good = vec![site.token().into()];
    browser.run("hand(arguments[0])", good).await;
    browser.client.enter_frame(0).await.expect("the frame");
    browser.heading("nav.tenants").await;
}

#[tokio::test]
async fn any_other_page_cannot_frame_the_console() {
    let named = Platform::new().await;
    let site = Site::start(&["--console-origin", &named.origin]);
    let page = Platform::new().await.frames(site.url(), site.token());
    let browser = Browser::open("en").await;
    browser.client.goto(&page).await.expect("the other page");
    let refused = browser.complaint().await;
    assert!(refused.contains("frame-ancestors"), "{refused}");
    let frame = browser
        .client
        .find(By::Css("iframe"))
        .await
        .expect("a frame");
    frame.enter_frame().await.expect("the frame");
    let app = browser
        .client
        .find_all(By::Css("#app"))
        .await
        .expect("a list");
    assert!(app.is_empty(), "the console is shown");
}

#[tokio::test]
async fn a_token_from_a_page_that_was_not_named_is_not_taken() {
    let site = Site::start(&[]);
    let browser = Browser::open("en").await;
    browser
        .client
        .goto(&format!("{}/console/", site.url()))
        .await
        .expect("the console");
    browser.heading("sign_in.title").await;
    let script = "window.postMessage({ type: 'tenon:token', token: arguments[0] }, '*')";
    browser.run(script, vec![site.token().into()]).await;
    // Messages come in order: once this one was heard, the one before was, too.
    let heard =
        "addEventListener('message', (event) => { if (event.data === 'end') window.ended = true });
        window.postMessage('end', '*')";
    browser.run(heard, Vec::new()).await;
    browser.until("return window.ended === true").await;
    browser.heading("sign_in.title").await;
    assert_eq!(
        0,
        browser
            .run("return sessionStorage.length", Vec::new())
            .await
    );
}
