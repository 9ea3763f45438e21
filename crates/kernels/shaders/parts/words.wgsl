// A word has a projection: where each row's stands.
@group(0) @binding({{ next }}) var<storage, read_write> ids: array<i32>; // [B, T]

fn inputs_at(tokens: Bits) -> Bits {
    return min(Bits(read_ids(tokens)), Bits(info.words - 1u));
}
