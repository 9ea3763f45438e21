//! The probes' kernels. All read one buffer, write another and do their work a number of rounds.

use burn_cubecl::cubecl::prelude::{ExecutionMode, KernelId};
use burn_cubecl::template::{KernelSource, SourceTemplate};

/// Steps of the walk that [`Kernel::Streams`] reads and writes as.
const STEPS: usize = 256;
/// Numbers of a piece.
const PIECE: usize = 64;
/// Workgroups of a walk of the lesson's batch, and of [`Kernel::Streams`].
pub const TILES: usize = 32;
/// Streams that each of these workgroups reads; it writes as many.
const STREAMS_OF_A_WORKGROUP: usize = 10;

/// Numbers that [`Kernel::Streams`] copies in a round, the most that any kernel reads or writes.
pub const NUMBERS: usize = TILES * STREAMS_OF_A_WORKGROUP * STEPS * PIECE;

/// A kernel with all that its text depends on; what a round is stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// A walk's product, its loop written with so many terms an iteration.
    Product {
        terms: usize,
    },
    /// Reads from the cache, or else from workgroup memory.
    Reads {
        from_cache: bool,
    },
    /// A barrier in workgroups of this size.
    Barrier {
        workgroup: usize,
    },
    Empty,
    /// Copies from streams to streams that lie one behind the other, or else step by step.
    Streams {
        apart: bool,
    },
}

impl Kernel {
    pub const ALL: [Self; 9] = [
        Self::Product { terms: 1 },
        Self::Product { terms: 8 },
        Self::Reads { from_cache: true },
        Self::Reads { from_cache: false },
        Self::Barrier { workgroup: 64 },
        Self::Barrier { workgroup: 256 },
        Self::Empty,
        Self::Streams { apart: true },
        Self::Streams { apart: false },
    ];

    /// Multiply-adds of a workgroup's round of [`Kernel::Product`]: 4 rows, 4 gates of 64 units, 64 factors.
    pub const MULTIPLY_ADDS: f64 = (4 * 4 * 64 * 64) as f64;
    /// Bytes of a workgroup's round of [`Kernel::Reads`].
    pub const BYTES_READ: f64 = 65_536.0;

    /// Invocations of a workgroup.
    pub fn workgroup(self) -> usize {
        match self {
            Self::Barrier { workgroup } => workgroup,
            _ => 64,
        }
    }
}

impl KernelSource for Kernel {
    fn source(&self) -> SourceTemplate {
        match *self {
            Self::Product { terms } => {
                let term = include_str!("product_term.wgsl");
                let body: String = (0..terms)
                    .map(|number| term.replace("{{ term }}", &number.to_string()))
                    .collect();
                SourceTemplate::new(include_str!("product.wgsl"))
                    .register("terms", terms.to_string())
                    .register("body", body.trim())
            }
            Self::Reads { from_cache } => SourceTemplate::new(include_str!("reads.wgsl"))
                .register("from_cache", from_cache.to_string()),
            Self::Barrier { workgroup } => SourceTemplate::new(include_str!("barrier.wgsl"))
                .register("workgroup", workgroup.to_string()),
            Self::Empty => SourceTemplate::new(include_str!("empty.wgsl")),
            Self::Streams { apart } => {
                let [stream, step] = match apart {
                    true => [STEPS * PIECE, PIECE],
                    false => [PIECE, TILES * STREAMS_OF_A_WORKGROUP * PIECE],
                };
                SourceTemplate::new(include_str!("streams.wgsl"))
                    .register("steps", STEPS.to_string())
                    .register("stream", stream.to_string())
                    .register("step", step.to_string())
            }
        }
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

#[cfg(test)]
mod tests {
    use naga::back::{hlsl, msl, spv};
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    use super::*;

    #[test]
    fn every_probe_becomes_spirv_msl_and_hlsl() {
        for kernel in Kernel::ALL {
            let source = kernel.source().complete();
            let module = naga::front::wgsl::parse_str(&source)
                .unwrap_or_else(|error| panic!("{kernel:?}: {}", error.emit_to_string(&source)));
            let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
                .validate(&module)
                .unwrap_or_else(|error| panic!("{kernel:?}: {}", error.emit_to_string(&source)));
            let [x, ..] = module.entry_points[0].workgroup_size;
            assert_eq!(x as usize, kernel.workgroup(), "{kernel:?}");

            spv::write_vec(&module, &info, &spv::Options::default(), None)
                .unwrap_or_else(|error| panic!("{kernel:?} as SPIR-V: {error}"));
            let options = msl::Options {
                fake_missing_bindings: true,
                ..Default::default()
            };
            msl::write_string(&module, &info, &options, &Default::default())
                .unwrap_or_else(|error| panic!("{kernel:?} as MSL: {error}"));
            let options = hlsl::Options {
                fake_missing_bindings: true,
                ..Default::default()
            };
            let mut directx = String::new();
            hlsl::Writer::new(&mut directx, &options, &Default::default())
                .write(&module, &info, None)
                .unwrap_or_else(|error| panic!("{kernel:?} as HLSL: {error}"));
        }
    }
}
