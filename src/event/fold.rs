//! Unicode simple case folding, as names and values are compared. No normalisation: `ß` is not `ss`.
//!
//! Folding works character by character, so it never joins or splits characters; it may change how
//! many bytes one takes. A few characters outside ASCII fold into it (the Kelvin sign to `k`, the long
//! s to `s`): text that is not all ASCII has to be folded before it is compared.

use std::borrow::Cow;

/// Folds one character.
pub fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    unicode_case_mapping::case_folded(c).and_then(|folded| char::from_u32(folded.get())).unwrap_or(c)
}

/// Folds a text. Costs no memory if it is folded already.
pub fn fold(text: &str) -> Cow<'_, str> {
    match first_unfolded(text) {
        None => Cow::Borrowed(text),
        Some(at) => {
            let mut folded = String::with_capacity(text.len());
            folded.push_str(&text[..at]);
            fold_into(&text[at..], &mut folded);
            Cow::Owned(folded)
        }
    }
}

/// Adds the folded text at the end of `folded`.
pub fn fold_into(text: &str, folded: &mut String) {
    if text.is_ascii() {
        let start = folded.len();
        folded.push_str(text);
        folded[start..].make_ascii_lowercase();
    } else {
        folded.extend(text.chars().map(fold_char));
    }
}

/// Whether two texts are equal after folding.
pub fn equal_folded(left: &str, right: &str) -> bool {
    if left.is_ascii() && right.is_ascii() {
        return left.eq_ignore_ascii_case(right);
    }
    left.chars().map(fold_char).eq(right.chars().map(fold_char))
}

/// Whether folding would leave the text as it is.
pub fn is_folded(text: &str) -> bool {
    first_unfolded(text).is_none()
}

/// Byte position of the first character that folding changes.
fn first_unfolded(text: &str) -> Option<usize> {
    let special = text.bytes().position(|b| b.is_ascii_uppercase() || !b.is_ascii())?;
    text[special..].char_indices().find(|&(_, c)| fold_char(c) != c).map(|(at, _)| special + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_fold_one_to_one() {
        for (text, folded) in [
            ("", ""),
            ("status", "status"),
            ("StatusCode_9", "statuscode_9"),
            ("STRASSE", "strasse"),
            ("Straße", "straße"),
            ("STRAẞE", "straße"),
            ("ΣΑΣς", "σασσ"),
            ("\u{212a}elvin", "kelvin"),
            ("mi\u{17f}t", "mist"),
            ("İI", "İi"),
            ("ÄÖÜ-日本", "äöü-日本"),
        ] {
            assert_eq!(fold(text), folded, "{text:?}");
            assert_eq!(is_folded(text), text == folded, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn all_ways_to_fold_agree(left in "\\PC{0,12}", right in "\\PC{0,12}") {
            let one_by_one: String = left.chars().map(fold_char).collect();
            prop_assert_eq!(fold(&left), one_by_one.as_str());
            let mut appended = String::from("X");
            fold_into(&left, &mut appended);
            prop_assert_eq!(&appended[1..], one_by_one.as_str());
            prop_assert_eq!(is_folded(&left), one_by_one == left);
            prop_assert!(is_folded(&one_by_one));
            prop_assert_eq!(equal_folded(&left, &right), fold(&left) == fold(&right));
            prop_assert!(equal_folded(&left, &one_by_one));
        }
    }
}
