//! Which modules of a PyTorch network are which of ours: told by their tensors' names within a module, and by shapes.

use std::collections::{BTreeMap, BTreeSet};

use gatefold_kernels::Cell;

use super::error::{InteropError, few};
use super::options::ImportOptions;
use super::slots::{Linear, Slot};
use super::table::{Framework, rows};
use super::tensors::TheirTensor;
use crate::error::MOST_LAYERS;
use crate::weights::shown;

/// Modules that are told apart by shapes; more are a network of another kind.
const MOST_LINEAR: usize = 12;
const MOST_RECURRENT: usize = 4;

/// Where tensors stand, as far as was found out.
#[derive(Debug, Default)]
pub(super) struct Assigned {
    pub places: BTreeMap<Slot, usize>,
    pub cell: Option<Cell>,
}

/// The weights of a checkpoint, which may hold other things beside them, under names without their key.
///
/// # Errors
/// If there are none under the key, or there are several keys and none is given.
pub(super) fn under_key(
    tensors: Vec<TheirTensor>,
    key: Option<&str>,
) -> Result<Vec<TheirTensor>, InteropError> {
    // A key is what everything that a network needs stands under: something recurrent, and a matrix beside it.
    let mut keys: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
    for tensor in &tensors {
        if let Some((key, name)) = tensor.name.split_once('.') {
            let [recurrent, other] = keys.entry(key).or_default();
            match name.rsplit('.').next() {
                Some(name) if name.starts_with("weight_ih_l0") => *recurrent = true,
                Some("weight") if tensor.shape.len() == 2 => *other = true,
                _ => {}
            }
        }
    }
    let is_network =
        |(key, has): (&&str, &[bool; 2])| (*has == [true; 2]).then(|| (*key).to_owned());
    let networks: Vec<String> = keys.iter().filter_map(is_network).collect();
    let list = || few(networks.iter().map(String::as_str));
    let key = match (key, &networks[..]) {
        (Some(key), _) => key.to_owned(),
        (None, []) => return Ok(tensors),
        (None, [key]) => {
            // One network beside modules of its own is no checkpoint's entry.
            let is_beside = |tensor: &TheirTensor| {
                let (first, _) = tensor.name.split_once('.').unwrap_or_default();
                first != key && tensor.name.ends_with(".weight")
            };
            if tensors.iter().any(is_beside) {
                return Ok(tensors);
            }
            key.clone()
        }
        (None, _) => {
            return Err(InteropError::Network(format!(
                "it holds several networks: name one of {} with --key",
                list()
            )));
        }
    };
    let prefix = format!("{key}.");
    let mut under: Vec<TheirTensor> = tensors
        .into_iter()
        .filter(|tensor| tensor.name.starts_with(&prefix))
        .collect();
    if under.is_empty() {
        return Err(InteropError::Network(format!(
            "it holds nothing under the key {}{}",
            shown(&key),
            match &networks[..] {
                [] => String::new(),
                _ => format!(": the networks in it are {}", list()),
            }
        )));
    }
    for tensor in &mut under {
        tensor.name.drain(..prefix.len());
    }
    Ok(under)
}

/// A module with a matrix, and perhaps a bias.
#[derive(Debug)]
struct Matrix<'a> {
    name: &'a str,
    /// `[out, in]`, or of an embedding `[V, E]`.
    shape: [usize; 2],
    weight: usize,
    bias: Option<usize>,
}

/// `nn.RNN`, `nn.LSTM` or `nn.GRU`.
struct Recurrent<'a> {
    name: &'a str,
    cell: Cell,
    input: usize,
    hidden: usize,
    layers: usize,
    bidirectional: bool,
    /// By their names within the module.
    tensors: BTreeMap<&'a str, usize>,
}

impl Recurrent<'_> {
    fn width(&self) -> usize {
        self.hidden
            .saturating_mul(if self.bidirectional { 2 } else { 1 })
    }
}

/// Which module is which.
#[derive(Clone, Debug, Default, PartialEq)]
struct Choice {
    embedding: Option<usize>,
    recurrent: Vec<usize>,
    /// The dense layer, if there is one, and the output.
    head: Vec<usize>,
}

