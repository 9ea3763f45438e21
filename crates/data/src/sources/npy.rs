//! Arrays of NumPy's `.npy` format, alone or as they lie in a `.npz`.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use npyz::{DType, Endianness, NpyHeader, TypeChar, TypeStr};

use crate::error::{SHOWN_NAME, SHOWN_REASON, shown};

/// The longest header that is read; NumPy writes 128 bytes for an array of one dimension.
const MAX_HEADER: usize = 1024;

/// A one-dimensional array that is still in its bytes.
#[derive(Debug)]
pub(crate) struct Npy<'a> {
    element: TypeStr,
    /// How many elements the header claims.
    pub(crate) count: u64,
    /// The elements.
    pub(crate) body: &'a [u8],
}

impl<'a> Npy<'a> {
    /// Reads the header, or says what is wrong with it.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, String> {
        check_header(bytes, 1)?;
        let mut body = bytes;
        let header = NpyHeader::from_reader(&mut body)
            .map_err(|error| shown(&error.to_string(), SHOWN_REASON))?;
        match (header.dtype(), header.shape()) {
            (DType::Plain(element), &[count]) => Ok(Self {
                element,
                count,
                body,
            }),
            _ => Err(NO_PLAIN_LIST.to_owned()),
        }
    }

    /// Whether the elements are pickled Python objects.
    pub(crate) fn is_pickled(&self) -> bool {
        self.element.uses_pickled_array()
    }

    /// The elements, if they are integers that are all 0 or 1.
    pub(crate) fn labels(&self) -> Result<Vec<bool>, String> {
        let is_integer = matches!(
            self.element.type_char(),
            TypeChar::Bool | TypeChar::Int | TypeChar::Uint
        );
        let width = match self.element.num_bytes() {
            Some(width @ (1 | 2 | 4 | 8)) if is_integer => width,
            _ => {
                return Err(format!(
                    "its elements are of type {} instead of integers",
                    shown(&self.element.to_string(), SHOWN_NAME)
                ));
            }
        };
        if u64::try_from(self.body.len()).ok() != self.count.checked_mul(width as u64) {
            return Err(format!(
                "its {} bytes do not hold {} labels",
                self.body.len(),
                self.count
            ));
        }
        let mut labels = Vec::new();
        for element in self.body.chunks(width) {
            let digits = element.iter().map(|&byte| u64::from(byte));
            let label = match self.element.endianness() {
                Endianness::Big => digits.fold(0, |high, low| (high << 8) | low),
                _ => digits.rfold(0, |high, low| (high << 8) | low),
            };
            if label > 1 {
                return Err(format!(
                    "label {} is {label} instead of 0 or 1",
                    labels.len()
                ));
            }
            labels.push(label == 1);
        }
        Ok(labels)
    }
}

/// An array of numbers, of up to three dimensions, that is still in its bytes.
#[derive(Debug)]
pub(crate) struct Array<'a> {
    /// Its dimensions; rows come one after the other.
    pub(crate) shape: Vec<usize>,
    element: TypeStr,
    bytes: usize,
    body: &'a [u8],
}

impl<'a> Array<'a> {
    /// Reads the header, or says what is wrong with it.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, String> {
        check_header(bytes, 3).map_err(|reason| match reason == NO_PLAIN_LIST {
            true => "its header describes something other than an array of up to three dimensions"
                .to_owned(),
            false => reason,
        })?;
        let mut body = bytes;
        let header = NpyHeader::from_reader(&mut body)
            .map_err(|error| shown(&error.to_string(), SHOWN_REASON))?;
        let DType::Plain(element) = header.dtype() else {
            return Err("its elements are no plain numbers".to_owned());
        };
        let bytes = match (element.type_char(), element.num_bytes()) {
            (TypeChar::Float, Some(bytes @ (4 | 8))) => bytes,
            (TypeChar::Bool | TypeChar::Int | TypeChar::Uint, Some(bytes @ (1 | 2 | 4 | 8))) => {
                bytes
            }
            _ => {
                return Err(format!(
                    "its elements are of type {}; save floats of 32 or 64 bits, or whole numbers",
                    shown(&element.to_string(), SHOWN_NAME)
                ));
            }
        };
        if header.order() != npyz::Order::C && header.shape().len() > 1 {
            return Err(
                "its columns come one after the other; save np.ascontiguousarray of it".to_owned(),
            );
        }
        let sizes = header
            .shape()
            .iter()
            .map(|&size| usize::try_from(size).ok());
        let shape: Option<Vec<usize>> = sizes.collect();
        let shape = shape.ok_or("its header claims more than any memory holds")?;
        let count = shape
            .iter()
            .try_fold(bytes, |count, &size| count.checked_mul(size));
        if count != Some(body.len()) {
            return Err(format!(
                "its {} bytes are not those of {shape:?} numbers",
                body.len()
            ));
        }
        Ok(Self {
            shape,
            element,
            bytes,
            body,
        })
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> usize {
        self.body.len() / self.bytes
    }

