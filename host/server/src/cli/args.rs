//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context as _;
use clap::{Args as ClapArgs, Parser, Subcommand};
use tenon_host::ids::{BadName, ConnectionId, TenantId};
use tenon_host::{HostPattern, Secret};

use crate::control::tokens::Scope;
use crate::origin::Origin;
use crate::told::{Refusal, refusal};
use crate::vault::is_placeholder;
use crate::versions::signature::TrustedKey;

/// Runs connectors over the embedded ERP, one at a time by hand or as a server for tenants.
///
/// Exit status: 0 done; 1 finished, but some records failed or something was not done that needs
/// your agreement; 2 could not run or finish; 130 stopped by Ctrl-C.
#[derive(Debug, Parser)]
#[command(name = "tenon", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Language of what connectors, the ERP and the host tell: en, uk or ru; else that of LANG.
    #[arg(long, global = true, value_name = "LANGUAGE")]
    pub lang: Option<String>,
}

/// What `tenon` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server: connections on their schedules, webhooks, the HTTP API and the console.
    Serve(Serve),
    /// Run a job of a connector until it is done.
    Run(Run),
    /// Try the credentials of a connection.
    Check(Connect),
    /// List the values that the counterpart offers for a setting, such as its order statuses.
    Choices(Choices),
    /// Show what a component is: its jobs, settings, endpoints and imports.
    Inspect(Inspect),
    /// Show records of a tenant's ERP.
    Records(Records),
    /// Load records from a JSON file into a tenant's ERP.
    Load(Load),
    /// Show what the runs of a tenant logged, as far back as it is kept.
    Log(Log),
    /// Show what the server's runs of a tenant changed, field by field, as far back as it is kept.
    Changes(Changes),
    /// Manage the stored credentials of connections.
    #[command(subcommand)]
    Credential(Credential),
    /// Hold connections while something is worked on, and let them go on.
    #[command(subcommand)]
    Maintenance(Maintenance),
    /// Manage the tokens of the HTTP API.
    #[command(subcommand)]
    Token(Token),
    /// Manage the key that seals stored credentials.
    #[command(subcommand)]
    Key(Key),
    /// Copy the data folder, also while a server works on it.
    Backup(Backup),
    /// Put a backup, or one tenant of it, into a data folder on which no server works.
    Restore(Restore),
    /// Compile the component on standard input, within limits; `tenon` starts itself with this.
    #[command(hide = true)]
    CompileComponent {
        /// Bytes of memory and seconds of computing.
        limits: Vec<OsString>,
    },
}

/// The hidden command, as `tenon` writes it for itself.
pub const COMPILE_COMPONENT: &str = "compile-component";

/// Which tenant.
#[derive(Clone, Debug, ClapArgs)]
pub struct Place {
    /// Data folder; it holds everything.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Name of the tenant.
    #[arg(long, value_name = "NAME")]
    pub tenant: TenantId,
}

/// Which connection.
#[derive(Debug, ClapArgs)]
pub struct Which {
    /// Name of the connector.
    pub connector: String,
    #[command(flatten)]
    pub place: Place,
    /// Name of the connection, where a tenant has several of one connector; by default the
    /// connector's name.
    #[arg(long, value_name = "NAME")]
    pub connection: Option<ConnectionId>,
}

impl Which {
    /// The name of the connection; that of its connector unless it has one of its own.
    pub fn id(&self) -> Result<ConnectionId, BadName> {
        match &self.connection {
            Some(id) => Ok(id.clone()),
            None => self.connector.parse(),
        }
    }
}

