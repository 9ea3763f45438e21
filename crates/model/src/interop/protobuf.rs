//! Protocol buffers, as ONNX and TensorBoard have them.

/// A message: each field a key, which is its number and the kind of its value, then the value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message(pub Vec<u8>);

impl Message {
    /// Adds an integer, an enumeration's value or a truth value.
    pub fn varint(mut self, field: u32, value: u64) -> Self {
        self.push_key(field, 0);
        self.push_varint(value);
        self
    }

    /// Adds a 64-bit float.
    pub fn double(mut self, field: u32, value: f64) -> Self {
        self.push_key(field, 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Adds bytes, a text or a message.
    pub fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.push_key(field, 2);
        self.push_varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// Adds a 32-bit float.
    pub fn float(mut self, field: u32, value: f32) -> Self {
        self.push_key(field, 5);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn push_key(&mut self, field: u32, kind: u32) {
        self.push_varint(u64::from(field << 3 | kind));
    }

    /// Seven bits a byte, the lowest first; all but the last byte have the top bit set.
    fn push_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
