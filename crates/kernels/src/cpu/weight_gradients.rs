//! The gradients of a layer's weights, summed while a tile walks back: what a few timesteps started from and read times
//! their gradients, while both are still in the cache.

// Plain indices: iterators are not always inlined here, where they cost most.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::aligned::Aligned;
use super::buffers;
use super::simd::arch;
use super::threads::chunks;
use super::timestep::Timestep;

/// Timesteps of rows that are gathered before they are added: enough that the sums are seldom read and written, few
/// enough that they stay in the cache.
pub(super) const GATHERED: usize = 128;

/// What is kept of a timestep, and which of it makes which gradient.
#[derive(Clone)]
pub(super) struct Layout {
    hidden: usize,
    /// D, or 0 where the input is not multiplied here.
    input: usize,
    /// Whether the last gate of the product with U has a gradient of its own, and U a bias.
    splits: bool,
    /// Of U with its bias in a row of its own, and of W with its own.
    products: [Product; 2],
    /// Numbers that are kept of a timestep.
    states: usize,
    /// How far timesteps' gradients are apart: lines more than they are long, so that they don't all fall on the same
    /// places of the first cache, and a panel that begins among them ends before the next.
    stride: usize,
}

/// Numbers of a timestep times gradients of it.
#[derive(Clone)]
struct Product {
    /// Among `h_{t-1}`, 1, `x_t`, 1: each 1 sums the gradients for a bias.
    states: Range<usize>,
    /// Among the gradients: those of the projections, from the last gate's on where it splits, then that of the
    /// recurrent product's last gate.
    gradients: Range<usize>,
}

impl Layout {
    pub fn new<C: Timestep>(hidden: usize, input: Option<usize>) -> Self {
        let recurrent = match C::CELL.has_recurrent_weight() {
            true => hidden + usize::from(C::SPLITS_GRADIENT),
            false => 0,
        };
        let width = C::GATES * hidden;
        let all = C::CELL.gradients() * hidden;
        let rows = input.map_or(0, |input| input + 1);
        Self {
            hidden,
            input: input.unwrap_or(0),
            splits: C::SPLITS_GRADIENT,
            products: [
                Product {
                    states: 0..recurrent,
                    gradients: all - width..all,
                },
                Product {
                    states: recurrent..recurrent + rows,
                    gradients: 0..width,
                },
            ],
            states: recurrent + rows,
            stride: all.next_multiple_of(32) + 48,
        }
    }

    /// Whether there is anything to be summed.
    pub fn is_empty(&self) -> bool {
        self.states == 0
    }

    fn gradients(&self) -> usize {
        self.products[0].gradients.end
    }

    /// Where the gradient of a gate of the projections stands, of G.
    #[inline(always)]
    pub fn place(&self, gate: usize, gates: usize) -> usize {
        match self.splits {
            true => self.hidden * ((gate + 1) % gates),
            false => self.hidden * gate,
        }
    }

    /// Where that of the recurrent product's last gate does.
    #[inline(always)]
    pub fn split_place(&self) -> usize {
        self.gradients() - self.hidden
    }

    /// The gate and the unit whose gradient of the projections stands at `place`: their place among `[G·H]`.
    pub fn of_projections(&self, place: usize) -> usize {
        let width = self.products[1].gradients.len();
        match self.splits {
            true => (place + width - self.hidden) % width,
            false => place,
        }
    }
}

/// Sums a tile's gradients in the order in which timesteps come.
pub(super) struct WeightGradients {
    layout: Layout,
    /// `[GATHERED, S]`: what timesteps started from and read.
    states: Aligned,
    /// `[GATHERED, stride]`: their gradients.
    gradients: Aligned,
    /// Of each product, panel after panel of two vectors of columns.
    sums: [Aligned; 2],
    gathered: usize,
}

/// A width, up to whole pairs of every vector's length.
fn columns(width: usize) -> usize {
    width.next_multiple_of(32)
}

