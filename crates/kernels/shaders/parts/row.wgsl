
// {{ buffer }}, at a place of the row.
fn read_{{ buffer }}(at: u32) -> f32 {
    return {{ buffer }}[at];
}

fn write_{{ buffer }}(at: u32, there: bool, value: f32) {
    if (there) {
        {{ buffer }}[at] = value;
    }
}
