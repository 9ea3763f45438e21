//! Long sums cut into parts.

/// Into how many equal parts to cut a sum over `rows` that gives `size` values: enough to keep a GPU's
/// cores busy, and so few that a part has 64 rows or more and the parts' results stay within 8 MiB.
pub fn parts(rows: usize, size: usize) -> usize {
    const PARTS: usize = 128;
    const ROWS: usize = 64;
    const VALUES: usize = 1 << 21;
    let most = (VALUES / size.max(1)).clamp(1, PARTS).min(rows / ROWS);
    (1..=most)
        .rev()
        .find(|parts| rows.is_multiple_of(*parts))
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn sums_are_cut_evenly_and_their_parts_stay_small() {
        assert_eq!(parts(128 * 256, 64 * 256), 128);
        assert_eq!(parts(128 * 256, 256 * 1024), 8);
        assert_eq!(parts(10_000, 16 * 256), 125);
        assert_eq!(parts(9_973, 16 * 256), 1);
        assert_eq!(parts(256, 16 * 256), 4);
        assert_eq!(parts(5, 0), 1);
        assert_eq!(parts(4, 1 << 30), 1);
    }
}
