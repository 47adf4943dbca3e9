//! Runs a simulator from the command line until interrupted, for demos, benchmarks and trying out
//! requests by hand.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use tenon_simulators::{keycrm, moysklad, shoplite};

/// Serves a counterpart's web API on loopback.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    counterpart: Counterpart,
}

#[derive(Subcommand)]
enum Counterpart {
    /// KeyCRM's Open API over a seeded account.
    Keycrm(Keycrm),
    /// MoySklad's JSON API remap 1.2 over the seeded account of a shop of car parts.
    Moysklad(Moysklad),
    /// The invented shop of the example connector, on a free port.
    Shoplite,
}

#[derive(Args)]
struct Keycrm {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// The key to let in.
    #[arg(long, default_value = "simulated-keycrm-key")]
    api_key: String,
    /// Number of orders.
    #[arg(long, default_value_t = 200)]
    orders: usize,
    /// Number of products.
    #[arg(long, default_value_t = 60)]
    products: usize,
    /// Decides the account.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Requests per window; 0 lifts the limit.
    #[arg(long, default_value_t = 60)]
    limit: u32,
    /// Seconds of that window.
    #[arg(long, default_value_t = 60)]
    window: u64,
    /// First moment at which an order may have been placed (RFC 3339); thirty days before the last
    /// unless given.
    #[arg(long)]
    ordered_from: Option<Timestamp>,
    /// Last moment at which an order may have been placed (RFC 3339); now unless given.
    #[arg(long)]
    ordered_to: Option<Timestamp>,
    /// Share of orders in a final status.
    #[arg(long, default_value_t = 0.6)]
    share_final: f64,
    /// Share of products with variants.
    #[arg(long, default_value_t = 0.3)]
    with_variants: f64,
    /// Never compress answers.
    #[arg(long)]
    no_compression: bool,
}

impl Keycrm {
    fn config(self) -> keycrm::Config {
        let usual = keycrm::Config::default();
        keycrm::Config {
            listen: self.listen,
            api_key: self.api_key,
            requests_per_minute: (self.limit > 0).then_some(self.limit),
            window: Duration::from_secs(self.window),
            compression: !self.no_compression,
            seed: self.seed,
            orders: self.orders,
            products: self.products,
            with_variants: self.with_variants,
            share_final: self.share_final,
            ordered_from: self.ordered_from,
            ordered_to: self.ordered_to.unwrap_or(usual.ordered_to),
            behaviour: usual.behaviour,
        }
    }
}

#[derive(Args)]
struct Moysklad {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8082")]
    listen: SocketAddr,
    /// Login of the administrator.
    #[arg(long, default_value = "admin@autoparts")]
    login: String,
    /// Password of the administrator.
    #[arg(long, default_value = "simulated-moysklad-password")]
    password: String,
    /// Token of the application.
    #[arg(long, default_value = "5170a7ed5170a7ed5170a7ed5170a7ed5170a7ed")]
    token: String,
    /// Number of products.
    #[arg(long, default_value_t = 120)]
    products: usize,
    /// Number of counterparties.
    #[arg(long, default_value_t = 40)]
    counterparties: usize,
    /// Number of orders.
    #[arg(long, default_value_t = 20)]
    orders: usize,
    /// Decides the account.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Units per window; 0 lifts the limits of requests.
    #[arg(long, default_value_t = 45)]
    limit: u32,
    /// Seconds of that window.
    #[arg(long, default_value_t = 3)]
    window: u64,
    /// Never compress answers.
    #[arg(long)]
    no_compression: bool,
}

impl Moysklad {
    fn config(self) -> moysklad::Config {
        let limits = if self.limit == 0 {
            moysklad::Limits::none()
        } else {
            moysklad::Limits {
                units: Some(self.limit),
                window: Duration::from_secs(self.window),
                ..moysklad::Limits::default()
            }
        };
        moysklad::Config {
            listen: self.listen,
            login: self.login,
            password: self.password,
            token: self.token,
            limits,
            compression: !self.no_compression,
            clock_runs: true,
            webhooks_at_once: true,
            seed: self.seed,
            products: self.products,
            counterparties: self.counterparties,
            orders: self.orders,
            ..moysklad::Config::default()
        }
    }
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().counterpart {
        Counterpart::Keycrm(arguments) => {
            let config = arguments.config();
            let (listen, key) = (config.listen, config.api_key.clone());
            let sim = keycrm::start(config).with_context(|| refused(listen))?;
            println!("KeyCRM  {}", sim.url());
            println!("key     {key}");
            serve()
        }
        Counterpart::Moysklad(arguments) => {
            let config = arguments.config();
            let listen = config.listen;
            let (token, login, password) = (
                config.token.clone(),
                config.login.clone(),
                config.password.clone(),
            );
            let sim = moysklad::start(config).with_context(|| refused(listen))?;
            println!("MoySklad  {}", sim.url());
            println!("files     {}", sim.storage_urls().join(" "));
            println!("token     {token}");
            println!("login     {login}  {password}");
            serve()
        }
        Counterpart::Shoplite => {
            let sim = shoplite::start(shoplite::Config::default())?;
            println!("Shoplite  {}", sim.url());
            println!("key       {}", shoplite::KEY);
            serve()
        }
    }
}

fn refused(listen: SocketAddr) -> String {
    format!("cannot listen on {listen}")
}

/// Until interrupted.
fn serve() -> anyhow::Result<()> {
    std::io::stdout().flush()?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(tokio::signal::ctrl_c())?;
    Ok(())
}
