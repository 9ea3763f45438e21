// Keeps values for the backward pass.
fn keep(at: vec4u, rows: vec4<bool>, values: array<Rows, 4>) {
    let v = values;
    if (rows.x) {
        saved[at.x] = {{ kept }}(vec4f(v[0].x, v[1].x, v[2].x, v[3].x){{ components }});
    }
    if (rows.y) {
        saved[at.y] = {{ kept }}(vec4f(v[0].y, v[1].y, v[2].y, v[3].y){{ components }});
    }
    if (rows.z) {
        saved[at.z] = {{ kept }}(vec4f(v[0].z, v[1].z, v[2].z, v[3].z){{ components }});
    }
    if (rows.w) {
        saved[at.w] = {{ kept }}(vec4f(v[0].w, v[1].w, v[2].w, v[3].w){{ components }});
    }
}
