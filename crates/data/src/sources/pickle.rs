//! A reader for the one kind of pickle that Keras's `imdb.npz` holds: a NumPy array of Python lists
//! of integers.
//!
//! A pickle is a program for a small stack machine, and Python's machine can be made to call
//! anything. This one knows only the opcodes that NumPy's pickles of such arrays are made of, and
//! only the four functions that they name. It calls none of them: it checks that each is used as
//! NumPy uses it and refuses all else. Memory stays in proportion to the bytes that were read,
//! whatever lengths they claim.
//!
//! Protocols 2 to 5 are known, as NumPy writes them under Python 2 and 3. They all come to
//!
//! ```text
//! array = _reconstruct(ndarray, (0,), b'b')      # or _codecs.encode('b', 'latin1') for b'b'
//! kind = dtype('O8', False, True)
//! kind.__setstate__((3, '|', None, None, None, -1, -1, 63))
//! array.__setstate__((1, (25000,), kind, False, [[1, 14, ...], ...]))
//! ```

mod input;
mod opcode;
#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use input::Input;

use crate::error::{SHOWN_NAME, shown};

/// Values that may wait on the stack. Python appends a list's items by the thousand.
const MAX_STACK: usize = 1 << 16;

/// Tuples, marks, and remembered values besides the lists; NumPy's pickles have some twenty.
const MAX_OTHERS: usize = 64;

/// Why a pickle is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The offset of the opcode in the pickle.
    pub(crate) position: usize,
    /// The name of the opcode.
    pub(crate) opcode: String,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// Reads the pickle of an array of `count` lists of integers.
pub(crate) fn read_lists(pickle: &[u8], count: u64) -> Result<Vec<Vec<u32>>, Refusal> {
    // Each list takes a byte at least.
    let Some(count) = usize::try_from(count)
        .ok()
        .filter(|&count| count <= pickle.len())
    else {
        return Err(Refusal {
            position: 0,
            opcode: "beginning".to_owned(),
            reason: format!("its {} bytes do not hold {count} lists", pickle.len()),
        });
    };
    let mut machine = Machine {
        input: Input {
            bytes: pickle,
            position: 0,
        },
        count,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        tuples: Vec::new(),
        lists: Vec::new(),
        array: None,
    };
    loop {
        let position = machine.input.position;
        let code = pickle.get(position).copied();
        match machine.step() {
            Ok(Some(lists)) => return Ok(lists),
            Ok(None) => {}
            Err(reason) => {
                let opcode = code.map_or_else(|| "end".to_owned(), opcode::name);
                return Err(Refusal {
                    position,
                    opcode,
                    reason,
                });
            }
        }
    }
}

/// A value on the stack.
#[derive(Clone, Copy)]
enum Value<'a> {
    None,
    Truth(bool),
    Integer(i64),
    /// Text or, under Python 2, bytes.
    Text(&'a [u8]),
    /// An index into the machine's tuples.
    Tuple(usize),
    /// An index into the machine's lists.
    List(usize),
    Function(Function),
    /// The `dtype` of Python objects.
    ObjectType,
    /// The one array.
    Array,
}

/// The functions that NumPy's pickles name.
#[derive(Clone, Copy)]
enum Function {
    Reconstruct,
    Ndarray,
    Dtype,
    Encode,
}

impl Function {
    fn named(module: &[u8], name: &[u8]) -> Result<Self, String> {
        match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => {
                Ok(Self::Reconstruct)
            }
            (b"numpy", b"ndarray") => Ok(Self::Ndarray),
            (b"numpy", b"dtype") => Ok(Self::Dtype),
            (b"_codecs", b"encode") => Ok(Self::Encode),
            _ => {
                let [module, name] =
                    [module, name].map(|part| shown(&part.escape_ascii().to_string(), SHOWN_NAME));
                Err(format!("it names `{module}.{name}`"))
            }
        }
    }
}

enum List {
    Empty,
    Integers(Vec<u32>),
    /// Indices into the machine's lists.
    Lists(Vec<usize>),
}

/// The array, from its `_reconstruct` on.
#[derive(Clone, Copy)]
enum Array {
    Reconstructed,
    /// With its items, an index into the machine's lists.
    Built(usize),
}

struct Machine<'a> {
    input: Input<'a>,
    /// How many items the array should have.
    count: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    tuples: Vec<Vec<Value<'a>>>,
    lists: Vec<List>,
    array: Option<Array>,
}

