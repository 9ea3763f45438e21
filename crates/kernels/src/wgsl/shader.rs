//! The kernels: which files each is composed of, with which values.

use burn_cubecl::cubecl::prelude::{ExecutionMode, KernelId};
use burn_cubecl::template::{KernelSource, SourceTemplate};

use crate::cell::Cell;
use crate::kernel_choices::{Pass, Product};

macro_rules! shader {
    ($path:literal) => {
        include_str!(concat!("../../shaders/", $path, ".wgsl"))
    };
}

/// Rows of a tile, ROWS in the kernels.
pub(super) const ROWS: usize = 4;

/// What is the same for a cell's walk forward and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Walk {
    pub cell: Cell,
    pub product: Product,
    pub hidden: usize,
    /// Groups of a workgroup's invocations that have tiles of their own.
    pub groups: usize,
    /// Tiles of an invocation, one or two: a second one shares the weights that are read for the first.
    pub blocks: usize,
    /// Whether a fused walk back adds sums in workgroup memory of their own, with half the barriers.
    pub apart: bool,
}

/// What a layer's weights are multiplied with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Layer {
    pub cell: Cell,
    pub hidden: usize,
    /// D, or 0 where the projections were given.
    pub input: usize,
}

/// A kernel with all that its text depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shader {
    /// A cell's walk through time.
    Forward {
        walk: Walk,
        /// Whether a word has a projection, or a token.
        words: bool,
        /// Whether what the backward pass needs is kept.
        keeps: bool,
    },
    /// Its backward pass.
    Backward {
        walk: Walk,
        /// Whether the gradients of the final hidden state, of the final cell state and of all hidden states are there.
        given: [bool; 3],
        /// Whether it binds the initial hidden state, as where nothing else was packed.
        initial: bool,
    },
    /// What walks read again and again.
    Pack {
        cell: Cell,
        hidden: usize,
        /// Whether the bias and the initial hidden and cell states are there.
        given: [bool; 3],
    },
    /// The gradients of weights and input, in parts.
    WeightGradients {
        layer: Layer,
        words: bool,
        /// Whether the input's is asked for.
        input: bool,
    },
    /// The sum of those parts.
    SumParts {
        layer: Layer,
    },
    PerceptronForward(PerceptronSizes),
    PerceptronBackward(PerceptronSizes),
    PerceptronWeights(PerceptronSizes),
    EmbeddingBackward,
    Heartbeat,
    /// Of one parameter, or of a pair.
    Adam {
        pair: bool,
    },
}

/// The sizes of a perceptron's layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PerceptronSizes {
    /// D.
    pub input: usize,
    /// M.
    pub hidden: usize,
    /// C.
    pub output: usize,
}

impl PerceptronSizes {
    fn template(self, source: &str) -> SourceTemplate {
        let source = source.to_owned() + &row_access(source, shader!("parts/rows"));
        SourceTemplate::new(numbered(source))
            .register("input", self.input.to_string())
            .register("hidden", self.hidden.to_string())
            .register("output", self.output.to_string())
    }
}

/// The largest H of which a quarter of a unit's weights stays in registers: 64 numbers for an LSTM.
pub(super) const SPLIT: usize = 64;

/// H, padded to whole turns of the products: UNITS in the kernels.
pub(super) fn units(hidden: usize) -> usize {
    hidden.next_multiple_of(if hidden <= SPLIT { 16 } else { 8 })
}

/// Where the parts of what pack.wgsl lays out begin, in fours of numbers.
pub(super) struct Packing {
    pub bias: usize,
    /// Where the other bias is, else the first one.
    pub recurrent_bias: usize,
    pub initial: usize,
}

impl Packing {
    pub fn of(cell: Cell, hidden: usize) -> Self {
        let units = units(hidden);
        let weights = units / 4 * cell.gates() * units;
        let bias = usize::from(cell.has_recurrent_weight()) * weights;
        let recurrent_bias = bias + usize::from(cell.has_recurrent_bias()) * units;
        Self {
            bias,
            recurrent_bias,
            initial: recurrent_bias + units,
        }
    }
}

impl Walk {
    /// Invocations of a tile, or of one of its rows: one a unit, in whole subgroups.
    pub fn lanes(&self) -> usize {
        match self.product {
            Product::Split | Product::Fused => self.hidden.next_multiple_of(32),
            Product::Step | Product::None => 64,
        }
    }

