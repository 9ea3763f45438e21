
// {{ buffer }}, at a place for each row of a tile.
fn read_{{ buffer }}(at: vec4u) -> vec4f {
    return vec4f({{ buffer }}[at.x], {{ buffer }}[at.y], {{ buffer }}[at.z], {{ buffer }}[at.w]);
}

fn write_{{ buffer }}(at: vec4u, rows: vec4<bool>, values: vec4f) {
    if (rows.x) {
        {{ buffer }}[at.x] = values.x;
    }
    if (rows.y) {
        {{ buffer }}[at.y] = values.y;
    }
    if (rows.z) {
        {{ buffer }}[at.z] = values.z;
    }
    if (rows.w) {
        {{ buffer }}[at.w] = values.w;
    }
}