impl WeightGradients {
    pub fn zeros(layout: Layout) -> Self {
        let gathered = if layout.is_empty() { 0 } else { GATHERED };
        let sums = layout
            .products
            .each_ref()
            .map(|product| Aligned::zeros(product.states.len() * columns(product.gradients.len())));
        let mut states = Aligned::zeros(gathered * layout.states);
        for timestep in 0..gathered {
            let states = &mut states[timestep * layout.states..][..layout.states];
            if layout.splits {
                states[layout.hidden] = 1.0;
            }
            if layout.input > 0 {
                states[layout.states - 1] = 1.0;
            }
        }
        Self {
            states,
            gradients: Aligned::zeros(gathered * layout.stride),
            sums,
            gathered: 0,
            layout,
        }
    }

    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whether so many more timesteps, at most [`GATHERED`], find room.
    pub fn has_room(&self, rows: usize) -> bool {
        self.gathered + rows <= GATHERED
    }

    /// Timesteps gathered since the last [`add`](Self::add).
    pub fn gathered(&self) -> usize {
        self.gathered
    }

    /// Takes room for so many more timesteps: the first of them.
    pub fn take(&mut self, rows: usize) -> usize {
        self.gathered += rows;
        self.gathered - rows
    }

    /// What timestep `i` started from, `h_{t-1}`, what it read, `x_t`, and its gradients; empty where it isn't summed.
    #[inline(always)]
    pub fn of(&mut self, i: usize) -> [&mut [f32]; 3] {
        let layout = &self.layout;
        if layout.is_empty() {
            return [&mut [], &mut [], &mut []];
        }
        let states = &mut self.states[i * layout.states..][..layout.states];
        let (before, read) = states.split_at_mut(layout.products[1].states.start);
        [
            before,
            &mut read[..layout.input],
            &mut self.gradients[i * layout.stride..][..layout.gradients()],
        ]
    }

    /// Timestep `i`'s gradients of the product with U, and of the projections, from the last gate's on where it splits.
    #[inline(always)]
    pub fn gradients(&self, i: usize) -> [&[f32]; 2] {
        let [recurrent, input] = &self.layout.products;
        let gradients = &self.gradients[i * self.layout.stride..][..recurrent.gradients.end];
        [
            &gradients[recurrent.gradients.start..],
            &gradients[..input.gradients.end],
        ]
    }

    /// Adds what is gathered, a panel of two vectors of gradients after the other.
    #[inline(always)]
    pub fn add<S: Simd>(&mut self, simd: S) {
        simd.vectorize(Add(self));
    }

    #[inline(always)]
    fn add_block<S: Simd, const ROWS: usize>(
        &mut self,
        simd: S,
        product: usize,
        first: usize,
        column: usize,
    ) {
        let count = self.layout.states;
        let Product { states, gradients } = self.layout.products[product].clone();
        let (of_column, _) = S::as_simd_f32s(&self.gradients[gradients.start + column..]);
        let stride = self.layout.stride / S::F32_LANES;
        let panel = 2 * S::F32_LANES;
        let sums = &mut self.sums[product];
        let sums = &mut sums[column * states.len() + first * panel..][..ROWS * panel];
        let (sums, _) = S::as_mut_simd_f32s(sums);
        let mut block = [[simd.splat_f32s(0.0); 2]; ROWS];
        for row in 0..ROWS {
            block[row] = [sums[2 * row], sums[2 * row + 1]];
        }
        let first = states.start + first;
        for i in 0..self.gathered {
            let states = &self.states[i * count + first..][..ROWS];
            let gradients = &of_column[i * stride..][..2];
            for row in 0..ROWS {
                let state = simd.splat_f32s(states[row]);
                for half in 0..2 {
                    block[row][half] =
                        simd.mul_add_e_f32s(state, gradients[half], block[row][half]);
                }
            }
        }
        for row in 0..ROWS {
            [sums[2 * row], sums[2 * row + 1]] = block[row];
        }
    }