impl Choice {
    /// A whole network before a part of one, then one that leaves less over.
    fn rank(&self) -> (bool, usize) {
        let is_whole = self.embedding.is_some() && !self.head.is_empty();
        let used = self.recurrent.len() + self.head.len() + usize::from(self.embedding.is_some());
        (is_whole, used)
    }
}

/// Finds the places of tensors.
///
/// # Errors
/// If a module is of another kind than ours, several choices fit the shapes equally well, or a map names no module.
pub(super) fn assign(
    tensors: &[TheirTensor],
    options: &ImportOptions,
) -> Result<Assigned, InteropError> {
    let mut modules: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (index, tensor) in tensors.iter().enumerate() {
        let (module, name) = tensor.name.rsplit_once('.').unwrap_or(("", &tensor.name));
        modules.entry(module).or_default().insert(name, index);
    }
    let (mut recurrent, mut matrices) = (Vec::new(), Vec::new());
    for (name, parts) in modules {
        if parts.contains_key("weight_ih_l0") {
            recurrent.push(recurrent_module(name, parts, tensors)?);
        } else if let Some(&weight) = parts.get("weight")
            && let &[out, input] = &tensors[weight].shape[..]
        {
            let (shape, bias) = ([out, input], parts.get("bias").copied());
            matrices.push(Matrix {
                name,
                shape,
                weight,
                bias,
            });
        }
    }
    let maps = mapped(options, &recurrent, &matrices)?;
    if recurrent.is_empty() {
        return Ok(Assigned::default());
    }
    if matrices.len() > MOST_LINEAR || recurrent.len() > MOST_RECURRENT {
        return Err(InteropError::Network(format!(
            "it has {} recurrent modules and {} others with a matrix, where Gatefold's networks have an embedding, recurrent \
             layers, and one or two linear layers",
            recurrent.len(),
            matrices.len()
        )));
    }
    let choice = choose(&recurrent, &matrices, &maps)?;
    let layers: usize = choice
        .recurrent
        .iter()
        .map(|&module| recurrent[module].layers)
        .sum();
    if layers > MOST_LAYERS {
        return Err(InteropError::Network(format!(
            "it has {layers} recurrent layers, more than the {MOST_LAYERS} that a network may have"
        )));
    }
    for ours in maps.keys() {
        let layer = ours
            .strip_prefix("recurrent.")
            .and_then(|layer| layer.parse().ok());
        if layer.is_some_and(|layer: usize| layer >= choice.recurrent.len()) {
            return Err(InteropError::Network(format!(
                "a map names {ours}, and there are fewer recurrent modules"
            )));
        }
    }
    let mut places = BTreeMap::new();
    if let Some(embedding) = choice.embedding {
        places.insert(Slot::Embedding, matrices[embedding].weight);
    }
    let mut below = 0;
    for &module in &choice.recurrent {
        place_recurrent(&recurrent[module], below, &mut places);
        below += recurrent[module].layers;
    }
    let (dense, output) = match choice.head[..] {
        [dense, output] => (Some(dense), Some(output)),
        [output] => (None, Some(output)),
        _ => (None, None),
    };
    for (slot, module) in [(Slot::Dense as fn(_) -> _, dense), (Slot::Output, output)] {
        if let Some(module) = module {
            places.insert(slot(Linear::Weight), matrices[module].weight);
            places.extend(matrices[module].bias.map(|bias| (slot(Linear::Bias), bias)));
        }
    }
    let cell = choice
        .recurrent
        .first()
        .map(|&module| recurrent[module].cell);
    Ok(Assigned { places, cell })
}