    /// Invocations of a workgroup.
    pub fn workgroup(&self) -> usize {
        match self.product {
            Product::Split => ROWS * self.lanes(),
            _ => self.lanes() * self.groups,
        }
    }

    /// Tiles of a workgroup.
    pub fn tiles(&self) -> usize {
        self.groups * self.blocks
    }

    /// Where the quarters' sums begin in what a [split](Product::Split) walk exchanges.
    fn parts(&self, pass: Pass) -> usize {
        ROWS * units(self.hidden)
            * match pass {
                Pass::Forward => 2,
                Pass::Backward => self.cell.gates(),
            }
    }

    /// Bytes that a workgroup exchanges.
    pub fn exchanged(&self, pass: Pass) -> usize {
        match self.product {
            Product::Split => self.exchange(pass) * size_of::<f32>(),
            _ => self.exchange(pass) * self.tiles() * size_of::<[f32; ROWS]>(),
        }
    }

    /// Values of four rows that the units of a tile exchange; of a split walk, numbers.
    fn exchange(&self, pass: Pass) -> usize {
        // A quarter leaves three rows of each sum.
        let parts = |sums| self.parts(pass) + sums * 4 * 3 * self.lanes();
        match (self.product, pass) {
            (Product::Split, Pass::Forward) => parts(self.cell.gates()),
            (Product::Split, Pass::Backward) => parts(1),
            (Product::Fused, Pass::Forward) => 2 * units(self.hidden),
            (Product::Fused, Pass::Backward) if self.apart => 8 * units(self.hidden),
            (Product::Fused, Pass::Backward) => 4 * units(self.hidden),
            (Product::Step, Pass::Forward) => self.lanes(),
            (Product::Step, Pass::Backward) => 4 * self.lanes(),
            (Product::None, _) => 0,
        }
    }

    fn template(self, pass: Pass, source: String) -> SourceTemplate {
        let Self { cell, hidden, .. } = self;
        let (kept, components, rest) = match cell.saved() {
            2 => ("vec2f", ".xy", ", 0.0, 0.0"),
            _ => ("vec4f", "", ""),
        };
        SourceTemplate::new(numbered(source))
            .register("gates", cell.gates().to_string())
            .register("groups", self.groups.to_string())
            .register("blocks", self.blocks.to_string())
            .register("has_cell", cell.has_cell_state().to_string())
            .register("apart", self.apart.to_string())
            .register("lanes", self.lanes().to_string())
            .register("exchange", self.exchange(pass).to_string())
            .register("recorded", cell.gradients().to_string())
            .register("kept", kept)
            .register("components", components)
            .register("rest", rest)
            .register("parts", self.parts(pass).to_string())
            .register("units", units(hidden).to_string())
    }

    fn forward(self, words: bool, keeps: bool) -> String {
        let [kernel, step] = match self.cell {
            Cell::Lstm => [shader!("walk_forward"), shader!("parts/lstm_forward")],
            Cell::Gru => [shader!("walk_forward"), shader!("parts/gru_forward")],
            Cell::MinGru => [shader!("min_gru_forward"), ""],
            Cell::Rnn => [shader!("walk_forward"), shader!("parts/simple_rnn_forward")],
        };
        let split = self.held(shader!("parts/split_forward"), Pass::Forward);
        let product = match self.product {
            Product::Split => [shader!("parts/split"), &split, ""],
            Product::Fused => [
                shader!("parts/fused"),
                shader!("parts/fused_forward"),
                shader!("parts/product"),
            ],
            Product::Step => [
                shader!("parts/step"),
                shader!("parts/step_forward"),
                shader!("parts/product"),
            ],
            Product::None => [shader!("parts/no_product"), "", ""],
        };
        let is_split = self.product == Product::Split;
        let words = match (words, is_split) {
            (true, true) => [shader!("parts/words"), shader!("parts/row_of_ids")],
            (true, false) => [shader!("parts/words"), shader!("parts/rows_of_ids")],
            (false, _) => [shader!("parts/tokens"), ""],
        };
        let keep = match (keeps, is_split) {
            (true, true) => [shader!("parts/saved"), shader!("parts/keep_row")],
            (true, false) => [shader!("parts/saved"), shader!("parts/keep_rows")],
            (false, _) => [shader!("parts/keep_nothing"), ""],
        };
        let packed = [step, shader!("parts/packed")];
        self.compose(kernel, &[&packed[..], &words, &keep].concat(), &product)
    }

