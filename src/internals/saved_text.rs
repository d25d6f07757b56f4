//! Saved SAs as text, for comparisons.

/// A saved SA without the soft addtime of an outbound one: illumos shortens it at each ADD (`lifetime_fuzz` in `sadb.c`).
pub(crate) fn comparable(saved: &str) -> String {
    let has = |word: &str| saved.lines().any(|line| line.trim_end_matches('\\').split_whitespace().any(|one| one == word));
    if has("outbound") && !has("inbound") { without_soft_addtime(saved) } else { saved.to_owned() }
}

/// A saved SA without its soft addtime, which illumos shortens at each UPDATE, whatever the direction.
pub(crate) fn without_soft_addtime(saved: &str) -> String {
    saved.split_inclusive('\n').filter(|line| !line.starts_with("\tsoft_addtime ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparable_leaves_out_the_soft_addtime_of_outbound_sas() {
        let saved = |direction| format!("add esp  \\\n    {direction} \\\n\thard_addtime 20  \\\n\tsoft_addtime 10  \\\n");
        assert_eq!(comparable(&saved("outbound")), "add esp  \\\n    outbound \\\n\thard_addtime 20  \\\n");
        for direction in ["inbound", "inbound outbound", "replay 0"] {
            assert_eq!(comparable(&saved(direction)), saved(direction));
        }
    }
}
