//! What accounts last said of a record, as it lies in the record's row: read and written with it, so
//! that it costs no statement of its own.

use tenon_host::parts::Said;

/// What each account said, by owner.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    said: Vec<(String, Said)>,
    /// The record was written before this was kept: nobody knows whose its parts are. The first
    /// account that saves it takes those that are nobody's, as all did then.
    unknown: bool,
}

impl Accounts {
    /// Reads what the row holds. What cannot be read was never said: the next save writes all.
    pub(crate) fn read(kept: Option<&[u8]>) -> Accounts {
        let Some(bytes) = kept else {
            return Accounts {
                said: Vec::new(),
                unknown: true,
            };
        };
        let mut said = Vec::new();
        let mut rest = bytes;
        while let Some((owner, after)) = block(rest)
            && let Some((fields, after)) = block(after)
            && let (Ok(owner), Some(fields)) =
                (std::str::from_utf8(owner), Said::from_bytes(fields))
        {
            said.push((owner.to_owned(), fields));
            rest = after;
        }
        Accounts {
            said,
            unknown: false,
        }
    }

    /// Whether the record is from before.
    pub(crate) fn are_unknown(&self) -> bool {
        self.unknown
    }

    /// What an account said.
    pub(crate) fn of(&mut self, owner: &str) -> &mut Said {
        let place = self.said.iter().position(|(known, _)| known == owner);
        let place = place.unwrap_or_else(|| {
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

    /// That form, where it is not what the row holds.
    pub(crate) fn differ_from(&self, kept: Option<&[u8]>) -> Option<Vec<u8>> {
        Some(self.to_bytes()).filter(|bytes| kept != Some(bytes))
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
        let mut read = Accounts::read(Some(&bytes));
        assert_eq!(read.of("crm:a"), accounts.of("crm:a"));
        assert_eq!(read.of("store:b"), accounts.of("store:b"));
        assert_eq!(&Said::default(), read.of("crm:b"));
        assert_eq!(None, accounts.differ_from(Some(&bytes)));
        assert!(accounts.differ_from(None).is_some());
    }

    #[test]
    fn what_is_no_record_of_it_was_never_said() {
        for bytes in [&[1, 2, 3][..], &[255; 40]] {
            let accounts = Accounts::read(Some(bytes));
            assert!(accounts.said.is_empty() && !accounts.are_unknown());
        }
        assert!(Accounts::read(None).are_unknown());
    }
}
