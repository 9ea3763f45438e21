@group(0) @binding({{ next }}) var<storage, read_write> saved: array<{{ kept }}>; // [B, T, H]