impl<'a> Machine<'a> {
    /// Carries out the next opcode; gives the lists if it was the last.
    fn step(&mut self) -> Result<Option<Vec<Vec<u32>>>, String> {
        match self.input.byte()? {
            opcode::PROTO => match self.input.byte()? {
                2..=5 => Ok(()),
                protocol => Err(format!("protocol {protocol} is not known")),
            },
            // A frame's length helps only those who read from a pipe.
            opcode::FRAME => self.input.take(8).map(drop),
            opcode::NONE => self.push(Value::None),
            opcode::NEWTRUE => self.push(Value::Truth(true)),
            opcode::NEWFALSE => self.push(Value::Truth(false)),
            opcode::BININT => {
                let value = self.input.i32()?;
                self.push(Value::Integer(value.into()))
            }
            opcode::BININT1 => {
                let value = self.input.byte()?;
                self.push(Value::Integer(value.into()))
            }
            opcode::BININT2 => {
                let value = self.input.u16()?;
                self.push(Value::Integer(value.into()))
            }
            opcode::LONG1 => {
                let value = self.input.long()?;
                self.push(Value::Integer(value))
            }
            opcode::BINUNICODE => {
                let length = self.input.u32()?;
                let text = self.input.take(length as usize)?;
                self.push(Value::Text(text))
            }
            opcode::SHORT_BINUNICODE | opcode::SHORT_BINSTRING | opcode::SHORT_BINBYTES => {
                let text = self.input.counted()?;
                self.push(Value::Text(text))
            }
            opcode::GLOBAL => {
                let (module, name) = (self.input.line()?, self.input.line()?);
                self.push(Value::Function(Function::named(module, name)?))
            }
            opcode::STACK_GLOBAL => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => {
                    self.push(Value::Function(Function::named(module, name)?))
                }
                _ => Err("it names something by other than texts".to_owned()),
            },
            opcode::MEMOIZE => self.remember(self.memo.len() as u32),
            opcode::BINPUT => {
                let key = self.input.byte()?;
                self.remember(key.into())
            }
            opcode::LONG_BINPUT => {
                let key = self.input.u32()?;
                self.remember(key)
            }
            opcode::BINGET => {
                let key = self.input.byte()?;
                self.recall(key.into())
            }
            opcode::LONG_BINGET => {
                let key = self.input.u32()?;
                self.recall(key)
            }
            opcode::MARK => self.mark(),
            opcode::TUPLE1 => self.tuple(1),
            opcode::TUPLE2 => self.tuple(2),
            opcode::TUPLE3 => self.tuple(3),
            opcode::TUPLE => {
                let start = self.last_mark()?;
                self.tuple(self.stack.len() - start)
            }
            opcode::EMPTY_LIST => self.empty_list(),
            opcode::APPEND => {
                let start = self.stack.len().saturating_sub(1);
                self.append(start)
            }
            opcode::APPENDS => {
                let start = self.last_mark()?;
                self.append(start)
            }
            opcode::REDUCE => self.reduce(),
            opcode::BUILD => self.build(),
            opcode::STOP => return self.stop().map(Some),
            _ => Err("no list of integers needs it".to_owned()),
        }
        .map(|()| None)
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        if self.stack.len() == MAX_STACK {
            return Err(format!("more than {MAX_STACK} values wait on the stack"));
        }
        self.stack.push(value);
        Ok(())
    }

    /// The height of the stack below which values belong to an open mark.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn top(&self) -> Result<Value<'a>, String> {
        self.stack[self.floor()..]
            .last()
            .copied()
            .ok_or_else(|| "the stack is empty".to_owned())
    }

    fn mark(&mut self) -> Result<(), String> {
        if self.marks.len() == MAX_OTHERS {
            return Err(format!("more than {MAX_OTHERS} marks are open"));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn last_mark(&mut self) -> Result<usize, String> {
        self.marks.pop().ok_or_else(|| "no mark is open".to_owned())
    }

    fn remember(&mut self, key: u32) -> Result<(), String> {
        let value = self.top()?;
        if self.memo.len() >= self.count + MAX_OTHERS {
            return Err(format!(
                "it remembers more values than an array of {} lists has",
                self.count
            ));
        }
        self.memo.insert(key, value);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let value = self
            .memo
            .get(&key)
            .copied()
            .ok_or_else(|| format!("there is no remembered value {key}"))?;
        self.push(value)
    }

    fn tuple(&mut self, length: usize) -> Result<(), String> {
        if self.tuples.len() == MAX_OTHERS {
            return Err(format!("there are more than {MAX_OTHERS} tuples"));
        }
        let start = self
            .stack
            .len()
            .checked_sub(length)
            .filter(|&start| start >= self.floor());
        let start = start.ok_or("the stack holds too few values")?;
        let items = self.stack.drain(start..).collect();
        self.tuples.push(items);
        self.push(Value::Tuple(self.tuples.len() - 1))
    }

    fn empty_list(&mut self) -> Result<(), String> {
        if self.lists.len() > self.count {
            return Err(format!(
                "there are more lists than the {} of the array",
                self.count
            ));
        }
        self.lists.push(List::Empty);
        self.push(Value::List(self.lists.len() - 1))
    }

    /// Appends the values from height `start` on to the list below them.
    fn append(&mut self, start: usize) -> Result<(), String> {
        let below = start
            .checked_sub(1)
            .filter(|&below| below >= self.floor())
            .map(|below| self.stack[below]);
        let Some(Value::List(list)) = below else {
            return Err("it appends to something other than a list".to_owned());
        };
        let list = &mut self.lists[list];
        for item in self.stack.drain(start..) {
            match (&mut *list, item) {
                (List::Empty, Value::Integer(value)) => *list = List::Integers(vec![rank(value)?]),
                (List::Integers(values), Value::Integer(value)) => values.push(rank(value)?),
                (List::Empty, Value::List(item)) => *list = List::Lists(vec![item]),
                (List::Lists(items), Value::List(item)) => items.push(item),
                _ => return Err("it appends something other than an integer or a list".to_owned()),
            }
        }
        Ok(())
    }

    fn reduce(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let arguments = self.items(arguments);
        let result = match (function, arguments) {
            (
                Value::Function(Function::Reconstruct),
                [
                    Value::Function(Function::Ndarray),
                    shape @ Value::Tuple(_),
                    Value::Text(b"b"),
                ],
            ) if self.array.is_none() && matches!(self.items(*shape), [Value::Integer(0)]) => {
                self.array = Some(Array::Reconstructed);
                Value::Array
            }
            (
                Value::Function(Function::Dtype),
                [
                    Value::Text(b"O" | b"O4" | b"O8" | b"|O" | b"|O4" | b"|O8"),
                    Value::Truth(false) | Value::Integer(0),
                    Value::Truth(true) | Value::Integer(1),
                ],
            ) => Value::ObjectType,
            (
                Value::Function(Function::Encode),
                [text @ Value::Text(_), Value::Text(b"latin1")],
            ) => *text,
            _ => {
                return Err(
                    "it calls something otherwise than NumPy does for an array of objects"
                        .to_owned(),
                );
            }
        };
        self.push(result)
    }

    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        match (self.top()?, self.array, self.items(state)) {
            (
                Value::ObjectType,
                _,
                [
                    Value::Integer(3),
                    Value::Text(b"|"),
                    Value::None,
                    Value::None,
                    Value::None,
                    Value::Integer(-1),
                    Value::Integer(-1),
                    Value::Integer(_),
                ],
            ) => Ok(()),
            (
                Value::Array,
                Some(Array::Reconstructed),
                [
                    Value::Integer(1),
                    shape @ Value::Tuple(_),
                    Value::ObjectType,
                    Value::Truth(false) | Value::Integer(0),
                    Value::List(items),
                ],
            ) => match self.items(*shape) {
                [Value::Integer(length)] if usize::try_from(*length) == Ok(self.count) => {
                    self.array = Some(Array::Built(*items));
                    Ok(())
                }
                _ => Err(format!(
                    "the array's shape is not the {} of the header",
                    self.count
                )),
            },
            _ => Err(
                "it fills something otherwise than NumPy does for an array of objects".to_owned(),
            ),
        }
    }

    /// The items of a tuple; none if it is something else.
    fn items(&self, tuple: Value<'a>) -> &[Value<'a>] {
        match tuple {
            Value::Tuple(index) => &self.tuples[index],
            _ => &[],
        }
    }

    fn stop(&mut self) -> Result<Vec<Vec<u32>>, String> {
        let (Some(Array::Built(items)), [Value::Array]) = (self.array, self.stack.as_slice())
        else {
            return Err("the pickle is something other than an array of lists".to_owned());
        };
        if !self.input.is_at_end() {
            return Err("more bytes follow it".to_owned());
        }
        let mut lists: Vec<Option<List>> = std::mem::take(&mut self.lists)
            .into_iter()
            .map(Some)
            .collect();
        let items = match lists[items].take() {
            Some(List::Lists(items)) => items,
            _ => Vec::new(),
        };
        if items.len() != self.count {
            return Err(format!(
                "the array has {} lists instead of {}",
                items.len(),
                self.count
            ));
        }
        // A list that occurs twice is refused as well: a small pickle could stand for very much
        // text.
        let integers = |item: usize| match lists[item].take() {
            Some(List::Integers(integers)) => Ok(integers),
            Some(List::Empty) => Ok(Vec::new()),
            Some(List::Lists(_)) | None => {
                Err("the array's items are not lists of integers, each its own".to_owned())
            }
        };
        items.into_iter().map(integers).collect()
    }
}

fn rank(value: i64) -> Result<u32, String> {
    u32::try_from(value).map_err(|_| format!("{value} is no rank of a word"))
}