fn recurrent_module<'a>(
    name: &'a str,
    parts: BTreeMap<&'a str, usize>,
    tensors: &[TheirTensor],
) -> Result<Recurrent<'a>, InteropError> {
    let refuse = |what: String| InteropError::Network(format!("its module {} {what}", shown(name)));
    if parts.keys().any(|part| part.starts_with("weight_hr_")) {
        return Err(refuse(
            "projects its states (proj_size), which Gatefold doesn't have".into(),
        ));
    }
    let shape = |part: &str| Some(&tensors[*parts.get(part)?].shape[..]);
    let (Some(&[outer, input]), Some(&[_, hidden])) =
        (shape("weight_ih_l0"), shape("weight_hh_l0"))
    else {
        return Err(refuse(
            "has no weight_hh_l0, or its weights are no matrices; of one with weight norm, save it after \
             remove_parametrizations or remove_weight_norm"
                .into(),
        ));
    };
    let gates = outer
        .checked_div(hidden)
        .filter(|gates| gates.checked_mul(hidden) == Some(outer));
    let cell = [Cell::Rnn, Cell::Lstm, Cell::Gru]
        .into_iter()
        .find(|cell| Some(cell.gates()) == gates);
    let Some(cell) = cell else {
        return Err(refuse(format!(
            "is no RNN, LSTM or GRU: weight_ih_l0 has {outer} rows where weight_hh_l0 has {hidden} columns"
        )));
    };
    let has_layer = |layer: &usize| parts.contains_key(&format!("weight_ih_l{layer}")[..]);
    Ok(Recurrent {
        name,
        cell,
        input,
        hidden,
        layers: (0..).take_while(has_layer).count(),
        bidirectional: parts.contains_key("weight_ih_l0_reverse"),
        tensors: parts,
    })
}

/// The layers of a module, `below` of which lie under it.
fn place_recurrent(module: &Recurrent, below: usize, places: &mut BTreeMap<Slot, usize>) {
    for layer in 0..module.layers {
        for (reverse, suffix) in [(false, ""), (true, "_reverse")] {
            for row in rows(Framework::PyTorch, module.cell) {
                let name = format!("{}_l{layer}{suffix}", row.name);
                let (layer, part) = (below + layer, row.part);
                let slot = Slot::Recurrent {
                    layer,
                    reverse,
                    part,
                };
                places.extend(module.tensors.get(&name[..]).map(|&tensor| (slot, tensor)));
            }
        }
    }
}

/// What the maps settle: for each of ours the module that it is.
type Maps = BTreeMap<String, usize>;

fn mapped(
    options: &ImportOptions,
    recurrent: &[Recurrent],
    matrices: &[Matrix],
) -> Result<Maps, InteropError> {
    let mut maps = Maps::new();
    for (ours, theirs) in &options.maps {
        // Whole modules, whether named as such or by one of their tensors.
        let both = |suffix| Some((ours.strip_suffix(suffix)?, theirs.strip_suffix(suffix)?));
        let (ours, theirs) = both(".weight")
            .or_else(|| both(".bias"))
            .unwrap_or((ours, theirs));
        let layer = match ours {
            "recurrent" => Some("0"),
            _ => ours.strip_prefix("recurrent."),
        };
        let (found, ours) = match (layer, ours) {
            (Some(layer), _)
                if layer
                    .parse()
                    .is_ok_and(|layer: usize| layer < MOST_RECURRENT) =>
            {
                (
                    recurrent.iter().position(|module| module.name == theirs),
                    format!("recurrent.{layer}"),
                )
            }
            (None, "embedding" | "dense" | "output") => (
                matrices.iter().position(|module| module.name == theirs),
                ours.to_owned(),
            ),
            _ => {
                return Err(InteropError::Network(format!(
                    "a map names {}, which is none of embedding, recurrent.0, recurrent.1, …, dense and output",
                    shown(ours)
                )));
            }
        };
        let Some(found) = found else {
            let kind = if layer.is_some() {
                "recurrent"
            } else {
                "linear"
            };
            let known = match layer {
                Some(_) => few(recurrent.iter().map(|module| module.name)),
                None => few(matrices.iter().map(|module| module.name)),
            };
            return Err(InteropError::Network(format!(
                "a map names {}, which is no {kind} module of it: those are {}",
                shown(theirs),
                known
            )));
        };
        if maps.insert(ours.clone(), found).is_some() {
            return Err(InteropError::Network(format!(
                "two maps are for {}",
                shown(&ours)
            )));
        }
    }
    Ok(maps)
}

