//! Whose records a connection exchanges, and whether they are still the same account's.
//!
//! The threat: somebody gives a connection the credential of another account, by mistake or because
//! the shop has a new one. Ids of two accounts look alike, so order 1 of the one would overwrite order
//! 1 of the other. So the account's identity is part of every origin, it is known before a run
//! begins, and where it may have changed, people are asked first.
//!
//! Here is what is decided, by pure functions; [`Host`](crate::Host) asks and keeps.

use std::collections::{BTreeMap, HashMap};

use chacha20poly1305::aead::Generate as _;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::contract::exports::tenon::connector::sync;
use crate::host::CallError;
use crate::manifest::Manifest;
use crate::observe::tidy;
use crate::platform::Account;
use crate::reason::{HOST, LANGUAGES, Mend, Reason};
use crate::report::{ACCOUNT, Question};
use crate::secret::Secret;

/// Most facts that an account is known by.
const MOST_FACTS: usize = 50;
/// Longest id of an account, in bytes: it is a part of every origin.
const LONGEST_ID: usize = 100;
/// Bytes of a fact's digest. They tell values apart, and are too few to guess what they were.
const FACT: usize = 6;
/// Bytes of an identity that is made up.
const IDENTITY: usize = 16;

/// What a check learnt of the account at the counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundAccount {
    /// The counterpart's own id; none where it tells none.
    pub id: Option<String>,
    /// For people.
    pub name: String,
    /// Names and values by which the account is known again.
    pub facts: Vec<(String, String)>,
    /// What people should know before they switch the connection on.
    pub notes: Vec<Reason>,
}

impl FoundAccount {
    /// What a guest said, with every text fit for people and at most so many bytes long.
    pub(crate) fn read(account: sync::Account, most: usize) -> Result<FoundAccount, CallError> {
        let fits = |id: &String| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
            (1..=LONGEST_ID).contains(&id.len()) && id.chars().all(allowed)
        };
        if account.id.as_ref().is_some_and(|id| !fits(id)) {
            let reason = Reason::new("host.crash.account-id").arg("most", LONGEST_ID);
            return Err(CallError::Crashed(reason));
        }
        if account.facts.len() > MOST_FACTS {
            let reason = Reason::new("host.crash.account-facts").arg("most", MOST_FACTS);
            return Err(CallError::Crashed(reason));
        }
        let shown = |mut text: String| {
            tidy(&mut text, most);
            text
        };
        let mut notes = account.notes;
        for note in &mut notes {
            note.tidy(most);
        }
        Ok(FoundAccount {
            id: account.id,
            name: shown(account.name),
            facts: (account.facts.into_iter())
                .map(|(name, value)| (shown(name), shown(value)))
                .collect(),
            notes,
        })
    }
}

/// Where a connection goes and what it signs with, as a digest: another one may lead to another
/// account. It stays in memory; what is kept of it is a [`mark`].
pub(crate) fn way<'a>(
    manifest: &Manifest,
    addresses: impl Iterator<Item = &'a Url>,
    credentials: &HashMap<String, Secret>,
) -> [u8; 32] {
    let mut digest = Sha256::new();
    for (endpoint, address) in manifest.endpoints.iter().zip(addresses) {
        // Accounts of one server may be told apart by their paths.
        part(
            &mut digest,
            address.as_str().trim_end_matches('/').as_bytes(),
        );
        let mut given = endpoint.credentials.iter();
        if let Some((name, secret)) = given.find_map(|name| Some((name, credentials.get(name)?))) {
            part(&mut digest, name.as_bytes());
            part(&mut digest, secret.expose().as_ref());
        }
    }
    digest.finalize().into()
}

/// What is kept beside an account to tell whether a connection still goes the same way.
///
/// It lies in the file of the tenant, unsealed and in all of its backups, so it must not help who
/// guesses at a password. It has 16 bits: of all guesses, one in 65,536 fits, which confirms none;
/// and one in 65,536 changes of a credential goes unnoticed. The identity of the books is its salt,
/// so that one credential in two tenants has two marks.
pub(crate) fn mark(books: &str, way: &[u8; 32]) -> u16 {
    let digest = digest(&[b"mark", books.as_bytes(), way]);
    u16::from_be_bytes([digest[0], digest[1]])
}