/// A connection and how it is opened.
#[derive(Debug, ClapArgs)]
pub struct Connect {
    #[command(flatten)]
    pub which: Which,
    /// JSON file with the settings.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// A credential and where its secret is: env:VARIABLE or file:PATH. By default the stored one is
    /// used.
    #[arg(long = "credential", value_name = "NAME=SOURCE")]
    pub credentials: Vec<CredentialSource>,
    /// Allow an address that is refused by default: plain http, or this machine.
    #[arg(long = "grant", value_name = "ORIGIN")]
    pub grants: Vec<Origin>,
    /// Lift the request budget of the connector's manifest.
    #[arg(long)]
    pub no_budget: bool,
    /// A limit for the run, such as memory=134217728, elapsed_ms=600000 or requests=5000.
    #[arg(long = "limit", value_name = "NAME=NUMBER", value_parser = parse_limit)]
    pub limits: Vec<(String, u64)>,
    /// The component; by default connectors/NAME.wasm in the folder TENON_COMPONENTS.
    #[arg(long, value_name = "FILE")]
    pub component: Option<PathBuf>,
    #[command(flatten)]
    pub home: Home,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What the people of a tenant take for granted. A tenant of the server has all of it already.
#[derive(Debug, ClapArgs)]
pub struct Home {
    /// Time zone of the tenant's days, such as Europe/Kyiv; UTC by default. A tenant of the server
    /// has its own.
    #[arg(long, value_name = "NAME")]
    pub time_zone: Option<String>,
    /// Language of the tenant's people: en, uk or ru; en by default. A tenant of the server has its
    /// own.
    #[arg(long, value_name = "CODE")]
    pub language: Option<String>,
    /// Home currency of the tenant, a code of ISO 4217; UAH by default. A tenant of the server has its
    /// own.
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
}

/// `tenon serve`.
#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// Data folder; it holds everything.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    pub listen: SocketAddr,
    /// Address at which counterparts reach this server with their webhooks; by default the one that
    /// it listens on.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<url::Url>,
    /// Origin whose pages may embed the console in a frame.
    #[arg(long, value_name = "ORIGIN")]
    pub console_origin: Option<Origin>,
    /// Most runs at the same time; 128 by default. One that waits for its counterpart takes memory and
    /// no core.
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| within(text, 1..=1000))]
    pub runs: Option<u32>,
    /// Seconds after which a run gives way when others wait; 10 by default.
    #[arg(long, value_name = "SECONDS")]
    pub slice: Option<u64>,
    /// Public key of minisign whose signatures are trusted; may be given several times.
    #[arg(long = "trusted-key", value_name = "KEY")]
    pub trusted_keys: Vec<TrustedKey>,
    /// Accept only components that are signed by one of the trusted keys.
    #[arg(long, requires = "trusted_keys")]
    pub require_signature: bool,
    /// Registry to ask over plain http, as host:port, for local testing; may be given several times.
    #[arg(long = "plain-registry", value_name = "HOST")]
    pub plain_registries: Vec<String>,
    /// File with logins for registries, as `docker login` writes it.
    #[arg(long, value_name = "FILE")]
    pub registry_logins: Option<PathBuf>,
    /// Where the first token is, when there is none yet: env:VARIABLE or file:PATH. It is `tnn_` and 43
    /// letters, digits, `-` and `_`. Without this one is made and printed.
    #[arg(long, value_name = "SOURCE")]
    pub first_token: Option<SecretSource>,
    /// Most connections of clients at one time; 1024 by default, and never more than a quarter of the
    /// files that the system lets this process open.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1024,
        hide_default_value = true
    )]
    pub connections: usize,
    /// Most connections from one address; 512 by default. Behind a proxy all come from one.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 512,
        hide_default_value = true
    )]
    pub connections_per_address: usize,
    /// Requests that a token may send a second; 300 by default. Those of ten seconds may come at once.
    #[arg(long, value_name = "NUMBER")]
    pub requests_per_token: Option<NonZeroU32>,
    /// Host that connections may go to, as api.example.com, *.example.com or 10.0.0.5:8080; may be
    /// given several times. Without it they may go to any.
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allowed_hosts: Vec<HostPattern>,
    /// Folder from which components may be installed by their paths; without it none are.
    #[arg(long, value_name = "DIR")]
    pub source_root: Option<PathBuf>,
    /// Registry from which components may be installed, as host or host:port; may be given several
    /// times. Without it any at a public address is asked; one that is named may be at a private one.
    #[arg(long = "registry", value_name = "HOST")]
    pub registries: Vec<String>,
    /// Write the log as JSON, one object per line.
    #[arg(long)]
    pub log_json: bool,
}

