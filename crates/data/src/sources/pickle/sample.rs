//! Pickles as Python writes them, for tests.

/// Who wrote a pickle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::sources) enum Writer {
    /// NumPy 1 under Python 2, protocol 2.
    Python2,
    /// NumPy 1 under Python 3, with protocol 2 or 3.
    Numpy1(u8),
    /// NumPy 2, with protocol 4 or 5.
    Numpy2(u8),
}

/// All writers.
pub(in crate::sources) const WRITERS: [Writer; 5] = [
    Writer::Python2,
    Writer::Numpy1(2),
    Writer::Numpy1(3),
    Writer::Numpy2(4),
    Writer::Numpy2(5),
];

/// The pickle of an array of lists of integers.
pub(in crate::sources) fn pickle(writer: Writer, lists: &[Vec<u32>]) -> Vec<u8> {
    let mut out = Pickler {
        writer,
        bytes: Vec::new(),
        remembered: 0,
    };
    out.array(lists);
    out.bytes
}

struct Pickler {
    writer: Writer,
    bytes: Vec<u8>,
    remembered: u32,
}

impl Pickler {
    fn array(&mut self, lists: &[Vec<u32>]) {
        let protocol = match self.writer {
            Writer::Python2 => 2,
            Writer::Numpy1(protocol) | Writer::Numpy2(protocol) => protocol,
        };
        self.raw(&[0x80, protocol]);
        if protocol >= 4 {
            self.raw(b"\x95\xff\xff\xff\xff\xff\xff\xff\xff");
        }
        let module = if protocol >= 4 {
            "numpy._core.multiarray"
        } else {
            "numpy.core.multiarray"
        };
        self.global(module, "_reconstruct");
        self.global("numpy", "ndarray");
        self.raw(b"K\x00\x85");
        self.remember();
        match self.writer {
            Writer::Python2 => self.raw(b"U\x01b"),
            Writer::Numpy1(2) => {
                self.global("_codecs", "encode");
                self.text("b");
                self.text("latin1");
                self.raw(b"\x86");
                self.remember();
                self.raw(b"R");
            }
            _ => self.raw(b"C\x01b"),
        }
        self.remember();
        self.raw(b"\x87");
        self.remember();
        self.raw(b"R");
        self.remember();

        self.raw(b"(K\x01M");
        self.raw(&(lists.len() as u16).to_le_bytes());
        self.raw(b"\x85");
        self.remember();
        self.global("numpy", "dtype");
        self.text("O8");
        self.raw(if protocol >= 4 {
            b"\x89\x88\x87"
        } else {
            b"K\x00K\x01\x87"
        });
        self.remember();
        self.raw(b"R");
        self.remember();
        self.raw(b"(K\x03");
        self.text("|");
        self.raw(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?t");
        self.remember();
        self.raw(b"b\x89]");
        self.remember();
        if !lists.is_empty() {
            self.raw(b"(");
            for list in lists {
                self.list(list);
            }
            self.raw(b"e");
        }
        self.raw(b"t");
        self.remember();
        self.raw(b"b.");
    }

    fn list(&mut self, list: &[u32]) {
        self.raw(b"]");
        self.remember();
        for part in list.chunks(1000) {
            if let [integer] = part {
                self.integer(*integer);
                self.raw(b"a");
            } else {
                self.raw(b"(");
                part.iter().for_each(|&integer| self.integer(integer));
                self.raw(b"e");
            }
        }
    }

    fn integer(&mut self, integer: u32) {
        let bytes = integer.to_le_bytes();
        match integer {
            0..=0xff => self.raw(&[b'K', bytes[0]]),
            0x100..=0xffff => self.raw(&[b'M', bytes[0], bytes[1]]),
            0x1_0000..=0x7fff_ffff => {
                self.raw(b"J");
                self.raw(&bytes);
            }
            _ => {
                self.raw(b"\x8a\x05");
                self.raw(&bytes);
                self.raw(b"\0");
            }
        }
    }

    fn global(&mut self, module: &str, name: &str) {
        if matches!(self.writer, Writer::Numpy2(_)) {
            self.text(module);
            self.text(name);
            self.raw(b"\x93");
        } else {
            self.raw(format!("c{module}\n{name}\n").as_bytes());
        }
        self.remember();
    }

    fn text(&mut self, text: &str) {
        match self.writer {
            Writer::Python2 => self.raw(&[b'U', text.len() as u8]),
            Writer::Numpy1(_) => {
                self.raw(b"X");
                self.raw(&(text.len() as u32).to_le_bytes());
            }
            Writer::Numpy2(_) => self.raw(&[0x8c, text.len() as u8]),
        }
        self.raw(text.as_bytes());
        self.remember();
    }

    fn remember(&mut self) {
        let key = self.remembered;
        self.remembered += 1;
        match (self.writer, key) {
            (Writer::Numpy2(_), _) => self.raw(b"\x94"),
            (_, 0..=0xff) => self.raw(&[b'q', key as u8]),
            _ => {
                self.raw(b"r");
                self.raw(&key.to_le_bytes());
            }
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }
}
