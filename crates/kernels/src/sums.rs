//! Long sums cut into parts.

/// Into how many parts to cut a sum over `rows`, a divisor of it, so that the results of all parts,
/// `size` values each, stay within 8 MiB.
pub fn parts(rows: usize, size: usize) -> usize {
    const VALUES: usize = 1 << 21;
    let most = (VALUES / size).clamp(1, rows);
    (1..=most)
        .rev()
        .find(|parts| rows % parts == 0)
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn sums_are_cut_evenly_and_their_parts_stay_small() {
        assert_eq!(parts(128, 64 * 256), 128);
        assert_eq!(parts(128, 256 * 1024), 8);
        assert_eq!(parts(127, 256 * 1024), 1);
        assert_eq!(parts(4, 1 << 30), 1);
    }
}
