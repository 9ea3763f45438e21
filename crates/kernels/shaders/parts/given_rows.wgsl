@group(0) @binding({{ next }}) var<storage, read_write> {{ buffer }}: array<f32>;
