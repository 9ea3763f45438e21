fn read_ids(at: vec4u) -> vec4i {
    return vec4i(ids[at.x], ids[at.y], ids[at.z], ids[at.w]);
}