    fn backward(self, given: [bool; 3], initial: bool) -> String {
        let [kernel, step] = match self.cell {
            Cell::Lstm => [shader!("walk_backward"), shader!("parts/lstm_backward")],
            Cell::Gru => [shader!("walk_backward"), shader!("parts/gru_backward")],
            Cell::MinGru => [shader!("min_gru_backward"), ""],
            Cell::Rnn => [
                shader!("walk_backward"),
                shader!("parts/simple_rnn_backward"),
            ],
        };
        let split = self.held(shader!("parts/split_backward"), Pass::Backward);
        let product = match self.product {
            Product::Split => [shader!("parts/split"), &split, ""],
            Product::Fused => [
                shader!("parts/fused"),
                shader!("parts/fused_backward"),
                shader!("parts/product_back"),
            ],
            Product::Step => [
                shader!("parts/step"),
                shader!("parts/step_backward"),
                shader!("parts/product_back"),
            ],
            Product::None => [shader!("parts/no_product"), "", ""],
        };
        let kept = match (self.cell.saved(), self.product) {
            (0, _) => ["", ""],
            (_, Product::Split) => [shader!("parts/saved"), shader!("parts/kept_row")],
            _ => [shader!("parts/saved"), shader!("parts/kept_rows")],
        };
        let buffers = ["d_final_hidden", "d_final_cell", "d_hidden_states"];
        let read = |(buffer, given)| {
            let part = match given {
                true => shader!("parts/given_rows"),
                false => shader!("parts/absent_rows"),
            };
            part.replace("{{ buffer }}", buffer)
        };
        let d_outputs: String = buffers.into_iter().zip(given).map(read).collect();
        let initial = read(("initial_hidden", initial));
        let before = match self.product {
            Product::None => &initial,
            _ => shader!("parts/packed"),
        };
        let parts = [
            step,
            before,
            shader!("parts/gradients"),
            kept[0],
            kept[1],
            &d_outputs,
        ];
        self.compose(kernel, &parts, &product)
    }

    fn compose(self, kernel: &str, parts: &[&str], product: &[&str]) -> String {
        let step = match self.cell {
            Cell::Lstm => shader!("parts/lstm"),
            Cell::Gru => shader!("parts/gru"),
            Cell::MinGru => shader!("parts/min_gru"),
            Cell::Rnn => shader!("parts/simple_rnn"),
        };
        let (rows, access) = match self.product {
            Product::Split => (shader!("parts/one_row"), shader!("parts/row")),
            _ => (shader!("parts/four_rows"), shader!("parts/rows")),
        };
        let shared = [
            step,
            shader!("parts/activations"),
            shader!("parts/tile"),
            rows,
        ];
        let heartbeat = [shader!("parts/heartbeat")];
        let mut source = [&[kernel][..], &shared, parts, &heartbeat, product]
            .concat()
            .concat();
        source.push_str(&row_access(&source, access));
        source
    }

    /// A part of a split walk with the lines for each four of the weights that an invocation holds: compilers keep in
    /// registers what no loop counts through.
    fn held(self, part: &str, pass: Pass) -> String {
        if self.product != Product::Split {
            return String::new();
        }
        let (gates, units) = (self.cell.gates(), units(self.hidden));
        let quarter = units / 4;
        let (mut held, mut products) = (String::new(), String::new());
        let mut hold = String::from("fn hold_weights(unit: u32, local: u32) {\n");
        hold += "    let first = local / LANES * QUARTER;\n";
        for four in 0..quarter / 4 {
            for gate in 0..gates {
                let name = format!("w_{}", four * gates + gate);
                held += &format!("var<private> {name}: vec4f;\n");
                hold += &match pass {
                    Pass::Forward => format!(
                        "    {name} = packed[weights_at(first / 4u + {four}u, {gate}u, unit)];\n"
                    ),
                    Pass::Backward => {
                        let to = |i| format!("weight_to(unit, {gate}u, first + {}u)", 4 * four + i);
                        format!(
                            "    {name} = vec4f({}, {}, {}, {});\n",
                            to(0),
                            to(1),
                            to(2),
                            to(3)
                        )
                    }
                };
            }
            for (i, part) in ["x", "y", "z", "w"].into_iter().enumerate() {
                let unit = 4 * four + i;
                if pass == Pass::Forward {
                    products += &format!("    let h_{unit} = exchanged(first + {}u);\n", 4 * unit);
                }
                for gate in 0..gates {
                    let factor = match pass {
                        Pass::Forward => format!("h_{unit}"),
                        Pass::Backward => {
                            format!("exchanged(first + {}u)", 4 * (gate * units + unit))
                        }
                    };
                    let name = format!("w_{}", four * gates + gate);
                    products += &format!(
                        "    sums[{gate}] = fma(vec4f({name}.{part}), {factor}, sums[{gate}]);\n"
                    );
                }
            }
        }
        hold += "}\n";
        part.replace("{{ weights }}", &(held + "\n" + &hold))
            .replace("{{ products }}\n", &products)
    }
}

