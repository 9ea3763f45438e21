fn read_ids(at: u32) -> i32 {
    return ids[at];
}
