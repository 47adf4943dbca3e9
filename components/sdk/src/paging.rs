//! Which page comes next, in lists with numbered pages. Records come and go while they are read:
//! sorted by id, new ones only appear at the end, but each one that goes shifts all that follow it
//! towards the front.

/// What a page says about itself and its siblings. Which of these an answer has differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Number of the page, from 1.
    pub page: u64,
    /// Size of a page that was asked for.
    pub asked: u64,
    /// Records on it.
    pub rows: u64,
    /// Records in all.
    pub total: Option<u64>,
    /// Size of a page, where the server keeps to its own.
    pub per_page: Option<u64>,
    /// Number of the last page.
    pub last_page: Option<u64>,
    /// Whether the server names a next page; none when it does not tell.
    pub has_next: Option<bool>,
}

impl Facts {
    /// How many pages there are, as far as it can be told.
    pub fn pages(&self) -> Option<u64> {
        self.last_page
            .or_else(|| self.total.map(|total| total.div_ceil(self.size())))
    }

    fn size(&self) -> u64 {
        self.per_page.unwrap_or(self.asked).max(1)
    }

    /// Whether no page follows.
    pub fn is_last(&self) -> bool {
        if self.rows == 0 {
            return true;
        }
        match (self.pages(), self.has_next) {
            (Some(pages), _) => self.page >= pages,
            (None, Some(has_next)) => !has_next,
            (None, None) => self.rows < self.size(),
        }
    }
}

/// What to read after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// This page.
    Read(u64),
    /// Nothing: it was the last one.
    End,
}

/// Decides what to read after the page of these facts. When there are fewer records than
/// `total_before`, some have moved to pages that were read already: it goes back as many pages as
/// they can have moved.
pub fn next(facts: &Facts, total_before: Option<u64>) -> Step {
    let gone = match (total_before, facts.total) {
        (Some(before), Some(now)) => before.saturating_sub(now),
        _ => 0,
    };
    if gone > 0 && facts.page > 1 {
        let back = gone.div_ceil(facts.size());
        return Step::Read(facts.page.saturating_sub(back).max(1));
    }
    if facts.is_last() {
        Step::End
    } else {
        Step::Read(facts.page + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Facts, Step, next};

    fn page(page: u64, rows: u64) -> Facts {
        Facts {
            page,
            rows,
            asked: 50,
            ..Facts::default()
        }
    }

    #[test]
    fn no_page_is_asked_for_behind_the_last_whatever_the_server_tells() {
        let full = page(2, 50);
        for (facts, step) in [
            (
                Facts {
                    last_page: Some(2),
                    ..full
                },
                Step::End,
            ),
            (
                Facts {
                    last_page: Some(3),
                    ..full
                },
                Step::Read(3),
            ),
            (
                Facts {
                    total: Some(100),
                    ..full
                },
                Step::End,
            ),
            (
                Facts {
                    total: Some(101),
                    ..full
                },
                Step::Read(3),
            ),
            (
                Facts {
                    total: Some(31),
                    per_page: Some(15),
                    ..page(2, 15)
                },
                Step::Read(3),
            ),
            (
                Facts {
                    has_next: Some(false),
                    ..full
                },
                Step::End,
            ),
            (
                Facts {
                    has_next: Some(true),
                    ..full
                },
                Step::Read(3),
            ),
            (full, Step::Read(3)),
            (page(2, 49), Step::End),
            (
                Facts {
                    last_page: Some(9),
                    ..page(2, 0)
                },
                Step::End,
            ),
        ] {
            assert_eq!(next(&facts, None), step, "{facts:?}");
        }
    }

    #[test]
    fn a_shrinking_list_is_read_again_as_far_back_as_records_can_have_moved() {
        let third = Facts {
            total: Some(149),
            last_page: Some(3),
            ..page(3, 49)
        };
        assert_eq!(next(&third, Some(150)), Step::Read(2));
        assert_eq!(next(&third, Some(199)), Step::Read(2));
        assert_eq!(next(&third, Some(200)), Step::Read(1));
        assert_eq!(next(&third, Some(900)), Step::Read(1));
        assert_eq!(next(&third, Some(149)), Step::End);
        assert_eq!(next(&third, Some(148)), Step::End);
    }

    #[test]
    fn nothing_lies_before_the_first_page() {
        let first = Facts {
            total: Some(60),
            last_page: Some(2),
            ..page(1, 50)
        };
        assert_eq!(next(&first, Some(70)), Step::Read(2));
    }
}
