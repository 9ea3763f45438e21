//! The kernels: which files each is composed of, with which values.

use burn_cubecl::cubecl::prelude::{ExecutionMode, KernelId};
use burn_cubecl::template::{KernelSource, SourceTemplate};

use crate::cell::Cell;

/// Rows of a tile, ROWS in the kernels.
pub(super) const ROWS: usize = 4;

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
    /// There is none: units walk by themselves.
    None,
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
        /// Whether the last buffer is there: forward, what is saved for the backward pass; backward,
        /// the gradient of the hidden states.
        extra: bool,
        /// Whether the workgroups that come to their end are counted.
        heartbeat: bool,
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
    Heartbeat,
    Adam,
}

/// Buffers of a walk, the extra one not counted.
fn buffers(cell: Cell, pass: Pass) -> usize {
    let states = 1 + usize::from(cell.has_cell_state());
    let factor = usize::from(cell.has_recurrent_weight());
    match pass {
        // Projections, factor, bias, states, lengths; hidden states, final states.
        Pass::Forward => 4 + factor + states + usize::from(cell.has_recurrent_bias()),
        // Saved, factor, what the timestep started from, lengths, gradients of the states; gradients.
        Pass::Backward => {
            3 + factor
                + states
                + match previous(cell) {
                    Previous::Cell => 1,
                    Previous::Hidden => 2,
                    Previous::Nothing => 0,
                }
        }
    }
}

/// What a timestep of the backward pass reads of the one before it, beside what is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Previous {
    /// The cell state: saved, but for the initial one.
    Cell,
    /// The hidden state, and the initial one.
    Hidden,
    /// Nothing.
    Nothing,
}

/// See [`Previous`].
pub(super) fn previous(cell: Cell) -> Previous {
    match (cell.has_cell_state(), cell.saved()) {
        (true, _) => Previous::Cell,
        (false, 0) => Previous::Nothing,
        (false, _) => Previous::Hidden,
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
            Self::PreviousHidden { .. } | Self::TransposedWeight { .. } | Self::Adam => 256,
            Self::Walk { .. } | Self::EmbeddingBackward { .. } => 64,
            Self::Heartbeat => 1,
        }
    }

    fn template(self) -> SourceTemplate {
        match self {
            Self::Walk {
                cell,
                pass,
                product,
                hidden,
                extra,
                heartbeat,
            } => {
                let buffers = buffers(cell, pass);
                let walked = buffers + usize::from(extra);
                SourceTemplate::new(walk(cell, pass, product, extra, heartbeat))
                    .register("hidden", hidden.to_string())
                    .register("gates", cell.gates().to_string())
                    .register(
                        "exchange",
                        Product::exchange(cell, pass, hidden).to_string(),
                    )
                    .register("extra", buffers.to_string())
                    .register("heartbeat", walked.to_string())
                    .register("info", (walked + usize::from(heartbeat)).to_string())
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
            Self::Heartbeat => SourceTemplate::new(shader!("heartbeat")),
            Self::Adam => SourceTemplate::new(shader!("adam")),
        }
        .register("workgroup", self.workgroup().to_string())
    }
}

/// A walk's own file, its parts, and the access to its buffers.
fn walk(cell: Cell, pass: Pass, product: Product, extra: bool, heartbeat: bool) -> String {
    let kernel = match (cell, pass) {
        (Cell::Lstm, Pass::Forward) => shader!("lstm_forward"),
        (Cell::Lstm, Pass::Backward) => shader!("lstm_backward"),
        (Cell::Gru, Pass::Forward) => shader!("gru_forward"),
        (Cell::Gru, Pass::Backward) => shader!("gru_backward"),
        (Cell::MinGru, Pass::Forward) => shader!("min_gru_forward"),
        (Cell::MinGru, Pass::Backward) => shader!("min_gru_backward"),
        (Cell::Rnn, Pass::Forward) => shader!("simple_rnn_forward"),
        (Cell::Rnn, Pass::Backward) => shader!("simple_rnn_backward"),
    };
    let step = match cell {
        Cell::Lstm => shader!("parts/lstm"),
        Cell::Gru => shader!("parts/gru"),
        Cell::MinGru => shader!("parts/min_gru"),
        Cell::Rnn => shader!("parts/simple_rnn"),
    };
    let product = match (product, pass) {
        (Product::Fused, Pass::Forward) => [shader!("parts/fused"), shader!("parts/fused_forward")],
        (Product::Fused, Pass::Backward) => {
            [shader!("parts/fused"), shader!("parts/fused_backward")]
        }
        (Product::Step, Pass::Forward) => [shader!("parts/step"), shader!("parts/step_forward")],
        (Product::Step, Pass::Backward) => [shader!("parts/step"), shader!("parts/step_backward")],
        (Product::None, _) => [shader!("parts/no_product"), ""],
    };
    let extra = match (pass, extra) {
        (Pass::Forward, true) => shader!("parts/save"),
        (Pass::Forward, false) => shader!("parts/save_nothing"),
        (Pass::Backward, true) => shader!("parts/hidden_states_gradient"),
        (Pass::Backward, false) => shader!("parts/no_hidden_states_gradient"),
    };
    let heartbeat = if heartbeat {
        shader!("parts/heartbeat")
    } else {
        shader!("parts/no_heartbeat")
    };
    let shared = [
        step,
        shader!("parts/activations"),
        shader!("parts/tile"),
        extra,
        heartbeat,
    ];
    let mut source = [&[kernel][..], &shared, &product].concat().concat();
    source.push_str(&row_access(&source));
    source
}

/// Functions that read and write a value for each row of a tile, for every buffer of floats.
fn row_access(source: &str) -> String {
    source
        .lines()
        .filter_map(|line| {
            line.split_once("var<storage, read_write> ")?
                .1
                .split_once(": array<f32>;")
        })
        .map(|(buffer, _)| shader!("parts/rows").replace("{{ buffer }}", buffer))
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