/// `tenon run`.
#[derive(Debug, ClapArgs)]
pub struct Run {
    #[command(flatten)]
    pub connect: Connect,
    /// Name of the job.
    // After the connector's name on the command line.
    #[arg(index = 2)]
    pub job: String,
    /// Argument of the job.
    #[arg(long)]
    pub argument: Option<String>,
    /// Only find out what would be done; change nothing on either side.
    #[arg(long)]
    pub preview: bool,
    /// Go over everything, whatever was exchanged before, and tell where the sides differ; change
    /// nothing on either side.
    #[arg(long, conflicts_with = "preview")]
    pub compare: bool,
    /// Print every record that is changed, or would be, field by field; with --json each as an object
    /// on a line of its own, before the report's.
    #[arg(long)]
    pub changes: bool,
    /// Agree to what an earlier run asked, by the id that it printed; may be given several times.
    #[arg(long = "confirm", value_name = "ID")]
    pub confirmed: Vec<String>,
    /// Show the run's whole log, including the rule that matched each record.
    #[arg(short, long)]
    pub verbose: bool,
}

/// `tenon maintenance`.
#[derive(Debug, Subcommand)]
pub enum Maintenance {
    /// Hold all connections, those of a connector or those of a tenant: nothing of them runs, and
    /// nothing is lost. A server that is at work obeys within a second.
    Begin(BeginMaintenance),
    /// Let them go on; what came due meanwhile runs once.
    End(WhichMaintenance),
    /// List what is held.
    List(ListMaintenance),
}

/// `tenon maintenance begin`.
#[derive(Debug, ClapArgs)]
pub struct BeginMaintenance {
    #[command(flatten)]
    pub which: WhichMaintenance,
    /// What for, for those who see that nothing runs.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
}

/// What is held; everything where neither is given.
#[derive(Debug, ClapArgs)]
pub struct WhichMaintenance {
    /// Data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Only the connections of this connector.
    #[arg(long, value_name = "NAME", conflicts_with = "tenant")]
    pub connector: Option<String>,
    /// Only the connections of this tenant.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<TenantId>,
}

