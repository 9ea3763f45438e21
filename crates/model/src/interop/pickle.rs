//! What a pickle of weights says: tensors by their names, and where their numbers are.
//!
//! Nothing is run. A pickle is a program for a stack machine, and this one knows the operations that a state dict needs, and
//! of all functions and classes the few that `torch.save` names for one. What is copied is a number that stands for a value,
//! so that no pickle grows by being read.

use std::collections::HashMap;

use super::error::InteropError;
use crate::weights::shown;

/// Operations; a checkpoint of ours, with an optimizer's state, has a few thousand.
const MOST_OPERATIONS: usize = 250_000;
/// Dictionaries in dictionaries.
const DEEPEST: usize = 16;
/// Bytes of names and shapes that are taken out of them, and values that are looked at.
const MOST_TAKEN: usize = 8 << 20;
/// Entries of lists that become dictionaries.
const MOST_COPIED: usize = 100_000;
/// Axes of a tensor, as PyTorch has them.
const MOST_AXES: usize = 64;
/// Bytes of the name of a storage or of its kind.
const LONGEST_KEY: usize = 256;

/// A tensor, as far as a pickle describes it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Described {
    /// The names of its dictionaries' entries, with dots between them.
    pub name: String,
    pub shape: Vec<usize>,
    /// Numbers between neighbours along each axis.
    pub strides: Vec<usize>,
    /// Numbers of its storage before its first.
    pub offset: usize,
    /// What its numbers are called: `Float` of `torch.FloatStorage`.
    pub kind: String,
    /// What its storage is called.
    pub storage: String,
}

/// A value's place among all.
type Place = usize;

#[derive(Clone, Debug)]
enum Value {
    /// A marker, where an operation takes all that is above it.
    Mark,
    Text(String),
    Whole(i64),
    Tuple(Vec<Place>),
    List(Vec<Place>),
    Dictionary(Vec<(Place, Place)>),
    /// A function or a class that is known.
    Global(Global),
    Storage(Box<(String, String)>),
    Tensor(Box<Tensor>),
    /// Something that no weight needs to be looked into.
    Other,
}

#[derive(Clone, Debug)]
struct Tensor {
    storage: Place,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Global {
    OrderedDict,
    /// `torch.FloatStorage`'s `Float`.
    Storage(String),
    Tensor,
    Parameter,
}

impl Global {
    /// # Errors
    /// If it is none that a state dict needs.
    fn of(module: &str, name: &str) -> Result<Self, InteropError> {
        let kind = name.strip_suffix("Storage");
        Ok(match (module, name, kind) {
            ("collections", "OrderedDict", _) => Self::OrderedDict,
            ("torch", _, Some(kind)) if kind.chars().all(char::is_alphanumeric) => {
                Self::Storage(kind.to_owned())
            }
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2", _) => Self::Tensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state", _) => {
                Self::Parameter
            }
            _ => {
                return Err(InteropError::Refused(format!(
                    "its pickle asks for {}.{}, which weights don't need and Gatefold doesn't run: save the weights alone, \
                     with `torch.save(model.state_dict(), \"model.pt\")`",
                    shown(module),
                    shown(name)
                )));
            }
        })
    }
}

/// The tensors of a pickle.
///
/// # Errors
/// If it asks for anything that a state dict doesn't, is damaged, or has too many operations.
pub(super) fn tensors(pickle: &[u8]) -> Result<Vec<Described>, InteropError> {
    let mut machine = Machine {
        left: pickle,
        ..Machine::default()
    };
    let root = machine.run()?;
    let mut found = Vec::new();
    machine.collect(
        root,
        String::new(),
        DEEPEST,
        &mut MOST_TAKEN.clone(),
        &mut found,
    )?;
    Ok(found)
}

#[derive(Default)]
struct Machine<'a> {
    left: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Place>,
    memo: HashMap<usize, Place>,
    /// Entries of lists that became dictionaries.
    copied: usize,
}

