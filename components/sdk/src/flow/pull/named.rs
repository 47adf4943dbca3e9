//! What a record is called whose own id cannot be read. The list is sorted by ascending id, so its
//! neighbours tell: often there is only one id between them, and where there are more, a record stays
//! known by the one that stands before it, wherever in the list both are.

use super::kept::PLACE;

/// The ids of a page's records, each given or found by its neighbours. Those that cannot be found begin
/// with [`PLACE`].
pub fn named(ids: &[Option<String>]) -> Vec<String> {
    let mut named = Vec::with_capacity(ids.len());
    let mut before: Option<(&str, usize)> = None;
    for (place, id) in ids.iter().enumerate() {
        if let Some(id) = id {
            before = Some((id, place));
            named.push(id.clone());
            continue;
        }
        let mut following = ids.iter().enumerate().skip(place);
        let after = following.find_map(|(place, id)| Some((id.as_deref()?, place)));
        named.push(between(before, place, after));
    }
    named
}

fn between(before: Option<(&str, usize)>, place: usize, after: Option<(&str, usize)>) -> String {
    if let (Some((before, from)), Some((after, to))) = (before, after)
        && let (Ok(first), Ok(last)) = (before.parse::<i64>(), after.parse::<i64>())
        && last.checked_sub(first) == i64::try_from(to - from).ok()
    {
        return (first + (place - from) as i64).to_string();
    }
    match (before, after) {
        (Some((id, at)), _) => format!("{PLACE}{id}+{}", place - at),
        (None, Some((id, at))) => format!("{PLACE}{id}-{}", at - place),
        (None, None) => format!("{PLACE}{}", place + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_record_without_an_id_is_known_by_its_neighbours() {
        for (ids, expected) in [
            (&["7", "8"][..], &["7", "8"][..]),
            (&["7", "", "9"], &["7", "8", "9"]),
            (&["7", "", "", "10"], &["7", "8", "9", "10"]),
            (&["7", "", "10"], &["7", "@7+1", "10"]),
            (&["7", "", "", "17"], &["7", "@7+1", "@7+2", "17"]),
            (&["7", ""], &["7", "@7+1"]),
            (&["", "", "9"], &["@9-2", "@9-1", "9"]),
            (&["a", "", "c"], &["a", "@a+1", "c"]),
            (&["", ""], &["@1", "@2"]),
        ] {
            let ids: Vec<Option<String>> = ids
                .iter()
                .map(|id| (!id.is_empty()).then(|| (*id).to_owned()))
                .collect();
            assert_eq!(named(&ids), expected, "{ids:?}");
        }
    }
}
