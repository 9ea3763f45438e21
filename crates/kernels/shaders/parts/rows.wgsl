
// {{ buffer }}, at a place for each row of a tile. Where a row is not live, 0 is read and nothing written.
fn read_{{ buffer }}(at: vec4u, live: vec4<bool>) -> vec4f {
    // The places of the other rows may lie outside.
    let inside = select(vec4u(), at, live);
    let values = vec4f(
        {{ buffer }}[inside.x],
        {{ buffer }}[inside.y],
        {{ buffer }}[inside.z],
        {{ buffer }}[inside.w],
    );
    return select(vec4f(), values, live);
}

fn write_{{ buffer }}(at: vec4u, live: vec4<bool>, values: vec4f) {
    if (live.x) {
        {{ buffer }}[at.x] = values.x;
    }
    if (live.y) {
        {{ buffer }}[at.y] = values.y;
    }
    if (live.z) {
        {{ buffer }}[at.z] = values.z;
    }
    if (live.w) {
        {{ buffer }}[at.w] = values.w;
    }
}