fn damaged(what: &str) -> InteropError {
    InteropError::File(format!("its pickle is damaged: {what}"))
}

impl Machine<'_> {
    fn run(&mut self) -> Result<Place, InteropError> {
        for _ in 0..MOST_OPERATIONS {
            let [operation] = self.array()?;
            if operation == b'.' {
                return self.pop();
            }
            self.step(operation)?;
        }
        Err(InteropError::Refused(format!(
            "its pickle has more than {MOST_OPERATIONS} operations"
        )))
    }

    /// One operation, by its code in Python's `pickletools`.
    fn step(&mut self, operation: u8) -> Result<(), InteropError> {
        match operation {
            // What the pickle says of its protocol.
            0x80 => match self.array()? {
                [0..=5] => {}
                [protocol] => {
                    return Err(damaged(&format!("there is no protocol {protocol}")));
                }
            },
            b'(' => self.push(Value::Mark),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.above_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' | 0x88 | 0x89 => self.push(Value::Other),
            b'G' => {
                self.array::<8>()?;
                self.push(Value::Other);
            }
            b'K' => self.push_whole::<1>()?,
            b'M' => self.push_whole::<2>()?,
            b'J' => {
                let whole = i32::from_le_bytes(self.array()?);
                self.push(Value::Whole(whole.into()));
            }
            0x8a => {
                let [length] = self.array()?;
                let bytes = self.take(length.into())?;
                let whole = (bytes.len() <= 8).then(|| {
                    let sign = bytes.last().is_some_and(|&byte| byte > 127);
                    let mut all = [if sign { 255 } else { 0 }; 8];
                    all[..bytes.len()].copy_from_slice(bytes);
                    Value::Whole(i64::from_le_bytes(all))
                });
                self.push(whole.unwrap_or(Value::Other));
            }
            b'I' | b'L' => {
                let line = self.line()?;
                let whole = line.trim_end_matches('L').parse().map(Value::Whole);
                self.push(whole.unwrap_or(Value::Other));
            }
            b'F' => {
                self.line()?;
                self.push(Value::Other);
            }
            b'X' | b'T' => {
                let length = self.count::<4>()?;
                self.push_text(length)?;
            }
            b'U' => {
                let length = self.count::<1>()?;
                self.push_text(length)?;
            }
            b'B' | b'C' => {
                let length = match operation {
                    b'B' => self.count::<4>()?,
                    _ => self.count::<1>()?,
                };
                self.take(length)?;
                self.push(Value::Other);
            }
            b'S' | b'V' => {
                let line = self.line()?;
                let text = line.trim_matches(['\'', '"']).to_owned();
                self.push(Value::Text(text));
            }
            b')' => self.push(Value::Tuple(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dictionary(Vec::new())),
            b't' | b'l' => {
                let items = self.above_mark()?;
                self.push(match operation {
                    b't' => Value::Tuple(items),
                    _ => Value::List(items),
                });
            }
            b'd' => {
                let items = pairs(&self.above_mark()?)?;
                self.push(Value::Dictionary(items));
            }
            0x85..=0x87 => {
                let count = usize::from(operation - 0x84);
                let from = self.stack.len().checked_sub(count);
                let from = from.ok_or_else(|| damaged("its stack is too short"))?;
                let items = self.stack.split_off(from);
                self.push(Value::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.above_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(vec![(key, value)])?;
            }
            b'u' => {
                let items = pairs(&self.above_mark()?)?;
                self.insert(items)?;
            }
            b'q' => self.put::<1>()?,
            b'r' => self.put::<4>()?,
            b'h' => self.get::<1>()?,
            b'j' => self.get::<4>()?,
            b'p' | b'g' => {
                let line = self.line()?;
                let key = line.parse().map_err(|_| damaged("a number is none"))?;
                match operation {
                    b'p' => drop(self.memo.insert(key, self.top()?)),
                    _ => self.remember(key)?,
                }
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(Global::of(&module, &name)?));
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(storage);
            }
            b'R' => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let value = self.call(function, arguments)?;
                self.stack.push(value);
            }
            // A state that something is given: a dictionary's is what PyTorch says of its modules.
            b'b' => drop(self.pop()?),
            other => {
                return Err(InteropError::Refused(format!(
                    "its pickle has the operation {other:#04x}, which torch.save doesn't write for weights: save them again, \
                     with `torch.save(model.state_dict(), \"model.pt\")`"
                )));
            }
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&[u8], InteropError> {
        let (taken, left) = self
            .left
            .split_at_checked(count)
            .ok_or_else(|| damaged("it ends too early"))?;
        self.left = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], InteropError> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("so many were taken"))
    }

    fn line(&mut self) -> Result<String, InteropError> {
        let end = self.left.iter().position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| damaged("it ends too early"))?;
        let line = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.take(1)?;
        Ok(line)
    }

    /// A number without sign of N bytes.
    fn count<const N: usize>(&mut self) -> Result<usize, InteropError> {
        let bytes = self.array::<N>()?;
        let digits = bytes.iter().rev();
        Ok(digits.fold(0, |high, &low| high << 8 | usize::from(low)))
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn push_whole<const N: usize>(&mut self) -> Result<(), InteropError> {
        let whole = self.count::<N>()? as i64;
        self.push(Value::Whole(whole));
        Ok(())
    }

    fn push_text(&mut self, length: usize) -> Result<(), InteropError> {
        let text = str::from_utf8(self.take(length)?);
        let text = text
            .map_err(|_| damaged("a name is no Unicode"))?
            .to_owned();
        self.push(Value::Text(text));
        Ok(())
    }

    fn top(&self) -> Result<Place, InteropError> {
        let top = self.stack.last().copied();
        top.ok_or_else(|| damaged("its stack is too short"))
    }

    fn pop(&mut self) -> Result<Place, InteropError> {
        let top = self.stack.pop();
        top.ok_or_else(|| damaged("its stack is too short"))
    }

    /// Takes what is above the last mark, and the mark.
    fn above_mark(&mut self) -> Result<Vec<Place>, InteropError> {
        let is_mark = |&place: &Place| matches!(self.values[place], Value::Mark);
        let mark = self.stack.iter().rposition(is_mark);
        let mark = mark.ok_or_else(|| damaged("a mark is missing"))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }

    fn put<const N: usize>(&mut self) -> Result<(), InteropError> {
        let key = self.count::<N>()?;
        self.memo.insert(key, self.top()?);
        Ok(())
    }

    fn get<const N: usize>(&mut self) -> Result<(), InteropError> {
        let key = self.count::<N>()?;
        self.remember(key)
    }

    fn remember(&mut self, key: usize) -> Result<(), InteropError> {
        let place = self.memo.get(&key).copied();
        self.stack
            .push(place.ok_or_else(|| damaged("something was never put down"))?);
        Ok(())
    }

    fn append(&mut self, items: Vec<Place>) -> Result<(), InteropError> {
        let list = self.top()?;
        match &mut self.values[list] {
            Value::List(all) => all.extend(items),
            _ => return Err(damaged("something is appended to no list")),
        }
        Ok(())
    }

    fn insert(&mut self, items: Vec<(Place, Place)>) -> Result<(), InteropError> {
        let dictionary = self.top()?;
        match &mut self.values[dictionary] {
            Value::Dictionary(all) => all.extend(items),
            // The state of an object that is none of ours to look into.
            Value::Other => {}
            _ => return Err(damaged("something is put into no dictionary")),
        }
        Ok(())
    }

    fn items(&self, tuple: Place) -> Result<&[Place], InteropError> {
        match &self.values[tuple] {
            Value::Tuple(items) | Value::List(items) => Ok(items),
            _ => Err(damaged("a tuple is none")),
        }
    }

    fn whole(&self, place: Place) -> Result<usize, InteropError> {
        let whole = match self.values[place] {
            Value::Whole(whole) => usize::try_from(whole).ok(),
            _ => None,
        };
        whole.ok_or_else(|| damaged("a size is no whole number from 0 on"))
    }

    fn wholes(&self, tuple: Place) -> Result<Vec<usize>, InteropError> {
        let items = self.items(tuple)?;
        if items.len() > MOST_AXES {
            return Err(damaged("a tensor has more axes than any"));
        }
        items.iter().map(|&item| self.whole(item)).collect()
    }

    /// `("storage", torch.FloatStorage, key, location, count)`
    fn storage(&self, id: Place) -> Result<Value, InteropError> {
        if let &[_, kind, key, ..] = self.items(id)?
            && let (Value::Global(Global::Storage(kind)), Value::Text(key)) =
                (&self.values[kind], &self.values[key])
            && kind.len().max(key.len()) <= LONGEST_KEY
        {
            let (kind, key) = (kind.clone(), key.clone());
            return Ok(Value::Storage(Box::new((kind, key))));
        }
        Err(damaged("a tensor's numbers are no storage"))
    }

    fn call(&mut self, function: Place, arguments: Place) -> Result<Place, InteropError> {
        let items = self.items(arguments)?;
        let Value::Global(function) = &self.values[function] else {
            return Err(damaged("what is called is no function"));
        };
        let mut copied = 0;
        let value = match (function, items) {
            (Global::OrderedDict, []) => Value::Dictionary(Vec::new()),
            (Global::OrderedDict, &[list]) => {
                let entries = self.items(list)?;
                if self.copied + entries.len() > MOST_COPIED {
                    return Err(damaged("its dictionaries have more entries than any"));
                }
                copied = entries.len();
                let entries = entries.iter().map(|&entry| match self.items(entry)? {
                    &[key, value] => Ok((key, value)),
                    _ => Err(damaged("an entry is no pair")),
                });
                Value::Dictionary(entries.collect::<Result<_, _>>()?)
            }
            (Global::Tensor, &[storage, offset, shape, strides, ref rest @ ..]) => {
                // Behind whether it is trained and its hooks: whether it is to be read with its signs turned, and the like.
                if let Some(&about) = rest.get(2)
                    && !matches!(&self.values[about], Value::Dictionary(entries) if entries.is_empty())
                {
                    return Err(InteropError::Refused(
                        "a tensor of its pickle is a view that is read otherwise (negated or conjugate): save a copy of it"
                            .into(),
                    ));
                }
                Value::Tensor(Box::new(Tensor {
                    storage,
                    offset: self.whole(offset)?,
                    shape: self.wholes(shape)?,
                    strides: self.wholes(strides)?,
                }))
            }
            // The tensor that it holds.
            (Global::Parameter, &[tensor, ..]) => return Ok(tensor),
            _ => return Err(damaged("a call has other arguments than PyTorch gives it")),
        };
        self.copied += copied;
        self.values.push(value);
        Ok(self.values.len() - 1)
    }

    /// Gathers the tensors in a value, and in what it holds.
    fn collect(
        &self,
        place: Place,
        name: String,
        deeper: usize,
        left: &mut usize,
        found: &mut Vec<Described>,
    ) -> Result<(), InteropError> {
        *left = left.checked_sub(64 + name.len()).ok_or_else(|| {
            InteropError::Refused("its pickle names the same things again and again".into())
        })?;
        let within = |key: &str| match &name[..] {
            "" => key.to_owned(),
            name => format!("{name}.{key}"),
        };
        let deepest =
            || InteropError::Refused(format!("its pickle nests more than {DEEPEST} levels"));
        match &self.values[place] {
            Value::Tensor(tensor) => {
                let Value::Storage(storage) = &self.values[tensor.storage] else {
                    return Err(damaged("a tensor's numbers are no storage"));
                };
                found.push(Described {
                    name,
                    shape: tensor.shape.clone(),
                    strides: tensor.strides.clone(),
                    offset: tensor.offset,
                    kind: storage.0.clone(),
                    storage: storage.1.clone(),
                });
            }
            Value::Dictionary(entries) => {
                let deeper = deeper.checked_sub(1).ok_or_else(deepest)?;
                *left = left.saturating_sub(64 * entries.len());
                for &(key, value) in entries {
                    let key = match &self.values[key] {
                        Value::Text(text) => text.clone(),
                        Value::Whole(whole) => whole.to_string(),
                        _ => continue,
                    };
                    self.collect(value, within(&key), deeper, left, found)?;
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                let deeper = deeper.checked_sub(1).ok_or_else(deepest)?;
                for (index, &item) in items.iter().enumerate() {
                    self.collect(item, within(&index.to_string()), deeper, left, found)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn pairs(items: &[Place]) -> Result<Vec<(Place, Place)>, InteropError> {
    let (pairs, rest) = items.as_chunks::<2>();
    match rest.is_empty() {
        true => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        false => Err(damaged("a key has no value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(pickle: &[u8]) -> String {
        match tensors(pickle) {
            Err(InteropError::Refused(reason)) => reason,
            other => panic!("{other:?} is no refusal"),
        }
    }

    #[test]
    fn a_pickle_may_ask_for_what_weights_need_and_for_nothing_else() {
        let asks = |module: &str, name: &str| format!("c{module}\n{name}\n.");
        for (module, name) in [
            ("collections", "OrderedDict"),
            ("torch", "FloatStorage"),
            ("torch._utils", "_rebuild_tensor_v2"),
        ] {
            assert_eq!(tensors(asks(module, name).as_bytes()), Ok(Vec::new()));
        }
        for (module, name) in [
            ("os", "system"),
            ("builtins", "eval"),
            ("collections", "OrderedDict.x"),
            ("torch", "hub.loadStorage"),
            ("torch.storage", "_load_from_bytes"),
            ("__main__", "Net"),
        ] {
            let reason = refusal(asks(module, name).as_bytes());
            assert!(
                reason.contains(&format!("asks for {module}.{name}")),
                "{reason}"
            );
        }
    }

    #[test]
    fn a_pickle_is_followed_to_its_end_and_not_further() {
        let pickle = b"\x80\x02}X\x02\x00\x00\x00hiK\x01s.cos\nsystem\n";
        assert_eq!(tensors(pickle), Ok(Vec::new()));
        for cut in [
            &b"\x80\x02}"[..],
            b"X\xff\xff\xff\xffhi.",
            b"ccollections",
            b"",
            b".",
            b"t.",
        ] {
            assert!(
                matches!(tensors(cut), Err(InteropError::File(_))),
                "{cut:?}"
            );
        }
        // A global whose name is computed, an instance, an extension's code.
        for operation in [b"\x93.", b"o.", b"\x82."] {
            assert!(refusal(operation).contains("the operation"));
        }
        let many = [&vec![b'N'; MOST_OPERATIONS][..], b"."].concat();
        assert!(refusal(&many).contains("operations"));
    }

    #[test]
    fn what_is_used_again_and_again_takes_no_more_room() {
        // Each tuple holds the one before it twice: 2 to the 60th values, if they were copied.
        let mut pickle = b")q\x00".to_vec();
        for level in 0..60 {
            pickle.extend([b'h', level, b'h', level, 0x86, b'q', level + 1]);
        }
        pickle.push(b'.');
        assert!(refusal(&pickle).contains("nests"));
        // A dictionary that holds itself.
        assert!(refusal(b"}q\x00X\x01\x00\x00\x00ah\x00s.").contains("nests"));
    }
}
