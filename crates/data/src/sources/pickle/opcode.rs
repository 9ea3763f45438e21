//! The names of a pickle's opcodes, as Python's `pickletools` has them.

macro_rules! opcodes {
    (
        known { $($known:ident = $known_byte:literal)* }
        refused { $($refused:ident = $refused_byte:literal)* }
    ) => {
        $(pub(super) const $known: u8 = $known_byte;)*

        /// The name of an opcode for a message.
        pub(super) fn name(opcode: u8) -> String {
            let name = match opcode {
                $($known_byte => stringify!($known),)*
                $($refused_byte => stringify!($refused),)*
                _ => return format!("unknown opcode 0x{opcode:02x}"),
            };
            format!("opcode {name}")
        }
    };
}

opcodes! {
    known {
        APPEND = b'a'
        APPENDS = b'e'
        BINGET = b'h'
        BININT = b'J'
        BININT1 = b'K'
        BININT2 = b'M'
        BINPUT = b'q'
        BINUNICODE = b'X'
        BUILD = b'b'
        EMPTY_LIST = b']'
        FRAME = b'\x95'
        GLOBAL = b'c'
        LONG1 = b'\x8a'
        LONG_BINGET = b'j'
        LONG_BINPUT = b'r'
        MARK = b'('
        MEMOIZE = b'\x94'
        NEWFALSE = b'\x89'
        NEWTRUE = b'\x88'
        NONE = b'N'
        PROTO = b'\x80'
        REDUCE = b'R'
        SHORT_BINBYTES = b'C'
        SHORT_BINSTRING = b'U'
        SHORT_BINUNICODE = b'\x8c'
        STACK_GLOBAL = b'\x93'
        STOP = b'.'
        TUPLE = b't'
        TUPLE1 = b'\x85'
        TUPLE2 = b'\x86'
        TUPLE3 = b'\x87'
    }
    refused {
        ADDITEMS = b'\x90'
        BINBYTES = b'B'
        BINBYTES8 = b'\x8e'
        BINFLOAT = b'G'
        BINPERSID = b'Q'
        BINSTRING = b'T'
        BINUNICODE8 = b'\x8d'
        BYTEARRAY8 = b'\x96'
        DICT = b'd'
        DUP = b'2'
        EMPTY_DICT = b'}'
        EMPTY_SET = b'\x8f'
        EMPTY_TUPLE = b')'
        EXT1 = b'\x82'
        EXT2 = b'\x83'
        EXT4 = b'\x84'
        FLOAT = b'F'
        FROZENSET = b'\x91'
        GET = b'g'
        INST = b'i'
        INT = b'I'
        LIST = b'l'
        LONG = b'L'
        LONG4 = b'\x8b'
        NEWOBJ = b'\x81'
        NEWOBJ_EX = b'\x92'
        NEXT_BUFFER = b'\x97'
        OBJ = b'o'
        PERSID = b'P'
        POP = b'0'
        POP_MARK = b'1'
        PUT = b'p'
        READONLY_BUFFER = b'\x98'
        SETITEM = b's'
        SETITEMS = b'u'
        STRING = b'S'
        UNICODE = b'V'
    }
}
