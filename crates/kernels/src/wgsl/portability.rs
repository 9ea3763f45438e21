//! Every kernel, in every variant that is used, as the graphics APIs get it: validated by naga within
//! WebGPU's core features and default limits, and written as SPIR-V (Vulkan), MSL (Metal) and HLSL (DX12).

use std::collections::HashSet;
use std::path::PathBuf;

use burn_cubecl::template::KernelSource;
use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module};

use super::limits::Limits;
use super::shader::{Layer, PerceptronSizes, Shader, Walk};
use crate::cell::Cell;
use crate::kernel_choices::{Pass, Product};

/// H on both sides of where the ways to walk change, and padded or not.
const HIDDEN: [usize; 8] = [1, 16, 33, 64, 128, 256, 300, 512];

/// B, one of each of those that may have a layout of their own.
const BATCHES: [usize; 5] = [1, 8, 32, 64, 128];

/// An adapter as most GPUs are.
const GPU: Limits = Limits {
    invocations: 1024,
    workgroup_bytes: 32_768,
    buffers: 9,
    subgroup: 32,
};

const BOTH: [bool; 2] = [false, true];

/// What the program launches for these sizes on an adapter with these limits.
fn shaders(limits: &Limits) -> Vec<Shader> {
    let mut shaders = Vec::new();
    for (hidden, cell) in HIDDEN
        .into_iter()
        .flat_map(|hidden| Cell::ALL.map(|cell| (hidden, cell)))
    {
        for given in BOTH {
            let given = [given, given, given && cell.has_cell_state()];
            shaders.push(Shader::Pack {
                cell,
                hidden,
                given,
            });
        }
        // What doesn't depend on H, once.
        let (inputs, given) = match hidden {
            64 => (&[0, 1, 16, 50][..], Vec::from_iter(pairs())),
            _ => (&[0, 16][..], vec![[true, true]]),
        };
        for &input in inputs {
            let layer = Layer {
                cell,
                hidden,
                input,
            };
            shaders.push(Shader::SumParts { layer });
            shaders.extend(given.iter().map(|&[words, input]| Shader::WeightGradients {
                layer,
                words: words && layer.input > 0,
                input: input && layer.input > 0,
            }));
        }
        for batch in BATCHES {
            shaders.extend(walks(limits, cell, batch, hidden));
        }
    }
    for [input, hidden, output] in [[64, 64, 1], [3, 5, 4], [512, 300, 20]] {
        let sizes = PerceptronSizes {
            input,
            hidden,
            output,
        };
        shaders.extend([
            Shader::PerceptronForward(sizes),
            Shader::PerceptronBackward(sizes),
            Shader::PerceptronWeights(sizes),
        ]);
    }
    shaders.extend([Shader::Heartbeat, Shader::EmbeddingBackward]);
    let pair = limits.buffers > Limits::WEBGPU.buffers;
    shaders.extend([false, pair].map(|pair| Shader::Adam { pair }));
    without_twins(shaders)
}

fn without_twins(mut shaders: Vec<Shader>) -> Vec<Shader> {
    let mut seen = HashSet::new();
    shaders.retain(|shader| seen.insert(*shader));
    shaders
}

fn pairs() -> impl Iterator<Item = [bool; 2]> {
    BOTH.into_iter().flat_map(|a| BOTH.map(|b| [a, b]))
}

/// A cell's walks in every layout, the usual one with all that changes its text beside.
fn walks(limits: &Limits, cell: Cell, batch: usize, hidden: usize) -> Vec<Shader> {
    let layouts = |pass| limits.candidates(cell, pass, batch, hidden).into_iter();
    let forward = |walk| {
        pairs().map(move |[words, keeps]| Shader::Forward {
            walk,
            words,
            keeps: keeps && cell.saved() > 0,
        })
    };
    let backward = |walk: Walk| {
        pairs().flat_map(move |[last, initial]| {
            pairs().map(move |[final_hidden, hidden_states]| Shader::Backward {
                walk,
                given: [
                    final_hidden,
                    last && final_hidden && cell.has_cell_state(),
                    hidden_states,
                ],
                initial: initial && walk.product == Product::None,
            })
        })
    };
    let usual = layouts(Pass::Forward).take(1).flat_map(forward);
    let usual = usual.chain(layouts(Pass::Backward).take(1).flat_map(backward));
    let others = layouts(Pass::Forward)
        .skip(1)
        .filter_map(|walk| forward(walk).last());
    let others = others.chain(
        layouts(Pass::Backward)
            .skip(1)
            .filter_map(|walk| backward(walk).last()),
    );
    usual.chain(others).collect()
}

fn parse(shader: Shader) -> (Module, ModuleInfo) {
    let source = shader.source().complete();
    let module = naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .unwrap_or_else(|error| panic!("{shader:?}: {}", error.emit_to_string(&source)));
    (module, info)
}

