//! `LIKE`: `%` stands for any text, `_` for one character.

/// A pattern with how it is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern<'p> {
    pub text: &'p str,
    /// The character that makes the next one stand for itself.
    pub escape: Option<char>,
    /// True when upper and lower case are the same.
    pub fold: bool,
}

/// One element of a pattern.
enum Element {
    Any,
    One,
    Exactly(char),
}

impl<'p> Pattern<'p> {
    /// True when the whole of `text` fits; at most length × pattern steps.
    pub fn matches(&self, text: &str) -> bool {
        let (mut text, mut pattern) = (text, self.text);
        // Where to go on after the last `%`, should what follows it not fit: one character further.
        let mut retry: Option<(&str, &'p str)> = None;
        loop {
            let step = match self.split(pattern) {
                None if text.is_empty() => return true,
                None => None,
                Some((Element::Any, rest)) => {
                    retry = Some((text, rest));
                    Some((text, rest))
                }
                Some((element, rest)) => self.eat(&element, text).map(|left| (left, rest)),
            };
            (text, pattern) = match (step, retry) {
                (Some(step), _) => step,
                (None, Some((from, rest))) => {
                    let mut characters = from.chars();
                    if characters.next().is_none() {
                        return false;
                    }
                    retry = Some((characters.as_str(), rest));
                    (characters.as_str(), rest)
                }
                (None, None) => return false,
            };
        }
    }

    /// The first element of `pattern` and what follows it.
    fn split(&self, pattern: &'p str) -> Option<(Element, &'p str)> {
        let mut characters = pattern.chars();
        let element = match characters.next()? {
            first if Some(first) == self.escape => Element::Exactly(characters.next().unwrap_or(first)),
            '%' => Element::Any,
            '_' => Element::One,
            first => Element::Exactly(first),
        };
        Some((element, characters.as_str()))
    }

    /// What is left of `text` after one character that fits `element`.
    fn eat<'t>(&self, element: &Element, text: &'t str) -> Option<&'t str> {
        let mut characters = text.chars();
        let found = characters.next()?;
        let fits = match element {
            Element::Any | Element::One => true,
            Element::Exactly(wanted) => {
                found == *wanted || (self.fold && found.to_lowercase().eq(wanted.to_lowercase()))
            }
        };
        fits.then_some(characters.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn like(text: &str, pattern: &str) -> bool {
        Pattern { text: pattern, escape: Some('\\'), fold: false }.matches(text)
    }

    #[test]
    fn percent_stands_for_any_text() {
        assert!(like("", "%"));
        assert!(like("C489434", "C%"));
        assert!(like("abcbc", "%bc"));
        assert!(like("aXbXc", "a%b%c"));
        assert!(!like("abcb", "%bc"));
        assert!(!like("", "_"));
    }

    #[test]
    fn underscore_stands_for_one_character_not_one_byte() {
        assert!(like("né", "n_"));
        assert!(!like("né", "n__"));
    }

    #[test]
    fn an_escaped_percent_stands_for_itself() {
        assert!(like("10%", "10\\%"));
        assert!(!like("10x", "10\\%"));
        assert!(like("\\", "\\"), "an escape at the end stands for itself");
    }

    #[test]
    fn ilike_forgets_case() {
        assert!(Pattern { text: "%GIFT%", escape: None, fold: true }.matches("a small gift set"));
    }
}
