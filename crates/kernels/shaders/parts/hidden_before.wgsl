@group(0) @binding({{ next }}) var<storage, read_write> hidden_states: array<f32>; // [B, T, H]
// As pack.wgsl laid them out; INITIAL: the initial states, of four rows a unit.
@group(0) @binding({{ next }}) var<storage, read_write> packed: array<f32>;

const INITIAL = {{ initial }}u;
const UNITS = {{ units }}u;

// The hidden state that a timestep started from.
fn hidden_before(token: Token, unit: u32) -> f32 {
    if (!token.first) {
        let before = select(token.at - 1u, token.at + 1u, info.reverse == 1u);
        return hidden_states[before * HIDDEN + unit];
    }
    if (info.given == 0u) {
        return 0.0;
    }
    return packed[(INITIAL + token.row / 4u * UNITS + unit) * 4u + token.row % 4u];
}
