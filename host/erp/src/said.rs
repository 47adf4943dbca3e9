//! What accounts last said of a record, as it lies in the record's row: read and written with it, so
//! that it costs no statement of its own.

use tenon_host::parts::Said;

/// Accounts of which this is kept for one record. Beyond that the one that came first is forgotten:
/// what it says next is news.
const MOST: usize = 20;

/// What each account said, by owner.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    said: Vec<(String, Said)>,
}

impl Accounts {
    /// Reads what the row holds. What cannot be read was never said: the next save writes all.
    pub(crate) fn read(kept: &[u8]) -> Accounts {
        let mut said = Vec::new();
        let mut rest = kept;
        while let Some((owner, after)) = block(rest)
            && let Some((fields, after)) = block(after)
            && let (Ok(owner), Some(fields)) =
                (std::str::from_utf8(owner), Said::from_bytes(fields))
        {
            said.push((owner.to_owned(), fields));
            rest = after;
        }
        Accounts { said }
    }

    /// What an account said.
    pub(crate) fn of(&mut self, owner: &str) -> &mut Said {
        let place = self.said.iter().position(|(known, _)| known == owner);
        let place = place.unwrap_or_else(|| {
            if self.said.len() == MOST {
                self.said.remove(0);
            }
            self.said.push((owner.to_owned(), Said::default()));
            self.said.len() - 1
        });
        &mut self.said[place].1
    }

    /// The form in which it is kept.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (owner, said) in &self.said {
            let said = said.to_bytes();
            if said.is_empty() {
                continue;
            }
            for block in [owner.as_bytes(), &said] {
                let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
                bytes.extend(length.to_le_bytes());
                bytes.extend(block);
            }
        }
        bytes
    }
}

/// The first block, and what is behind it.
fn block(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use tenon_host::model::{Order, OrderFields};

    use super::*;

    #[test]
    fn accounts_keep_what_they_said_apart() {
        let mut accounts = Accounts::default();
        let order = Order::default();
        order.note(OrderFields::STAGE, accounts.of("crm:a"));
        order.note(OrderFields::MANAGER, accounts.of("store:b"));
        let bytes = accounts.to_bytes();
        let mut read = Accounts::read(&bytes);
        assert_eq!(read.of("crm:a"), accounts.of("crm:a"));
        assert_eq!(read.of("store:b"), accounts.of("store:b"));
        assert_eq!(&Said::default(), read.of("crm:b"));
    }

    #[test]
    fn what_is_no_record_of_it_was_never_said() {
        for bytes in [&[1, 2, 3][..], &[255; 40]] {
            assert!(Accounts::read(bytes).said.is_empty());
        }
    }

    #[test]
    fn of_many_accounts_the_first_is_forgotten() {
        let mut accounts = Accounts::default();
        for number in 0..=MOST {
            let said = accounts.of(&format!("crm:{number}"));
            Order::default().note(OrderFields::STAGE, said);
        }
        let mut read = Accounts::read(&accounts.to_bytes());
        assert_eq!(MOST, read.said.len());
        assert_ne!(&Said::default(), read.of("crm:1"));
        assert_eq!(&Said::default(), read.of("crm:0"));
    }
}
