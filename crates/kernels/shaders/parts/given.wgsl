
@group(0) @binding({{ next }}) var<storage, read_write> {{ buffer }}: array<f32>;

fn {{ buffer }}_at(at: u32, there: bool) -> f32 {
    if (there) {
        return {{ buffer }}[at];
    }
    return 0.0;
}
