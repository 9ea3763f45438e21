@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
// As pack.wgsl laid them out; INITIAL: the initial states, of four rows a unit.
@group(0) @binding({{ next }}) var<storage, read_write> packed: array<f32>;

const INITIAL = {{ initial }}u;
const UNITS = {{ units }}u;

// Four units of the hidden state that a timestep started from, zero past the last.
fn hidden_before(token: Token, unit: u32) -> vec4f {
    let last = HIDDEN - 1u - unit;
    let others = min(vec3u(1u, 2u, 3u), vec3u(last));
    var values: vec4f;
    if (!token.first) {
        let before = select(token.at - 1u, token.at + 1u, info.reverse == 1u);
        let at = before * HIDDEN + unit;
        values = vec4f(
            hidden_states[at],
            hidden_states[at + others.x],
            hidden_states[at + others.y],
            hidden_states[at + others.z],
        );
    } else if (info.given == 1u) {
        let at = (INITIAL + token.row / 4u * UNITS + unit) * 4u + token.row % 4u;
        values = vec4f(packed[at], packed[at + 4u], packed[at + 8u], packed[at + 12u]);
    }
    return select(vec4f(), values, vec4u(0u, 1u, 2u, 3u) <= vec4u(last));
}
