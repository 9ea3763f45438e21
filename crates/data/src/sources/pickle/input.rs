//! The bytes of a pickle, read in order and never past their end.

/// What is left of a pickle.
pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) position: usize,
}

impl<'a> Input<'a> {
    pub(super) fn is_at_end(&self) -> bool {
        self.position == self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.position..];
        let taken = rest
            .get(..count)
            .ok_or("the pickle ends here, before its STOP")?;
        self.position += count;
        Ok(taken)
    }

    pub(super) fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], String> {
        let mut array = [0; COUNT];
        array.copy_from_slice(self.take(COUNT)?);
        Ok(array)
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, String> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, String> {
        self.array().map(i32::from_le_bytes)
    }

    /// As many bytes as the first one says.
    pub(super) fn counted(&mut self) -> Result<&'a [u8], String> {
        let count = self.byte()?;
        self.take(count.into())
    }

    /// An integer of as many bytes as the first one says, in two's complement.
    pub(super) fn long(&mut self) -> Result<i64, String> {
        let digits = self.counted()?;
        if digits.len() > 8 {
            return Err(format!(
                "an integer of {} bytes is no rank of a word",
                digits.len()
            ));
        }
        let sign = if digits.last().is_some_and(|&byte| byte >= 0x80) {
            0xff
        } else {
            0
        };
        let mut all = [sign; 8];
        all[..digits.len()].copy_from_slice(digits);
        Ok(i64::from_le_bytes(all))
    }

    /// What comes before the next line feed.
    pub(super) fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.position..];
        let length = rest
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(rest.len());
        let line = self.take(length)?;
        self.take(1)?;
        Ok(line)
    }
}