/// `tenon maintenance list`.
#[derive(Debug, ClapArgs)]
pub struct ListMaintenance {
    /// Data folder.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `tenon choices`.
#[derive(Debug, ClapArgs)]
pub struct Choices {
    #[command(flatten)]
    pub connect: Connect,
    /// Name of the option, as in `x-options` of the settings schema.
    #[arg(index = 2)]
    pub option: String,
}

/// `tenon inspect`.
#[derive(Debug, ClapArgs)]
pub struct Inspect {
    /// The component.
    pub file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `tenon records`.
#[derive(Debug, ClapArgs)]
pub struct Records {
    /// orders, products, partners, stock, categories, bindings, runs, or a directory such as users,
    /// order-stages, warehouses.
    pub kind: String,
    #[command(flatten)]
    pub place: Place,
    /// Print a JSON array.
    #[arg(long)]
    pub json: bool,
}

/// `tenon load`.
#[derive(Debug, ClapArgs)]
pub struct Load {
    /// orders, products, partners, stock, categories, or a directory such as users.
    pub kind: String,
    /// JSON file with an array of records.
    pub file: PathBuf,
    #[command(flatten)]
    pub place: Place,
}

/// `tenon log`.
#[derive(Debug, ClapArgs)]
pub struct Log {
    #[command(flatten)]
    pub place: Place,
    /// Only lines of this connection.
    #[arg(long, value_name = "NAME")]
    pub connection: Option<ConnectionId>,
    /// Only lines about the record with this key.
    #[arg(long, value_name = "KEY")]
    pub record: Option<String>,
    /// How many lines to show, counted from the newest.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub lines: u32,
    /// Print a JSON array.
    #[arg(long)]
    pub json: bool,
}

/// `tenon changes`.
#[derive(Debug, ClapArgs)]
pub struct Changes {
    #[command(flatten)]
    pub place: Place,
    /// Only changes by this connection.
    #[arg(long, value_name = "NAME")]
    pub connection: Option<ConnectionId>,
    /// Only changes of the record with this key, origin, number or name.
    #[arg(long, value_name = "RECORD")]
    pub record: Option<String>,
    /// How many changed records to show, counted from the newest.
    #[arg(long, value_name = "NUMBER", default_value_t = 200)]
    pub lines: u32,
    /// Print a JSON array.
    #[arg(long)]
    pub json: bool,
}

/// `tenon credential`.
#[derive(Debug, Subcommand)]
pub enum Credential {
    /// Store a credential of a connection; one of the same name is replaced.
    Set(SetCredential),
    /// Show the names of a tenant's stored credentials.
    List(ListCredentials),
    /// Remove a stored credential for good.
    Remove(RemoveCredential),
}

/// `tenon credential set`.
#[derive(Debug, ClapArgs)]
pub struct SetCredential {
    #[command(flatten)]
    pub which: Which,
    /// Name of the credential, as `tenon inspect` shows it.
    #[arg(index = 2)]
    pub name: String,
    /// Where the secret is: env:VARIABLE or file:PATH.
    #[arg(long, value_name = "SOURCE")]
    pub from: SecretSource,
}

/// `tenon credential list`.
#[derive(Debug, ClapArgs)]
pub struct ListCredentials {
    #[command(flatten)]
    pub place: Place,
    /// Print a JSON array.
    #[arg(long)]
    pub json: bool,
}

/// `tenon credential remove`.
#[derive(Debug, ClapArgs)]
pub struct RemoveCredential {
    #[command(flatten)]
    pub which: Which,
    /// Name of the credential.
    #[arg(index = 2)]
    pub name: String,
}

/// `tenon token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Create a token and print its secret, which is shown this once.
    Create(CreateToken),
    /// Show the tokens, without their secrets.
    List(ListTokens),
    /// Revoke a token; the last one of the platform stays.
    Revoke(RevokeToken),
}

/// `tenon token create`.
#[derive(Debug, ClapArgs)]
pub struct CreateToken {
    /// Its name for people, also in the audit.
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub name: String,
    /// Data folder; it holds everything.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// What it may do: read, operate, manage or platform; each includes those before it.
    #[arg(long, value_name = "SCOPE", value_parser = parse_scope)]
    pub scope: Scope,
    /// The tenant that it is limited to; without it, it is one of the platform.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<TenantId>,
    /// Days after which it ends; never by default.
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| within(text, 1..=36_500))]
    pub days: Option<u32>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `tenon token list`.
#[derive(Debug, ClapArgs)]
pub struct ListTokens {
    /// Data folder; it holds everything.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Print a JSON array.
    #[arg(long)]
    pub json: bool,
}

/// `tenon token revoke`.
#[derive(Debug, ClapArgs)]
pub struct RevokeToken {
    /// Its identifier, as `tenon token list` shows it.
    pub id: String,
    /// Data folder; it holds everything.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// `tenon key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Seal all credentials with a new key and forget the old one.
    ///
    /// The key file of the data folder gets a new key. Where the variable TENON_KEY holds the keys,
    /// set it to NEW,OLD first: everything is then sealed with NEW, and OLD can be dropped.
    Rotate(Rotate),
}

