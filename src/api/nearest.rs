//! "Did you mean": the name that was probably meant.

/// The candidate that a misspelling of which `name` may be; `None` if none is near.
pub fn nearest(name: &str, candidates: impl IntoIterator<Item = impl Into<String>>) -> Option<String> {
    let edits_max = (name.chars().count() / 3).clamp(1, EDITS_MAX);
    let scored = candidates.into_iter().map(|candidate| {
        let candidate = candidate.into();
        (strsim::damerau_levenshtein(name, &candidate), candidate)
    });
    scored.min().filter(|(edits, _)| *edits <= edits_max).map(|(_, candidate)| candidate)
}

/// Edits between two names up to which a long one is taken for a misspelling of the other.
const EDITS_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_a_different_word_is_not() {
        let names = ["limit", "start", "cursor"];
        assert_eq!(nearest("limt", names).as_deref(), Some("limit"));
        assert_eq!(nearest("stat", names).as_deref(), Some("start"));
        assert_eq!(nearest("zzz", names), None);
        assert_eq!(nearest("", names), None);
    }
}
