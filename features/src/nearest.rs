//! Which known name did the writer mean?

/// The known name most like `given`, if one is close enough to be meant.
///
/// Close is Damerau-Levenshtein distance (Damerau 1964) of at most a third of the longer name, and at
/// least one edit; ties go to the name that comes first.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given: String = given.chars().take(200).flat_map(char::to_lowercase).collect();
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let distance = strsim::damerau_levenshtein(&given, &name.to_lowercase());
        let allowed = (given.chars().count().max(name.chars().count()) / 3).max(1);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// `known` as a readable list, cut after twelve names.
#[must_use]
pub fn listed<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 12;
    let names: Vec<&str> = known.into_iter().collect();
    let mut text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    if text.is_empty() { "none".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_finds_its_name() {
        assert_eq!(nearest("colums", ["path", "columns"]), Some("columns"));
        assert_eq!(nearest("Columns", ["path", "columns"]), Some("columns"));
        assert_eq!(nearest("pth", ["path", "columns"]), Some("path"));
    }

    #[test]
    fn an_unlike_name_finds_nothing() {
        assert_eq!(nearest("revenue", ["path", "columns"]), None);
        assert_eq!(nearest("x", []), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..15).map(|i| format!("n{i}")).collect();
        assert!(listed(names.iter().map(String::as_str)).ends_with("and 3 more"));
        assert_eq!(listed([]), "none");
    }
}
