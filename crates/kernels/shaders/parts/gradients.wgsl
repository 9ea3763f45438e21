// Where a walk back starts from and what it leaves.

const RECORDED = {{ recorded }}u; // gradients of a token's preactivations, times H

// The gradients of the preactivations, [B, T, RECORDED · H]; info.states: of the initial hidden state [B, H], and
// info.second behind it of the cell state [B, H]. A dispatch leaves them to the next in place.
@group(0) @binding({{ next }}) var<storage, read_write> gradients: array<f32>;

// Whether this dispatch walks the last steps, with which a walk back begins.
fn last_part() -> bool {
    return info.end_step == info.time;
}

// Whether the step after has left a gradient for this one.
fn follows(step: u32, end_step: u32) -> bool {
    return step + 1u < select(info.time, end_step, FUSED);
}

// Whether a product is left to be made when the walk is over: the first step's, where the last dispatch of steps that
// are walked one by one has none of its own.
fn ends(end_step: u32) -> bool {
    return select(info.end_step == 0u, info.first_step < end_step, FUSED);
}