/// What is to be done about an account that was found.
#[derive(Debug, PartialEq)]
pub(crate) enum Recognised {
    /// It is the connection's, as it is to be kept from now on.
    Own(Account),
    /// It is another one, or may be: people are asked. When they agree, it is kept like this.
    Doubtful(Box<(Account, Question)>),
}

/// Who asks whose account it is.
pub(crate) struct Asking<'a> {
    /// Name of the connector.
    pub connector: &'a str,
    /// Identity of the books.
    pub books: &'a str,
    /// [`mark`] of the way on which the account was found.
    pub mark: u16,
    /// The credential that puts it right; none where nothing is signed.
    pub credential: Option<&'a str>,
}

impl Asking<'_> {
    /// Holds an account that was found against the one that the connection had, if any, and those
    /// that are known in the tenant.
    pub fn recognise(
        &self,
        own: Option<&Account>,
        known: &[Account],
        found: &FoundAccount,
    ) -> Recognised {
        let facts = self.facts(found);
        let Some(own) = own else {
            return Recognised::Own(self.taken(known, found, facts));
        };
        // What is not told any more may be told again.
        let same = |kept: BTreeMap<String, String>| Account {
            name: found.name.clone(),
            facts: kept.into_iter().chain(facts.clone()).collect(),
            mark: self.mark,
            ..own.clone()
        };
        match likeness(own, found.id.as_deref(), &facts) {
            Likeness::Same => Recognised::Own(same(own.facts.clone())),
            Likeness::Unsure => {
                let question = self.question("host.unsure-account", own, found, &facts);
                Recognised::Doubtful(Box::new((same(BTreeMap::new()), question)))
            }
            Likeness::Other => {
                let question = self.question("host.other-account", own, found, &facts);
                Recognised::Doubtful(Box::new((self.taken(known, found, facts), question)))
            }
        }
    }

    /// An account that the connection did not have before. Connections of one account share its
    /// identity, and one that is connected again has the identity that it had.
    fn taken(
        &self,
        known: &[Account],
        found: &FoundAccount,
        facts: BTreeMap<String, String>,
    ) -> Account {
        let met = known.iter().find(|known| {
            known.connector == self.connector
                && likeness(known, found.id.as_deref(), &facts) == Likeness::Same
        });
        let (id, made_up) = match (met, &found.id) {
            (Some(met), _) => (met.id.clone(), met.made_up),
            (None, Some(id)) => (id.clone(), false),
            (None, None) => (self.made_up(&facts), true),
        };
        Account {
            connector: self.connector.to_owned(),
            id,
            name: found.name.clone(),
            facts,
            made_up,
            mark: self.mark,
        }
    }

    /// An identity for an account that has none of its own.
    ///
    /// It follows from the facts as they are now, so that two connections which find the account at
    /// the same moment, and a preview before the first run, give it one and the same. It is kept, so
    /// later it is the same whatever becomes of the facts. An account without any fact is told apart
    /// from all others by chance alone.
    fn made_up(&self, facts: &BTreeMap<String, String>) -> String {
        if facts.is_empty() {
            return hex::encode(<[u8; IDENTITY]>::generate());
        }
        let mut parts = vec![
            b"identity".as_slice(),
            self.books.as_bytes(),
            self.connector.as_bytes(),
        ];
        for (name, value) in facts {
            parts.extend([name.as_bytes(), value.as_bytes()]);
        }
        hex::encode(&digest(&parts)[..IDENTITY])
    }

    /// The facts as they are kept: digests, because what tells an account from others, such as who
    /// opened it, is nobody's business for ever.
    fn facts(&self, found: &FoundAccount) -> BTreeMap<String, String> {
        let facts = found.facts.iter().map(|(name, value)| {
            let parts = [
                b"fact",
                self.books.as_bytes(),
                name.as_bytes(),
                value.as_bytes(),
            ];
            (name.clone(), hex::encode(&digest(&parts)[..FACT]))
        });
        facts.collect()
    }

    /// The question is another one for every pair of accounts, so that an answer counts for nothing
    /// else.
    fn question(
        &self,
        code: &str,
        own: &Account,
        found: &FoundAccount,
        facts: &BTreeMap<String, String>,
    ) -> Question {
        let mut parts = vec![code.as_bytes(), own.connector.as_bytes(), own.id.as_bytes()];
        match &found.id {
            Some(id) => parts.push(id.as_bytes()),
            None => {
                for (name, value) in facts {
                    parts.extend([name.as_bytes(), value.as_bytes()]);
                }
            }
        }
        let mut why = Reason::new(code)
            .arg("known", &own.name)
            .arg("found", &found.name)
            .detail(format_args!(
                "known: {}; found: {}",
                own.id,
                found.id.as_deref().unwrap_or("no id")
            ));
        if let Some(credential) = self.credential {
            why = why.mend(Mend::Credential(credential.to_owned()));
        }
        Question {
            id: hex::encode(&digest(&parts)[..12]),
            text: HOST.text(&why, LANGUAGES[0]),
            why,
            kind: ACCOUNT.to_owned(),
            affected: 1,
            total: 1,
            samples: vec![own.name.clone(), found.name.clone()],
        }
    }
}