    /// The numbers, row by row.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = f64> {
        let is_big = self.element.endianness() == Endianness::Big;
        let kind = self.element.type_char();
        self.body.chunks(self.bytes).map(move |element| {
            let digits = element.iter().map(|&byte| u64::from(byte));
            let bits = match is_big {
                true => digits.fold(0, |high, low| (high << 8) | low),
                false => digits.rfold(0, |high, low| (high << 8) | low),
            };
            let unused = 64 - 8 * element.len() as u32;
            match (kind, element.len()) {
                (TypeChar::Float, 4) => f64::from(f32::from_bits(bits as u32)),
                (TypeChar::Float, _) => f64::from_bits(bits),
                (TypeChar::Int, _) => ((bits << unused) as i64 >> unused) as f64,
                _ => bits as f64,
            }
        })
    }
}

const NO_PLAIN_LIST: &str = "its header describes something other than a one-dimensional array";

/// Refuses headers that npyz should not see: its parser allocates what a header claims, takes time
/// exponential in the depth of brackets, and multiplies dimensions without a check.
fn check_header(bytes: &[u8], dimensions: usize) -> Result<(), String> {
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .ok_or("it does not begin as a NumPy array does")?;
    let (length, text) = match rest {
        [1, _, low, high, text @ ..] => (usize::from(u16::from_le_bytes([*low, *high])), text),
        [2 | 3, _, b0, b1, b2, b3, text @ ..] => {
            (u32::from_le_bytes([*b0, *b1, *b2, *b3]) as usize, text)
        }
        _ => return Err("it is of an unknown version of NumPy's format".to_owned()),
    };
    if length > MAX_HEADER {
        return Err(format!(
            "its header claims {length} bytes, more than any of NumPy's"
        ));
    }
    let text = text.get(..length).ok_or("it ends within its header")?;
    let count = |byte| text.iter().filter(|&&other| other == byte).count();
    let shape = text
        .split(|&byte| byte == b'(')
        .nth(1)
        .and_then(|rest| rest.split(|&byte| byte == b')').next());
    let commas = shape
        .unwrap_or_default()
        .iter()
        .filter(|&&byte| byte == b',')
        .count();
    if count(b'{') == 1
        && count(b'(') == 1
        && count(b'[') == 0
        && (1..=2.max(dimensions) - 1).contains(&commas)
    {
        Ok(())
    } else {
        Err(NO_PLAIN_LIST.to_owned())
    }
}

#[cfg(test)]
pub(crate) mod sample {
    /// The bytes of an array as NumPy writes them; `kind` is a type such as `<i8`.
    pub(crate) fn npy(kind: &str, shape: &str, body: &[u8]) -> Vec<u8> {
        with_header(
            &format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"),
            body,
        )
    }

