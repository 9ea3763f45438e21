use super::*;

/// An event as it was read back.
#[derive(Debug, Default, PartialEq)]
struct Read {
    step: u64,
    file_version: Option<String>,
    starts: bool,
    values: Vec<(String, f32)>,
}

/// A field's value.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl Field<'_> {
    fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Self::Number(number) => panic!("{number} is no text"),
        }
    }

    fn fields(&self) -> Vec<(u64, Field<'_>)> {
        match self {
            Self::Bytes(bytes) => fields(bytes),
            Self::Number(number) => panic!("{number} is no message"),
        }
    }

    fn number(&self) -> u64 {
        match self {
            Self::Number(number) => *number,
            Self::Bytes(bytes) => panic!("{bytes:?} is no number"),
        }
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(count);
    *bytes = rest;
    taken
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
    let groups = take(bytes, length).iter().rev();
    groups.fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}

/// A message's fields with their numbers.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut bytes) as usize;
                Field::Bytes(take(&mut bytes, length))
            }
            5 => {
                let bits = u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap());
                Field::Number(bits.into())
            }
            kind => panic!("no field is of kind {kind}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

/// The data of each record, its checksums checked.
fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let check = |data: &[u8], stored: &[u8]| {
        let masked = u32::from_le_bytes(stored.try_into().unwrap());
        let crc = masked.wrapping_sub(0xa282_ead8).rotate_left(15);
        assert_eq!(crc, crc32c(data));
    };
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let length = take(&mut bytes, 8);
        check(length, take(&mut bytes, 4));
        let data = take(
            &mut bytes,
            u64::from_le_bytes(length.try_into().unwrap()) as usize,
        );
        check(data, take(&mut bytes, 4));
        records.push(data);
    }
    records
}

fn read(path: &Path) -> Vec<Read> {
    let bytes = fs::read(path).unwrap();
    let event = |data| {
        let mut event = Read::default();
        for (number, field) in fields(data) {
            match number {
                1 => assert!(f64::from_bits(field.number()) > 1.6e9),
                2 => event.step = field.number(),
                3 => event.file_version = Some(field.text()),
                5 => {
                    event.values = field
                        .fields()
                        .iter()
                        .map(|(_, field)| value(field))
                        .collect()
                }
                7 => event.starts = field.fields()[0].1.number() == START,
                _ => panic!("no event has a field {number}"),
            }
        }
        event
    };
    records(&bytes).into_iter().map(event).collect()
}

fn value(value: &Field) -> (String, f32) {
    let fields = value.fields();
    let [(1, tag), (2, value)] = &fields[..] else {
        panic!("a value is a tag and a number");
    };
    (tag.text(), f32::from_bits(value.number() as u32))
}

/// A folder's event files in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn the_checksum_is_crc_32c() {
    // RFC 3720, B.4, and the check value of the catalogues of CRCs.
    assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    let rising: Vec<u8> = (0..32).collect();
    assert_eq!(crc32c(&rising), 0x46dd_794e);
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}

#[test]
fn records_are_those_that_tensorboard_writes() {
    let hex = |event: &[u8]| -> String {
        let bytes = record(event);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let value = |tag: &str, value| {
        Message::default()
            .bytes(1, tag.as_bytes())
            .float(2, value)
            .0
    };
    let summary = Message::default()
        .bytes(1, value("loss", 0.25))
        .bytes(1, value("accuracy", -1.0));
    assert_eq!(
        hex(&event(1.5, 300, Message::default().bytes(5, &summary.0))),
        "2c00000000000000f4aecc4509000000000000f83f10ac022a1e0a0b0a046c6f7373150000803e0a0f0a0861636375\
         7261637915000080bf05c7698d"
    );
    let start = Message::default().varint(1, START);
    assert_eq!(
        hex(&event(1.5, 301, Message::default().bytes(7, &start.0))),
        "100000000000000095fbfe1809000000000000f83f10ad023a020801d17949d4"
    );
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EventWriter::create(folder.path(), None).unwrap();
    let tag = "validation/".repeat(20);
    writer
        .scalars(1, &[("loss", 0.5), (&tag, f64::INFINITY)])
        .unwrap();
    writer.scalars(1 << 40, &[("loss", 1e-3)]).unwrap();
    let [path] = &files(folder.path())[..] else {
        panic!("one writer writes one file");
    };
    let first = Read {
        file_version: Some("brain.Event:2".into()),
        ..Read::default()
    };
    assert_eq!(read(path), [first], "the rest is not flushed yet");
    writer.flush().unwrap();
    let events = read(path);
    assert_eq!(events.len(), 3);
    assert_eq!(events[1].step, 1);
    assert_eq!(
        events[1].values,
        [("loss".into(), 0.5), (tag, f32::INFINITY)]
    );
    assert_eq!(events[2].step, 1 << 40);
    assert_eq!(events[2].values, [("loss".into(), 1e-3)]);

    writer.scalars(3, &[]).unwrap();
    drop(writer);
    assert_eq!(read(path).len(), 4);
}

#[test]
fn a_run_that_goes_on_takes_back_later_steps_in_a_later_file() {
    let folder = tempfile::tempdir().unwrap();
    for resumed_at in [None, Some(7), Some(12)] {
        EventWriter::create(folder.path(), resumed_at).unwrap();
    }
    let starts: Vec<_> = files(folder.path())
        .iter()
        .map(|path| {
            let events = read(path);
            assert!(events[0].file_version.is_some());
            events.get(1).map(|event| (event.starts, event.step))
        })
        .collect();
    assert_eq!(starts, [None, Some((true, 8)), Some((true, 13))]);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = EventWriter::create(&missing, None).err().unwrap();
    assert!(error.to_string().contains("missing"), "{error}");
}