impl Layer {
    /// H, or 0 where no hidden state is multiplied.
    pub fn recurrent(&self) -> usize {
        usize::from(self.cell.has_recurrent_weight()) * self.hidden
    }

    /// Where the input stands behind the hidden state, and a one behind both, in what the gradients of the
    /// preactivations are multiplied with.
    fn places(&self) -> [usize; 2] {
        let input = self.recurrent().next_multiple_of(4);
        [input, input + self.input.next_multiple_of(4)]
    }

    /// Numbers of a timestep that the gradients of the preactivations are multiplied with.
    pub fn rows(&self) -> usize {
        self.places()[1] + 1
    }

    /// Gradients of a timestep's preactivations.
    pub fn columns(&self) -> usize {
        self.cell.gradients() * self.hidden
    }

    /// Blocks of rows, a workgroup each, and groups of eight rows in one.
    fn row_blocks(&self) -> (usize, usize) {
        let groups = self.rows().div_ceil(8);
        let blocks = groups.div_ceil(16);
        (blocks, groups.div_ceil(blocks))
    }

    /// Fours of columns of an invocation.
    fn wide(&self) -> usize {
        1 + usize::from(self.columns() > 64)
    }

    /// Blocks of rows and columns, a workgroup each.
    pub fn blocks(&self) -> usize {
        self.row_blocks().0 * self.columns().div_ceil(64 * self.wide())
    }

    /// Invocations of a workgroup: sixteen a group of rows, in whole subgroups, and no fewer than make the gradients of
    /// the input.
    fn workgroup(&self) -> usize {
        (16 * self.row_blocks().1).next_multiple_of(32).max(128)
    }

    fn template(self, source: String) -> SourceTemplate {
        let projected = self.cell.gates() * self.hidden;
        let (columns, read) = match self.columns().is_multiple_of(4) {
            true => ("vec4f", READ_FOUR),
            false => ("f32", READ_EACH),
        };
        SourceTemplate::new(numbered(source))
            .register("four_columns", columns)
            .register("read_columns", read)
            .register("recurrent", self.recurrent().to_string())
            .register("input", self.input.to_string())
            .register("columns", self.columns().to_string())
            .register("projected", projected.to_string())
            .register("first_input", self.places()[0].to_string())
            .register("first_one", self.places()[1].to_string())
            .register("groups", self.row_blocks().1.to_string())
            .register("wide", self.wide().to_string())
            .register("shared", (32 * self.row_blocks().1).max(128).to_string())
            .register("units", units(self.hidden).to_string())
    }
}

const READ_FOUR: &str = "values = gradients[(at * COLUMNS + column) / 4u];";
const READ_EACH: &str = "let first = at * COLUMNS + column;
        let last = COLUMNS - 1u - column;
        values.x = gradients[first];
        values.y = select(0.0, gradients[first + min(1u, last)], last >= 1u);
        values.z = select(0.0, gradients[first + min(2u, last)], last >= 2u);
        values.w = select(0.0, gradients[first + min(3u, last)], last >= 3u);";