/// How much a found account is like one that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Same,
    Other,
    Unsure,
}

/// Where both ids are the counterpart's own they decide, else the facts that both sides tell: most
/// of them agree, or all of them contradict.
fn likeness(known: &Account, id: Option<&str>, facts: &BTreeMap<String, String>) -> Likeness {
    if let (Some(id), false) = (id, known.made_up) {
        return if known.id == id {
            Likeness::Same
        } else {
            Likeness::Other
        };
    }
    let (mut agree, mut contradict) = (0, 0);
    for (name, value) in facts {
        match known.facts.get(name) {
            Some(kept) if kept == value => agree += 1,
            Some(_) => contradict += 1,
            None => {}
        }
    }
    if agree > contradict {
        Likeness::Same
    } else if agree == 0 && contradict > 0 {
        Likeness::Other
    } else {
        Likeness::Unsure
    }
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for bytes in parts {
        part(&mut digest, bytes);
    }
    digest.finalize().into()
}

/// Parts of one digest are kept apart by their lengths.
fn part(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_le_bytes());
    digest.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKING: Asking<'static> = Asking {
        connector: "keycrm",
        books: "b00c5",
        mark: 7,
        credential: Some("api_key"),
    };

    fn found(id: Option<&str>, facts: &[(&str, &str)]) -> FoundAccount {
        FoundAccount {
            id: id.map(str::to_owned),
            name: format!("CRM {}", id.unwrap_or("without an id")),
            facts: (facts.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            notes: Vec::new(),
        }
    }

    fn own(own: Option<&Account>, known: &[Account], found: &FoundAccount) -> Account {
        match ASKING.recognise(own, known, found) {
            Recognised::Own(account) => account,
            Recognised::Doubtful(..) => panic!("{found:?} is not known again"),
        }
    }

    fn doubtful(own: &Account, known: &[Account], found: &FoundAccount) -> (Account, Question) {
        match ASKING.recognise(Some(own), known, found) {
            Recognised::Own(account) => panic!("{account:?} is taken for {found:?}"),
            Recognised::Doubtful(doubtful) => *doubtful,
        }
    }

    const FACTS: [(&str, &str); 3] = [
        ("user 1", "2020"),
        ("source 1", "2021"),
        ("source 2", "2022"),
    ];

    #[test]
    fn the_first_account_is_taken_with_its_own_id_or_one_that_is_made_up_for_it() {
        let told = own(None, &[], &found(Some("4f5c"), &[]));
        assert_eq!(("4f5c", false), (told.id.as_str(), told.made_up));
        let made = own(None, &[], &found(None, &FACTS));
        assert!(made.made_up && made.id.len() == 2 * IDENTITY, "{made:?}");
        // Whoever finds it at the same moment gives it the same.
        assert_eq!(made, own(None, &[], &found(None, &FACTS)));
        let elsewhere = Asking {
            books: "other",
            ..ASKING
        };
        let Recognised::Own(elsewhere) = elsewhere.recognise(None, &[], &found(None, &FACTS))
        else {
            panic!("the first account is nobody else's");
        };
        assert_ne!(made.id, elsewhere.id);
        let bare = || own(None, &[], &found(None, &[])).id;
        assert_ne!(bare(), bare());
    }

    #[test]
    fn an_id_of_the_counterpart_decides_alone() {
        let known = own(None, &[], &found(Some("a"), &FACTS));
        let again = own(Some(&known), &[], &found(Some("a"), &[("user 1", "1999")]));
        assert_eq!("a", again.id);
        let (other, question) = doubtful(&known, &[], &found(Some("b"), &FACTS));
        assert_eq!(
            ("b", "host.other-account"),
            (other.id.as_str(), question.why.code.as_str())
        );
        assert_eq!(
            Some(Mend::Credential("api_key".to_owned())),
            question.why.mend
        );
        for name in ["CRM a", "CRM b"] {
            assert!(question.text.contains(name), "{}", question.text);
        }
    }

    #[test]
    fn without_an_id_most_facts_decide_and_those_that_are_gone_do_not_count() {
        let known = own(None, &[], &found(None, &FACTS));
        for (facts, likeness) in [
            (
                vec![("user 1", "2020"), ("source 1", "2021"), ("source 2", "x")],
                Likeness::Same,
            ),
            (
                vec![("source 2", "2022"), ("source 9", "2026")],
                Likeness::Same,
            ),
            (
                vec![("user 1", "2020"), ("source 1", "x")],
                Likeness::Unsure,
            ),
            (
                vec![("user 1", "2020"), ("source 1", "x"), ("source 2", "x")],
                Likeness::Unsure,
            ),
            (vec![("source 9", "2026")], Likeness::Unsure),
            (vec![], Likeness::Unsure),
            (
                vec![("user 1", "x"), ("source 1", "x"), ("source 9", "2026")],
                Likeness::Other,
            ),
        ] {
            let found = found(None, &facts);
            assert_eq!(
                likeness,
                super::likeness(&known, None, &ASKING.facts(&found)),
                "{facts:?}"
            );
        }
        // A fact that a check did not tell is no fact against the next.
        let fewer = own(Some(&known), &[], &found(None, &FACTS[..1]));
        assert_eq!(known, own(Some(&fewer), &[], &found(None, &FACTS)));
    }

    #[test]
    fn a_counterpart_that_begins_to_tell_an_id_changes_no_identity() {
        let known = own(None, &[], &found(None, &FACTS));
        let told = own(Some(&known), &[], &found(Some("4f5c"), &FACTS));
        assert_eq!((&known.id, true), (&told.id, told.made_up));
    }

    #[test]
    fn who_agrees_takes_another_account_over_or_keeps_one_that_has_changed_much() {
        let known = own(None, &[], &found(None, &FACTS));
        let strange = [("user 1", "a"), ("source 1", "b")];
        let (other, asked) = doubtful(&known, &[], &found(None, &strange));
        assert_ne!(known.id, other.id);
        assert_eq!("host.other-account", asked.why.code);
        let half = [("user 1", "2020"), ("source 1", "b")];
        let (kept, unsure) = doubtful(&known, &[], &found(None, &half));
        assert_eq!(
            ("host.unsure-account", &known.id),
            (unsure.why.code.as_str(), &kept.id)
        );
        assert_eq!(kept.facts, ASKING.facts(&found(None, &half)));
        let (_, another) = doubtful(
            &known,
            &[],
            &found(None, &[("user 1", "c"), ("source 1", "b")]),
        );
        assert_ne!(asked.id, another.id, "an answer counts for one account");
        let (_, from_other) = doubtful(
            &other,
            &[],
            &found(None, &[("user 1", "c"), ("source 1", "d")]),
        );
        assert_ne!(another.id, from_other.id);
    }

    #[test]
    fn an_account_that_is_known_in_the_tenant_keeps_its_identity_in_every_connection() {
        let first = own(None, &[], &found(None, &FACTS));
        let changed = [
            ("user 1", "2020"),
            ("source 1", "2021"),
            ("source 2", "now"),
        ];
        let known = [first.clone()];
        assert_eq!(first.id, own(None, &known, &found(None, &changed)).id);
        // Back to where it was before somebody gave it another credential.
        let (other, _) = doubtful(&first, &known, &found(None, &[("user 1", "x")]));
        let (back, _) = doubtful(&other, &known, &found(None, &changed));
        assert_eq!(first.id, back.id);
        let others = [Account {
            connector: "another".to_owned(),
            ..first.clone()
        }];
        assert_ne!(first.id, own(None, &others, &found(None, &changed)).id);
    }

    #[test]
    fn what_is_kept_tells_neither_facts_nor_credentials() {
        let account = own(None, &[], &found(None, &[("user 1", "olena@example.test")]));
        assert!(!format!("{account:?}").contains("olena"), "{account:?}");
        let way = [1; 32];
        assert_eq!(mark("a", &way), mark("a", &way));
        assert!((0..9_u8).any(|books| mark(&books.to_string(), &way) != mark("a", &way)));
        assert!((0..9_u8).any(|secret| mark("a", &[secret; 32]) != mark("a", &way)));
    }
}