/// A kernel's text and what naga makes of it, as CubeCL has wgpu ask for it: without checks of bounds, loops and
/// divisions. Each with the ending of a file of its kind.
fn texts(shader: Shader) -> [(&'static str, Vec<u8>); 4] {
    let (module, info) = parse(shader);

    let options = spv::Options {
        lang_version: (1, 6),
        flags: spv::WriterFlags::empty(),
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        ..Default::default()
    };
    let spirv = spv::write_vec(&module, &info, &options, None)
        .unwrap_or_else(|error| panic!("{shader:?} as SPIR-V: {error}"));
    assert!(spirv.len() > 100, "{shader:?}");

    let options = msl::Options {
        lang_version: (2, 4),
        zero_initialize_workgroup_memory: false,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        ..Default::default()
    };
    let (metal, _) = msl::write_string(&module, &info, &options, &Default::default())
        .unwrap_or_else(|error| panic!("{shader:?} as MSL: {error}"));
    assert!(metal.contains("kernel void main_"), "{shader:?}:\n{metal}");

    let options = hlsl::Options {
        zero_initialize_workgroup_memory: false,
        restrict_indexing: false,
        force_loop_bounding: false,
        ..Default::default()
    };
    let mut directx = String::new();
    hlsl::Writer::new(&mut directx, &options, &Default::default())
        .write(&module, &info, None)
        .unwrap_or_else(|error| panic!("{shader:?} as HLSL: {error}"));
    assert!(directx.contains("[numthreads("), "{shader:?}:\n{directx}");
    let mut defined = HashSet::new();
    let is_definition = |line: &&str| !line.starts_with(' ') && line.ends_with(") {");
    for line in directx.lines().filter(is_definition) {
        assert!(defined.insert(line), "{shader:?} has twice: {line}");
    }

    [
        ("wgsl", shader.source().complete().into_bytes()),
        (
            "spv",
            spirv.into_iter().flat_map(u32::to_le_bytes).collect(),
        ),
        ("metal", metal.into_bytes()),
        ("hlsl", directx.into_bytes()),
    ]
}

/// The checks in `tools/portability` read the texts from the folder that GATEFOLD_SHADERS names.
#[test]
fn every_kernel_becomes_spirv_msl_and_hlsl() {
    let folder = std::env::var_os("GATEFOLD_SHADERS").map(PathBuf::from);
    let shaders = [Limits::WEBGPU, GPU].iter().flat_map(shaders);
    for shader in without_twins(shaders.collect()) {
        let texts = texts(shader);
        if let Some(folder) = &folder {
            // `Walk { cell: Lstm, hidden: 64 }` becomes `Walk.cell=Lstm.hidden=64`.
            let name = format!("{shader:?}").replace(" }", "").replace(": ", "=");
            let name = name.replace(" { ", ".").replace(", ", ".");
            for (ending, text) in texts {
                std::fs::write(folder.join(format!("{name}.{ending}")), text).unwrap();
            }
        }
    }
}

#[test]
fn every_walk_has_a_buffer_left_to_count_its_ends_in() {
    for shader in shaders(&GPU) {
        if let Shader::Forward { .. } | Shader::Backward { .. } = shader {
            let source = shader.source().complete();
            let storage = source.matches("var<storage").count();
            assert!(storage <= Limits::WEBGPU.buffers, "{shader:?}: {storage}");
            assert!(source.contains("beats: atomic<u32>"), "{shader:?}");
        }
    }
}

#[test]
fn every_kernel_stays_within_the_default_limits_of_webgpu() {
    let limits = &Limits::WEBGPU;
    let mut checked = 0;
    for shader in shaders(limits) {
        let (module, _) = parse(shader);
        let [x, y, z] = module.entry_points[0].workgroup_size;
        assert!((x * y * z) as usize <= limits.invocations, "{shader:?}");
        assert_eq!(x as usize, shader.workgroup(), "{shader:?}");

        let mut layout = naga::proc::Layouter::default();
        layout
            .update(module.to_ctx())
            .expect("a valid module has a layout");
        let globals = || module.global_variables.iter().map(|(_, global)| global);
        let memory: u32 = globals()
            .filter(|global| global.space == AddressSpace::WorkGroup)
            .map(|global| layout[global.ty].size)
            .sum();
        assert!(
            memory as usize <= limits.workgroup_bytes,
            "{shader:?}: {memory} bytes"
        );

        let mut bindings: Vec<u32> = globals()
            .filter_map(|global| global.binding.as_ref())
            .map(|binding| binding.binding)
            .collect();
        bindings.sort_unstable();
        let count = bindings.len();
        assert_eq!(bindings, Vec::from_iter(0..count as u32), "{shader:?}");
        let storage = globals()
            .filter(|global| matches!(global.space, AddressSpace::Storage { .. }))
            .count();
        assert!(storage <= limits.buffers, "{shader:?}: {storage} buffers");
        checked += 1;
    }
    assert!(checked > 200, "only {checked} kernels were checked");
}
