
// {{ buffer }}: not given, so zero.
fn read_{{ buffer }}(at: Bits) -> Rows {
    return Rows();
}
