
// The workgroups that came to their end. A driver that ends a dispatch which takes too long may call it
// done (crates/kernels/src/wgsl/heartbeat.rs).

@group(0) @binding({{ next }}) var<storage, read_write> beats: atomic<u32>;

fn beat(local: u32) {
    storageBarrier();
    if (local == 0u) {
        atomicAdd(&beats, 1u);
    }
}
