//! The kernels: which files each is composed of, with which values.

use burn_cubecl::cubecl::prelude::{ExecutionMode, KernelId};
use burn_cubecl::template::{KernelSource, SourceTemplate};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cell {
    Lstm,
    Gru,
    SimpleRnn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pass {
    Forward,
    Backward,
}

/// Where the product with the recurrent weights is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Product {
    /// In the kernel, which walks many steps a dispatch.
    Fused,
    /// Before the kernel, which then is the pointwise part of one step.
    Step,
}

/// A kernel with all that its text depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shader {
    /// A cell's walk through time.
    Walk {
        cell: Cell,
        pass: Pass,
        product: Product,
        hidden: usize,
        /// Forward: whether the backward pass's needs are saved. Backward: whether the hidden states
        /// have a gradient.
        optional: bool,
    },
    PreviousHidden {
        hidden: usize,
    },
    TransposedWeight {
        hidden: usize,
        columns: usize,
    },
    EmbeddingBackward {
        columns: usize,
    },
}

impl Cell {
    #[cfg(test)]
    pub const ALL: [Self; 3] = [Self::Lstm, Self::Gru, Self::SimpleRnn];

    /// G.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::SimpleRnn => 1,
        }
    }

    /// Values kept for the backward pass beside the hidden states, in multiples of H a token.
    pub fn saved(self) -> usize {
        match self {
            Self::Lstm => 5,
            Self::Gru => 4,
            Self::SimpleRnn => 0,
        }
    }

    /// Buffers of a walk, the optional one not counted.
    fn buffers(self, pass: Pass) -> usize {
        match (self, pass) {
            (Self::Lstm | Self::Gru, _) => 7,
            (Self::SimpleRnn, Pass::Forward) => 6,
            (Self::SimpleRnn, Pass::Backward) => 5,
        }
    }
}

impl Product {
    /// Invocations of a fused workgroup: one a unit, in whole subgroups.
    pub fn fused_workgroup(hidden: usize) -> usize {
        hidden.next_multiple_of(32)
    }

    /// Values of four rows that the units of a workgroup exchange.
    pub fn exchange(cell: Cell, pass: Pass, hidden: usize) -> usize {
        match pass {
            Pass::Forward => 2 * hidden,
            Pass::Backward => (cell.gates() * hidden).max(4 * hidden.next_multiple_of(4)),
        }
    }
}

macro_rules! shader {
    ($path:literal) => {
        include_str!(concat!("../../shaders/", $path, ".wgsl"))
    };
}

impl Shader {
    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        match self {
            Self::Walk {
                product: Product::Fused,
                hidden,
                ..
            } => Product::fused_workgroup(hidden),
            Self::PreviousHidden { .. } | Self::TransposedWeight { .. } => 256,
            Self::Walk { .. } | Self::EmbeddingBackward { .. } => 64,
        }
    }

    fn template(self) -> SourceTemplate {
        match self {
            Self::Walk {
                cell,
                pass,
                product,
                hidden,
                optional,
            } => {
                let mut buffers = cell.buffers(pass);
                let template = SourceTemplate::new(walk(cell, pass))
                    .register("hidden", hidden.to_string())
                    .register("gates", cell.gates().to_string())
                    .register(
                        "exchange",
                        Product::exchange(cell, pass, hidden).to_string(),
                    )
                    .register("optional", buffers.to_string());
                buffers += usize::from(optional);
                parts(cell, pass, product, optional)
                    .into_iter()
                    .fold(template, SourceTemplate::add_template)
                    .register("info", buffers.to_string())
            }
            Self::PreviousHidden { hidden } => SourceTemplate::new(shader!("previous_hidden"))
                .register("hidden", hidden.to_string()),
            Self::TransposedWeight { hidden, columns } => {
                SourceTemplate::new(shader!("transposed_weight"))
                    .register("hidden", hidden.to_string())
                    .register("columns", columns.to_string())
            }
            Self::EmbeddingBackward { columns } => {
                SourceTemplate::new(shader!("embedding_backward")).register(
                    "columns",
                    columns
                        .next_power_of_two()
                        .min(self.workgroup())
                        .to_string(),
                )
            }
        }
        .register("workgroup", self.workgroup().to_string())
    }
}

fn walk(cell: Cell, pass: Pass) -> &'static str {
    match (cell, pass) {
        (Cell::Lstm, Pass::Forward) => shader!("lstm_forward"),
        (Cell::Lstm, Pass::Backward) => shader!("lstm_backward"),
        (Cell::Gru, Pass::Forward) => shader!("gru_forward"),
        (Cell::Gru, Pass::Backward) => shader!("gru_backward"),
        (Cell::SimpleRnn, Pass::Forward) => shader!("simple_rnn_forward"),
        (Cell::SimpleRnn, Pass::Backward) => shader!("simple_rnn_backward"),
    }
}

/// What a walk is made of, beside its own file.
fn parts(cell: Cell, pass: Pass, product: Product, optional: bool) -> Vec<&'static str> {
    let step = match cell {
        Cell::Lstm => shader!("parts/lstm"),
        Cell::Gru => shader!("parts/gru"),
        Cell::SimpleRnn => shader!("parts/simple_rnn"),
    };
    let mut parts = vec![step, shader!("parts/activations"), shader!("parts/tile")];
    parts.extend(match (product, pass) {
        (Product::Fused, Pass::Forward) => [shader!("parts/fused"), shader!("parts/fused_forward")],
        (Product::Fused, Pass::Backward) => {
            [shader!("parts/fused"), shader!("parts/fused_backward")]
        }
        (Product::Step, Pass::Forward) => [shader!("parts/step"), shader!("parts/step_forward")],
        (Product::Step, Pass::Backward) => [shader!("parts/step"), shader!("parts/step_backward")],
    });
    match (pass, optional) {
        (Pass::Forward, true) => parts.push(shader!("parts/save")),
        (Pass::Forward, false) if cell.saved() > 0 => parts.push(shader!("parts/save_nothing")),
        (Pass::Forward, false) => {}
        (Pass::Backward, true) => parts.push(shader!("parts/hidden_states_gradient")),
        (Pass::Backward, false) => parts.push(shader!("parts/no_hidden_states_gradient")),
    }
    parts
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
