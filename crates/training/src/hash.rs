//! What tells one content from another.

use md5::{Digest, Md5};

/// The MD5 of bytes, in hexadecimal: it tells damage and mistakes, not malice.
pub fn hash(bytes: &[u8]) -> String {
    let mut hasher = Hasher::default();
    hasher.feed(bytes);
    hasher.end()
}

/// The [`hash`] of what it is fed, piece by piece.
#[derive(Default)]
pub(crate) struct Hasher(Md5);

impl Hasher {
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn end(self) -> String {
        let bytes = self.0.finalize();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