impl Shader {
    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        match self {
            Self::Forward { walk, .. } | Self::Backward { walk, .. } => walk.workgroup(),
            Self::Pack { .. } | Self::SumParts { .. } | Self::Adam { .. } => 256,
            Self::EmbeddingBackward => 256,
            Self::PerceptronForward(_) | Self::PerceptronBackward(_) => 64,
            Self::PerceptronWeights(_) => 64,
            Self::WeightGradients { layer, .. } => layer.workgroup(),
            Self::Heartbeat => 1,
        }
    }

    fn template(self) -> SourceTemplate {
        let template = match self {
            Self::Forward { walk, words, keeps } => {
                walk.template(Pass::Forward, walk.forward(words, keeps))
            }
            Self::Backward {
                walk,
                given,
                initial,
            } => walk.template(Pass::Backward, walk.backward(given, initial)),
            Self::Pack {
                cell,
                hidden,
                given: [bias, initial_hidden, initial_cell],
            } => {
                let buffers = [
                    ("weight", cell.has_recurrent_weight()),
                    ("bias", bias),
                    ("recurrent_bias", cell.has_recurrent_bias()),
                    ("initial_hidden", initial_hidden),
                    ("initial_cell", initial_cell),
                ];
                let read = buffers.map(|(buffer, given)| {
                    let part = match given {
                        true => shader!("parts/given"),
                        false => shader!("parts/absent"),
                    };
                    part.replace("{{ buffer }}", buffer)
                });
                let source = shader!("pack").to_owned() + &read.concat();
                SourceTemplate::new(numbered(source))
                    .register("gates", cell.gates().to_string())
                    .register("units", units(hidden).to_string())
            }
            Self::WeightGradients {
                layer,
                words,
                input,
            } => {
                let hidden = match layer.recurrent() {
                    0 => shader!("parts/no_hidden_before"),
                    _ => shader!("parts/hidden_before"),
                };
                let vectors = match (layer.input, words) {
                    (0, _) => shader!("parts/no_input"),
                    (_, true) => shader!("parts/input_words"),
                    (_, false) => shader!("parts/input_vectors"),
                };
                let weights = match input {
                    true => shader!("parts/input_weights"),
                    false => shader!("parts/no_input_weights"),
                };
                let parts = [shader!("weight_gradients"), hidden, vectors, weights];
                layer.template(parts.concat())
            }
            Self::SumParts { layer } => layer.template(shader!("sum_parts").to_owned()),
            Self::PerceptronForward(sizes) => sizes.template(shader!("perceptron_forward")),
            Self::PerceptronBackward(sizes) => sizes.template(shader!("perceptron_backward")),
            Self::PerceptronWeights(sizes) => sizes.template(shader!("perceptron_weights")),
            Self::EmbeddingBackward => {
                SourceTemplate::new(numbered(shader!("embedding_backward").to_owned()))
            }
            Self::Heartbeat => SourceTemplate::new(numbered(shader!("heartbeat").to_owned())),
            Self::Adam { pair } => {
                let second = match pair {
                    true => shader!("parts/adam_second"),
                    false => shader!("parts/adam_alone"),
                };
                SourceTemplate::new(numbered(shader!("adam").to_owned() + second))
            }
        };
        let template = match self {
            Self::Forward { walk, .. } | Self::Backward { walk, .. } => {
                with_packing(template, walk.cell, walk.hidden)
            }
            Self::Pack { cell, hidden, .. } => with_packing(template, cell, hidden),
            Self::WeightGradients { layer, .. } | Self::SumParts { layer } => {
                with_packing(template, layer.cell, layer.hidden)
            }
            _ => template,
        };
        template.register("workgroup", self.workgroup().to_string())
    }
}

fn with_packing(template: SourceTemplate, cell: Cell, hidden: usize) -> SourceTemplate {
    let packing = Packing::of(cell, hidden);
    template
        .register("hidden", hidden.to_string())
        .register("bias", packing.bias.to_string())
        .register("recurrent_bias", packing.recurrent_bias.to_string())
        .register("initial", packing.initial.to_string())
}

/// The source with its bindings numbered in the order in which they stand; the uniform comes last.
fn numbered(source: String) -> String {
    let next = "{{ next }}";
    let (mut count, mut numbered) = (0, String::with_capacity(source.len()));
    for line in source.split_inclusive('\n') {
        if line.contains(next) && !line.contains("var<uniform>") {
            numbered.push_str(&line.replace(next, &count.to_string()));
            count += 1;
        } else {
            numbered.push_str(line);
        }
    }
    numbered.replace(next, &count.to_string())
}

/// Functions that read and write a value for each row of a tile, for every buffer of floats.
fn row_access(source: &str, access: &str) -> String {
    source
        .lines()
        .filter_map(|line| {
            line.split_once("var<storage, read_write> ")?
                .1
                .split_once(": array<f32>;")
        })
        .map(|(buffer, _)| access.replace("{{ buffer }}", buffer))
        .collect()
}

impl KernelSource for Shader {
    fn source(&self) -> SourceTemplate {
        self.template()
    }

    fn id(&self) -> KernelId {
        // The kernels bound their loops and indices themselves.
        KernelId::new::<Self>()
            .info(*self)
            .mode(ExecutionMode::Unchecked)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}
