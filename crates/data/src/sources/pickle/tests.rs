use proptest::prelude::*;

use super::sample::{WRITERS, Writer, pickle};
use super::*;

const PLAIN: Writer = Writer::Numpy2(4);

/// The opcodes that are read.
const KNOWN: &[u8] = b"aehJKMqXb]\x95c\x8ajr(\x94\x89\x88N\x80RCU\x8c\x93.t\x85\x86\x87";

fn find(haystack: &[u8], needle: &[u8]) -> usize {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
        .unwrap()
}

/// A sound pickle of `[[1], [2, 3]]` with one piece of it replaced.
fn with(old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut bytes = pickle(PLAIN, &[vec![1], vec![2, 3]]);
    let start = find(&bytes, old);
    bytes.splice(start..start + old.len(), new.iter().copied());
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    let Refusal {
        position,
        opcode,
        reason,
    } = read_lists(bytes, 2).unwrap_err();
    format!("{position} {opcode}: {reason}")
}

#[test]
fn reads_what_every_numpy_writes() {
    let long: Vec<u32> = (0..2500).collect();
    let mut lists = vec![
        vec![1, 255, 256, 65_535, 65_536, u32::MAX],
        vec![],
        vec![7],
        long,
    ];
    lists.extend((0..300).map(|index| vec![index, index + 1]));
    for writer in WRITERS {
        let bytes = pickle(writer, &lists);
        assert_eq!(
            read_lists(&bytes, lists.len() as u64).as_ref(),
            Ok(&lists),
            "{writer:?}"
        );
    }
}

#[test]
fn reads_a_recalled_name() {
    // Python writes a module's name once and recalls it afterwards.
    let bytes = with(
        b"\x8c\x05numpy\x94\x8c\x05dtype\x94\x93",
        b"h\x03\x8c\x05dtype\x94\x93",
    );
    assert_eq!(read_lists(&bytes, 2), Ok(vec![vec![1], vec![2, 3]]));
}

#[test]
fn refuses_every_other_name() {
    for (module, name) in [
        ("os", "system"),
        ("builtins", "eval"),
        ("numpy", "load"),
        ("numpy.core", "ndarray"),
    ] {
        let bytes = [
            b"\x80\x02".as_slice(),
            format!("c{module}\n{name}\n(U\x02idtR.").as_bytes(),
        ]
        .concat();
        assert_eq!(
            refusal(&bytes),
            format!("2 opcode GLOBAL: it names `{module}.{name}`")
        );
    }
    let message = refusal(&with(b"\x8c\x07ndarray", b"\x8c\x06memmap"));
    assert!(
        message.contains("opcode STACK_GLOBAL: it names `numpy.memmap`"),
        "{message}"
    );
}

#[test]
fn refuses_every_other_opcode() {
    for code in (0..=u8::MAX).filter(|code| !KNOWN.contains(code)) {
        let message = refusal(&[0x80, 4, code, 0, 0, 0, 0]);
        assert!(
            message.starts_with(&format!("2 {}: no list", opcode::name(code))),
            "{message}"
        );
    }
    assert!(refusal(b"\x80\x04\x81").contains("opcode NEWOBJ"));
    assert!(refusal(b"\x80\x04\xfe").contains("unknown opcode 0xfe"));
    assert!(refusal(b"\x80\x01").contains("protocol 1 is not known"));
}

