//! VOs: their names are names of directories.

/// Whether a text is the name of a VO. It becomes the name of a directory, and so must not be `.`, `..` or hidden.
pub fn is_vo(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=255).contains(&text.len()) && !text.starts_with('.') && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vo_is_a_safe_file_name() {
        for good in ["testvo", "vo.example.org", "a-b_c"] {
            assert!(is_vo(good), "{good}");
        }
        for bad in ["", ".", "..", ".hidden", "a/b", "a b", "a\0", "ä", &"a".repeat(256)] {
            assert!(!is_vo(bad), "{bad}");
        }
    }
}