    /// `parts` added in their order.
    pub fn sum(parts: Vec<Self>, layout: &Layout) -> Sums {
        let unpacked = |product: usize| {
            let parts: Vec<&[f32]> = parts.iter().map(|part| &*part.sums[product]).collect();
            let Product { states, gradients } = &layout.products[product];
            let (height, width) = (states.len(), gradients.len());
            let mut values = buffers::take(height * width);
            let is_little = height * width * parts.len() < LITTLE;
            chunks(&mut values, UNPACKED * width, is_little, |i, to| {
                arch().dispatch(Unpack {
                    parts: &parts,
                    height,
                    width,
                    first: i * UNPACKED,
                    to,
                });
            });
            values
        };
        let (mut recurrent_weight, mut input_weight) = (unpacked(0), unpacked(1));
        if layout.splits {
            let width = layout.products[1].gradients.len();
            for row in input_weight.chunks_exact_mut(width) {
                row.rotate_left(layout.hidden);
            }
        }
        let width = layout.products[0].gradients.len();
        let recurrent_bias = match layout.splits && !recurrent_weight.is_empty() {
            true => recurrent_weight.split_off(recurrent_weight.len() - width),
            false => Vec::new(),
        };
        let bias = input_weight.split_off(input_weight.len().saturating_sub(width));
        Sums {
            recurrent_weight,
            recurrent_bias,
            input_weight,
            bias,
        }
    }
}

/// A function of its own: inlined into every walk it would take minutes to compile.
struct Add<'a>(&'a mut WeightGradients);

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(gradients) = self;
        for product in 0..2 {
            let Product {
                states,
                gradients: of_states,
            } = gradients.layout.products[product].clone();
            for column in (0..columns(of_states.len())).step_by(2 * S::F32_LANES) {
                let mut row = 0;
                if S::REGISTER_COUNT >= 32 {
                    while row + 8 <= states.len() {
                        gradients.add_block::<S, 8>(simd, product, row, column);
                        row += 8;
                    }
                } else {
                    while row + 6 <= states.len() {
                        gradients.add_block::<S, 6>(simd, product, row, column);
                        row += 6;
                    }
                }
                while row + 4 <= states.len() {
                    gradients.add_block::<S, 4>(simd, product, row, column);
                    row += 4;
                }
                while row < states.len() {
                    gradients.add_block::<S, 1>(simd, product, row, column);
                    row += 1;
                }
            }
        }
        gradients.gathered = 0;
    }
}

/// The gradients of a layer's weights; empty where they are not summed here.
pub(super) struct Sums {
    /// `[H, G·H]`
    pub recurrent_weight: Vec<f32>,
    /// `[G·H]`
    pub recurrent_bias: Vec<f32>,
    /// `[D, G·H]`
    pub input_weight: Vec<f32>,
    /// `[G·H]`
    pub bias: Vec<f32>,
}

/// Rows that a thread takes at once.
const UNPACKED: usize = 16;

/// Numbers that one thread adds alone.
const LITTLE: usize = 1 << 17;

/// Rows of the sums `[S, W]`, of parts that have them in panels.
struct Unpack<'a> {
    parts: &'a [&'a [f32]],
    height: usize,
    width: usize,
    /// The first of the rows.
    first: usize,
    /// `[_, W]`; whatever it held.
    to: &'a mut [f32],
}

impl WithSimd for Unpack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let panel = 2 * S::F32_LANES;
        for (i, to) in self.to.chunks_exact_mut(self.width).enumerate() {
            for (p, to) in to.chunks_mut(panel).enumerate() {
                let at = (p * self.height + self.first + i) * panel;
                let at = at..at + to.len();
                let mut parts = self.parts.iter().map(|part| &part[at.clone()]);
                match parts.next() {
                    Some(part) => to.copy_from_slice(part),
                    None => to.fill(0.0),
                }
                for part in parts {
                    for (to, value) in to.iter_mut().zip(part) {
                        *to += value;
                    }
                }
            }
        }
    }
}