#[test]
fn refuses_known_names_used_otherwise() {
    let cases = [
        (
            with(b"K\x00\x85", b"K\x01\x85"),
            "REDUCE: it calls something otherwise",
        ),
        (
            with(b"\x8c\x02O8", b"\x8c\x02f8"),
            "REDUCE: it calls something otherwise",
        ),
        (
            with(b"C\x01b", b"C\x01c"),
            "REDUCE: it calls something otherwise",
        ),
        (
            with(b"C\x01b\x94\x87", b"C\x01b\x94\x86"),
            "REDUCE: it calls something otherwise",
        ),
        (
            with(b"\x8c\x01|", b"\x8c\x01<"),
            "BUILD: it fills something otherwise",
        ),
        (
            with(b"NNN", b"N\x88N"),
            "BUILD: it fills something otherwise",
        ),
        (
            with(b"b\x89]", b"b\x88]"),
            "BUILD: it fills something otherwise",
        ),
        (
            with(b"(K\x01M\x02\0", b"(K\x01M\x03\0"),
            "BUILD: the array's shape is not the 2 of the header",
        ),
    ];
    for (bytes, reason) in cases {
        let message = refusal(&bytes);
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn refuses_all_but_lists_of_integers() {
    let cases = [
        (
            with(b"K\x01a", b"\x8c\x04evila"),
            "APPEND: it appends something other than an integer or a list",
        ),
        (
            with(b"K\x01a", b"\x88a"),
            "APPEND: it appends something other than an integer or a list",
        ),
        (
            with(b"K\x01a", b"J\xff\xff\xff\xffa"),
            "APPEND: -1 is no rank of a word",
        ),
        (
            with(b"K\x01a", b"\x8a\x09\0\0\0\0\0\0\0\0\x01a"),
            "LONG1: an integer of 9 bytes is no rank",
        ),
        (
            with(b"K\x01a", b"\x8a\x05\0\0\0\0\x01a"),
            "APPEND: 4294967296 is no rank",
        ),
        (
            with(b"K\x03e", b"]e"),
            "EMPTY_LIST: there are more lists than the 2 of the array",
        ),
        (
            with(b"K\x03e", b"h\x00e"),
            "APPENDS: it appends something other",
        ),
        (
            with(b"]\x94(K\x02K\x03e", b"h\xff"),
            "BINGET: there is no remembered value 255",
        ),
        (
            with(b"(]\x94K\x01a", b"(]\x94K\x01a0"),
            "POP: no list of integers needs it",
        ),
        (
            with(b"]\x94(K\x02K\x03e", b""),
            "STOP: the array has 1 lists instead of 2",
        ),
    ];
    for (bytes, reason) in cases {
        let message = refusal(&bytes);
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn refuses_lists_that_hold_themselves_or_occur_twice() {
    let sound = pickle(PLAIN, &[vec![1], vec![2, 3]]);
    // What the memo calls the outer list and the first inner one.
    let outer = sound[..find(&sound, b"b\x89]\x94")]
        .iter()
        .filter(|&&byte| byte == 0x94)
        .count() as u8;
    let second = b"]\x94(K\x02K\x03e";
    for recalled in [outer, outer + 1] {
        let message = refusal(&with(second, &[b'h', recalled]));
        assert!(
            message.contains("STOP: the array's items are not lists of integers, each its own"),
            "{message}"
        );
    }
}

#[test]
fn refuses_a_pickle_that_ends_early_or_late() {
    let sound = pickle(PLAIN, &[vec![1], vec![2, 3]]);
    for length in 2..sound.len() {
        let message = refusal(&sound[..length]);
        assert!(
            message.contains("the pickle ends here, before its STOP"),
            "{length}: {message}"
        );
    }
    assert!(refusal(&[sound.as_slice(), b"x"].concat()).contains("STOP: more bytes follow it"));
    assert!(refusal(b"\x80\x04.").contains("something other than an array of lists"));
    assert_eq!(refusal(b""), "0 beginning: its 0 bytes do not hold 2 lists");
}

#[test]
fn claimed_lengths_allocate_nothing() {
    assert!(
        refusal(b"\x80\x04X\xff\xff\xff\xffabc")
            .contains("opcode BINUNICODE: the pickle ends here")
    );
    let many = [b"\x80\x04".as_slice(), &b"N".repeat(MAX_STACK + 1)].concat();
    assert!(refusal(&many).contains("more than 65536 values wait on the stack"));
    let nested = [b"\x80\x04".as_slice(), &b"(".repeat(1000)].concat();
    assert!(refusal(&nested).contains("more than 64 marks are open"));
    let tuples = [b"\x80\x04N".as_slice(), &b"\x85".repeat(1000)].concat();
    assert!(refusal(&tuples).contains("more than 64 tuples"));
    let remembered = [b"\x80\x04N".as_slice(), &b"\x94".repeat(1000)].concat();
    assert!(refusal(&remembered).contains("it remembers more values"));
}

#[test]
fn a_claimed_number_of_lists_is_no_licence_for_more_than_the_bytes_hold() {
    for opcode in [b']', 0x94] {
        let bytes = [b"\x80\x02]".as_slice(), &[opcode].repeat(1000)].concat();
        for count in [bytes.len() as u64 + 1, 400_000_000, u64::MAX] {
            let message = read_lists(&bytes, count).unwrap_err().reason;
            assert!(
                message.contains(&format!("1003 bytes do not hold {count} lists")),
                "{message}"
            );
        }
        let few = read_lists(&bytes, 10).unwrap_err();
        assert!(few.position < 90, "{few:?}");
    }
}

#[test]
fn a_long_name_is_cut() {
    let bytes = [b"\x80\x02c".as_slice(), &b"x".repeat(100_000), b"\nname\n."].concat();
    let message = refusal(&bytes);
    assert!(message.len() < 200, "{message}");
    assert!(message.contains("xxx….name`"), "{message}");
}

#[test]
fn an_empty_stack_is_no_panic() {
    for code in 0..=u8::MAX {
        let _ = read_lists(&[0x80, 4, code, b'.'], 1);
        let _ = read_lists(&[0x80, 4, b'N', b'(', code, b'.'], 1);
        let _ = read_lists(&[0x80, 4, b']', b'(', b'K', 1, code, b'.'], 1);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), count: u64) {
        let _ = read_lists(&bytes, count);
    }

    #[test]
    fn no_sequence_of_known_opcodes_panics(
        codes in prop::collection::vec(
            prop::sample::select([KNOWN, b"\0\x01\x02"].concat()),
            0..200,
        ),
    ) {
        let _ = read_lists(&codes, 3);
    }

    #[test]
    fn a_damaged_pickle_is_refused_or_read_but_never_a_panic(
        writer in prop::sample::select(WRITERS.to_vec()),
        lists in prop::collection::vec(prop::collection::vec(any::<u32>(), 0..20), 0..8),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = pickle(writer, &lists);
        let sound = read_lists(&bytes, lists.len() as u64);
        prop_assert_eq!(sound, Ok(lists.clone()));
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(read) = read_lists(&bytes, lists.len() as u64) {
            prop_assert_eq!(read.len(), lists.len());
        }
    }
}