/// `tenon key rotate`.
#[derive(Debug, ClapArgs)]
pub struct Rotate {
    /// Data folder; it holds everything.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `tenon backup`.
#[derive(Debug, ClapArgs)]
pub struct Backup {
    /// Data folder; it holds everything.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// A new folder for the copy.
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
    /// Only the file of this tenant: its records, and what its connections keep.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<TenantId>,
    /// Also the file `key`, with which whoever has the backup can read the stored credentials.
    #[arg(long, conflicts_with = "tenant")]
    pub with_key: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `tenon restore`.
#[derive(Debug, ClapArgs)]
pub struct Restore {
    /// Data folder: an empty one, or the one of the tenant.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The backup.
    #[arg(long, value_name = "FOLDER")]
    pub from: PathBuf,
    /// Only the file of this tenant. The one that is there goes into the folder `replaced`.
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<TenantId>,
    /// Print one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// A credential of the manifest and where its secret is.
#[derive(Clone, Debug)]
pub struct CredentialSource {
    name: String,
    source: SecretSource,
}

impl FromStr for CredentialSource {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let usage = || refusal("server.usage.not-a-credential");
        let (name, source) = text.split_once('=').ok_or_else(usage)?;
        Ok(CredentialSource {
            name: name.to_owned(),
            source: source.parse().map_err(|_| usage())?,
        })
    }
}

impl CredentialSource {
    /// Fetches the secret.
    pub fn read(&self) -> anyhow::Result<(String, Secret)> {
        Ok((self.name.clone(), self.source.read(&self.name)?))
    }
}

/// Where a secret is: never on the command line, which other users of the machine can read.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// In an environment variable.
    Variable(String),
    /// In a file, which may end with a line break.
    File(PathBuf),
}

impl FromStr for SecretSource {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text.split_once(':') {
            Some(("env", variable)) => Ok(SecretSource::Variable(variable.to_owned())),
            Some(("file", path)) => Ok(SecretSource::File(path.into())),
            _ => Err(refusal("server.usage.not-a-secret-source")),
        }
    }
}

impl SecretSource {
    /// Fetches the secret of a credential.
    pub fn read(&self, credential: &str) -> anyhow::Result<Secret> {
        (self.text(&format!("`{credential}`"))).map(Secret::new)
    }

    /// Whether it is a file that not only its owner can read.
    pub fn is_open_to_others(&self) -> bool {
        let SecretSource::File(path) = self else {
            return false;
        };
        #[cfg(unix)]
        return path.metadata().is_ok_and(|file| {
            std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o077 != 0
        });
        #[cfg(not(unix))]
        false
    }

    /// Fetches the text of something, which errors call so.
    pub fn text(&self, what: &str) -> anyhow::Result<String> {
        let (mut secret, absence) = match self {
            SecretSource::Variable(variable) => (
                std::env::var(variable).unwrap_or_default(),
                refusal("server.variable-not-set").arg("variable", variable),
            ),
            SecretSource::File(path) => (
                std::fs::read_to_string(path)
                    .with_context(|| format!("{what}: {}", path.display()))?,
                refusal("server.file-is-empty").arg("file", path.display()),
            ),
        };
        if matches!(self, SecretSource::File(_)) {
            secret.truncate(secret.trim_end_matches(['\r', '\n']).len());
        }
        if secret.is_empty() {
            return Err(anyhow::Error::from(absence).context(what.to_owned()));
        }
        if is_placeholder(&secret) {
            let why = anyhow::Error::from(refusal("server.secret-placeholder"));
            return Err(why.context(what.to_owned()));
        }
        Ok(secret)
    }
}

/// A whole number of a range.
fn within(text: &str, range: RangeInclusive<u32>) -> Result<u32, Refusal> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        (refusal("server.usage.out-of-range").arg("text", text))
            .arg("least", range.start())
            .arg("most", range.end())
    })
}

fn parse_scope(text: &str) -> Result<Scope, Refusal> {
    let all = [Scope::Read, Scope::Operate, Scope::Manage, Scope::Platform];
    let known = all.into_iter().find(|scope| scope.name() == text);
    known.ok_or_else(|| refusal("server.usage.not-a-scope"))
}

fn parse_limit(text: &str) -> Result<(String, u64), Refusal> {
    let usage = || refusal("server.usage.not-a-limit");
    let (name, number) = text.split_once('=').ok_or_else(usage)?;
    Ok((name.to_owned(), number.parse().map_err(|_| usage())?))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_command_that_compiles_is_known_by_its_name_and_not_shown() {
        let args = Args::parse_from(["tenon", COMPILE_COMPONENT, "1024", "60"]);
        assert!(
            matches!(args.command, Command::CompileComponent { limits } if limits == ["1024", "60"])
        );
        let help = Args::command().render_help().to_string();
        assert!(!help.contains(COMPILE_COMPONENT), "{help}");
    }
}
