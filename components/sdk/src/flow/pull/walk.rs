//! In which order the pages of a window are read, so that no record is lost while others come and go.
//!
//! The list is sorted by ascending id. What is new appears at its end, and a record that goes shifts all
//! behind it towards the front. Reading forwards would lose the record that shifts onto a page that
//! was read already. So pages are read backwards: whatever shifts, shifts onto a page that is still to
//! come. The first page, which tells how many there are, is read once more in the end, and so is the
//! last one, for what came meanwhile: two requests more than there are pages, and no record of the
//! window can be missed, however many go.

use serde::{Deserialize, Serialize};

use crate::paging::Facts;

/// Where the reading of a window stands: which page is next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Walk {
    /// The first page.
    #[default]
    Begin,
    /// This page, towards the front, of so many records as there were in the beginning.
    Down(u64, Option<u64>),
    /// This page, towards the end: the counterpart does not tell how many there are.
    Up(u64),
    /// The first page once more.
    Front(Option<u64>),
    /// This page, for what came meanwhile.
    Tail(u64),
    /// None: all are read.
    End,
}

impl Walk {
    /// Number of the page to read, from 1.
    pub fn page(self) -> Option<u64> {
        match self {
            Walk::Begin | Walk::Front(_) => Some(1),
            Walk::Down(page, _) | Walk::Up(page) | Walk::Tail(page) => Some(page),
            Walk::End => None,
        }
    }

    /// What follows a page of these facts, of which `new` records were met for the first time.
    pub fn next(self, facts: &Facts, new: u64) -> Walk {
        match self {
            Walk::Begin if facts.is_last() => Walk::End,
            Walk::Begin => facts
                .pages()
                .map_or(Walk::Up(2), |last| Walk::Down(last, facts.total)),
            // A list without end gives the same records over and over.
            Walk::Up(_) if facts.is_last() || new == 0 => Walk::End,
            Walk::Up(page) => Walk::Up(page + 1),
            Walk::Down(..=2, total) => Walk::Front(total),
            Walk::Down(page, total) => Walk::Down(page - 1, total),
            Walk::Front(total) => match facts.pages() {
                Some(last @ 2..) if facts.total != total => Walk::Tail(last),
                _ => Walk::End,
            },
            // All of a page may have come meanwhile, and some of the one before.
            Walk::Tail(page @ 3..) if facts.rows > 0 && new == facts.rows => Walk::Tail(page - 1),
            Walk::Tail(_) | Walk::End => Walk::End,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Walk;
    use crate::paging::Facts;

    const SIZE: u64 = 5;

    /// Reads a list, which `meanwhile` changes after each request, and gives what was met and how many
    /// requests it took.
    fn read(
        list: &mut Vec<u64>,
        told: bool,
        mut meanwhile: impl FnMut(u64, &mut Vec<u64>),
    ) -> (BTreeSet<u64>, u64) {
        let mut met = BTreeSet::new();
        let mut walk = Walk::default();
        let mut requests = 0;
        while let Some(page) = walk.page() {
            let first = ((page - 1) * SIZE).min(list.len() as u64) as usize;
            let rows = &list[first..(first + SIZE as usize).min(list.len())];
            let new = rows.iter().filter(|row| met.insert(**row)).count() as u64;
            let facts = Facts {
                page,
                asked: SIZE,
                rows: rows.len() as u64,
                total: told.then_some(list.len() as u64),
                ..Facts::default()
            };
            walk = walk.next(&facts, new);
            requests += 1;
            assert!(requests < 1_000, "it does not end");
            meanwhile(requests, list);
        }
        (met, requests)
    }

    #[test]
    fn a_window_of_one_page_takes_one_request() {
        for rows in 0..=SIZE {
            let mut list: Vec<u64> = (0..rows).collect();
            let (met, requests) = read(&mut list, true, |_, _| {});
            assert_eq!((met.len() as u64, requests), (rows, 1));
        }
    }

    #[test]
    fn the_whole_list_takes_one_request_more_than_it_has_pages() {
        let mut list: Vec<u64> = (0..103).collect();
        let (met, requests) = read(&mut list, true, |_, _| {});
        assert_eq!((met.len(), requests), (103, 21 + 1));
    }

    #[test]
    fn without_a_count_the_list_is_read_to_its_end() {
        let mut list: Vec<u64> = (0..23).collect();
        let (met, requests) = read(&mut list, false, |_, _| {});
        assert_eq!((met.len(), requests), (23, 5));
    }

    #[test]
    fn a_list_that_gives_the_same_page_over_and_over_ends() {
        let endless = Facts {
            asked: SIZE,
            rows: SIZE,
            ..Facts::default()
        };
        assert_eq!(Walk::Begin.next(&endless, SIZE), Walk::Up(2));
        assert_eq!(Walk::Up(2).next(&endless, 0), Walk::End);
    }

    /// After every request, and from every place, a record goes and another comes.
    #[test]
    fn no_record_is_missed_whenever_one_goes_and_another_comes() {
        for at in 1..=22 {
            for gone in 0..103 {
                let mut list: Vec<u64> = (0..103).collect();
                let (met, _) = read(&mut list, true, |requests, list| {
                    if requests == at {
                        list.remove(gone);
                        list.push(103);
                    }
                });
                let missed = list.iter().find(|row| **row < 103 && !met.contains(row));
                assert_eq!(missed, None, "request {at}, record {gone}");
            }
        }
    }

    #[test]
    fn what_comes_while_the_list_is_read_is_met_at_its_end() {
        for at in 1..=21 {
            let mut list: Vec<u64> = (0..103).collect();
            let (met, _) = read(&mut list, true, |requests, list| {
                if requests == at {
                    list.extend(103..120);
                }
            });
            assert_eq!(met.len(), 120, "request {at}");
        }
    }

    #[test]
    fn no_record_is_missed_when_many_go_and_come() {
        let mut list: Vec<u64> = (0..200).collect();
        let (met, _) = read(&mut list, true, |requests, list| {
            list.drain(..3);
            list.push(1_000 + requests);
            list.remove(list.len() / 2);
        });
        let missed = list.iter().find(|row| **row < 200 && !met.contains(row));
        assert_eq!(missed, None);
    }
}