    pub(crate) fn with_header(header: &str, body: &[u8]) -> Vec<u8> {
        let padded = format!("{header:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((padded.len() as u16).to_le_bytes());
        bytes.extend(padded.into_bytes());
        bytes.extend(body);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::sample::{npy, with_header};
    use super::*;
    use proptest::prelude::*;

    fn labels(bytes: &[u8]) -> Result<Vec<bool>, String> {
        Npy::new(bytes)?.labels()
    }

    #[test]
    fn reads_labels_of_every_integer_type() {
        for (kind, body) in [
            ("<i8", vec![1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            (">i8", vec![0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("<i4", vec![1, 0, 0, 0, 0, 0, 0, 0]),
            (">u2", vec![0, 1, 0, 0]),
            ("|u1", vec![1, 0]),
            ("|i1", vec![1, 0]),
            ("|b1", vec![1, 0]),
        ] {
            assert_eq!(
                labels(&npy(kind, "(2,)", &body)),
                Ok(vec![true, false]),
                "{kind}"
            );
        }
    }

    #[test]
    fn reads_numbers_of_every_plain_type() {
        for (kind, body) in [
            ("<f4", [1.0_f32, -2.0].map(f32::to_le_bytes).concat()),
            (">f8", [1.0_f64, -2.0].map(f64::to_be_bytes).concat()),
            ("<i8", [1_i64, -2].map(i64::to_le_bytes).concat()),
            (">i2", vec![0, 1, 255, 254]),
            ("|i1", vec![1, 254]),
        ] {
            let bytes = npy(kind, "(1, 2)", &body);
            let array = Array::new(&bytes).unwrap();
            assert_eq!(array.shape, [1, 2]);
            assert_eq!(array.numbers().collect::<Vec<_>>(), [1.0, -2.0], "{kind}");
        }
        let fortran = "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2), }";
        for (bytes, reason) in [
            (
                npy("<f4", "(1, 1, 1, 1)", &[0; 4]),
                "up to three dimensions",
            ),
            (npy("<f4", "(2,)", &[0; 4]), "its 4 bytes are not those"),
            (
                npy("<f4", "(18446744073709551615, 2)", &[0; 4]),
                "its 4 bytes are not those",
            ),
            (npy("<f2", "(2,)", &[0; 4]), "of type <f2"),
            (with_header(fortran, &[0; 8]), "np.ascontiguousarray"),
        ] {
            let message = Array::new(&bytes).unwrap_err();
            assert!(message.contains(reason), "{message}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let long_header = [
            b"\x93NUMPY\x02\x00".as_slice(),
            &u32::MAX.to_le_bytes(),
            b"{",
        ]
        .concat();
        let cases = [
            (b"PK".to_vec(), "does not begin as a NumPy array"),
            (b"\x93NUMPY\x09\x00\x01\x00".to_vec(), "unknown version"),
            (long_header, "claims 4294967295 bytes"),
            (
                npy("<i8", "(2,)", &[])[..40].to_vec(),
                "ends within its header",
            ),
            (
                npy("<i8", "(2, 2)", &[0; 32]),
                "other than a one-dimensional array",
            ),
            (
                npy("<i8", "()", &[0; 8]),
                "other than a one-dimensional array",
            ),
            (
                with_header(&"(".repeat(900), &[]),
                "other than a one-dimensional array",
            ),
            (
                with_header(&"{".repeat(900), &[]),
                "other than a one-dimensional array",
            ),
            (with_header("{'shape': (3,)}", &[]), "fortran_order"),
            (
                npy("<f4", "(1,)", &[0; 4]),
                "of type <f4 instead of integers",
            ),
            (npy("|O", "(1,)", &[0; 4]), "of type |O instead of integers"),
            (
                npy("<i8", "(2,)", &[0; 15]),
                "its 15 bytes do not hold 2 labels",
            ),
            (
                npy("<i8", "(18446744073709551615,)", &[0; 8]),
                "its 8 bytes do not hold 18446744073709551615 labels",
            ),
            (
                npy("|u1", "(3,)", &[0, 1, 2]),
                "label 2 is 2 instead of 0 or 1",
            ),
        ];
        for (bytes, reason) in cases {
            let message = labels(&bytes).unwrap_err();
            assert!(message.contains(reason), "{message}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            position in 0usize..140,
            byte: u8,
        ) {
            let _ = labels(&bytes);
            let _ = Array::new(&bytes).map(|array| array.numbers().count());
            let mut damaged = npy("<i8", "(2,)", &[0; 16]);
            damaged[position] = byte;
            let _ = labels(&damaged);
            let _ = Array::new(&damaged).map(|array| array.numbers().count());
        }

        #[test]
        fn no_header_panics(header in "[{}(),':0-9a-f \\[\\]<|O]{0,200}") {
            let _ = labels(&with_header(&header, &[]));
            let _ = labels(&npy(&header, "(1,)", &[]));
            let _ = labels(&npy("<i8", &format!("({header},)"), &[]));
        }
    }
}