/// The choice that is most of a network, of those in which each reads what the one before it gives.
fn choose(
    recurrent: &[Recurrent],
    matrices: &[Matrix],
    maps: &Maps,
) -> Result<Choice, InteropError> {
    let mut best: Vec<Choice> = Vec::new();
    let mut consider = |choice: Choice| {
        let rank = best.first().map(Choice::rank);
        if Some(choice.rank()) > rank {
            best.clear();
        }
        if Some(choice.rank()) >= rank {
            best.push(choice);
        }
    };
    let fits_map = |ours: &str, module: Option<usize>| {
        maps.get(ours).is_none_or(|&mapped| Some(mapped) == module)
    };
    for order in orders(recurrent.len()) {
        let follows = |pair: &[usize]| {
            let (below, above) = (&recurrent[pair[0]], &recurrent[pair[1]]);
            below.width() == above.input
                && below.hidden == above.hidden
                && below.cell == above.cell
                && below.bidirectional == above.bidirectional
        };
        let is_mapped = (0..).zip(&order).all(|(layer, &module)| {
            let ours = format!("recurrent.{layer}");
            fits_map(&ours, Some(module))
        });
        if !is_mapped || !order.windows(2).all(follows) {
            continue;
        }
        let (Some(&first), Some(&last)) = (order.first(), order.last()) else {
            continue;
        };
        let all = || (0..matrices.len()).map(Some).chain([None]);
        let is_embedding = |module: &Option<usize>| {
            let reads = |module: usize| {
                matrices[module].bias.is_none()
                    && matrices[module].shape[1] == recurrent[first].input
            };
            module.is_none_or(reads) && fits_map("embedding", *module)
        };
        for embedding in all().filter(is_embedding) {
            for dense in all() {
                for output in all() {
                    let head: Vec<usize> = [dense, output].into_iter().flatten().collect();
                    let are_others: BTreeSet<_> = head.iter().chain(&embedding).collect();
                    let mut width = recurrent[last].width();
                    let reads = head.iter().all(|&module| {
                        let [out, input] = matrices[module].shape;
                        let reads = input == width;
                        width = out;
                        reads
                    });
                    let fits = reads
                        && are_others.len() == head.len() + usize::from(embedding.is_some())
                        && (output.is_some() || dense.is_none())
                        && fits_map("dense", dense)
                        && fits_map("output", output);
                    if fits {
                        let recurrent = order.clone();
                        consider(Choice {
                            embedding,
                            recurrent,
                            head,
                        });
                    }
                }
            }
        }
    }
    match &best[..] {
        [choice] => Ok(choice.clone()),
        // Nothing fits: what there is, so that it can be said what of it doesn't.
        [] => Ok(Choice {
            recurrent: vec![maps.get("recurrent.0").copied().unwrap_or(0)],
            embedding: maps.get("embedding").copied(),
            head: ["dense", "output"]
                .iter()
                .filter_map(|ours| maps.get(*ours).copied())
                .collect(),
        }),
        [one, other, ..] => {
            let name = |choice: &Choice| {
                let of = |module: &usize| shown(matrices[*module].name);
                let recurrent = choice
                    .recurrent
                    .iter()
                    .map(|&module| shown(recurrent[module].name));
                let modules = choice.embedding.iter().map(of).chain(recurrent);
                modules
                    .chain(choice.head.iter().map(of))
                    .collect::<Vec<_>>()
                    .join(" → ")
            };
            Err(InteropError::Network(format!(
                "its shapes don't tell which module is which: {} fits, and so does {}; say it with --map, as --map output={}",
                name(one),
                name(other),
                one.head
                    .last()
                    .map_or("fc".into(), |&module| shown(matrices[module].name))
            )))
        }
    }
}

/// All orders of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    (0..count).fold(vec![Vec::new()], |orders, item| {
        let with = |order: &Vec<usize>| {
            let order = order.clone();
            (0..=order.len()).map(move |place| {
                let mut order = order.clone();
                order.insert(place, item);
                order
            })
        };
        orders.iter().flat_map(with).collect()
    })
}
