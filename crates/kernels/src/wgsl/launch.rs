//! One dispatch, and the memory that several outputs share.

use burn::backend::ops::IntTensorOps;
use burn::tensor::{DType, IntDType, Shape};
use burn_cubecl::cubecl::CubeDim;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::ir::attributes::BufferIOAttr;
use burn_cubecl::cubecl::prelude::CubeCount;
use burn_cubecl::cubecl::server::{BufferBinding, Handle, KernelArguments, MetadataBindingInfo};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::template::SourceKernel;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeBackend, CubeDevice};

use super::shader::Shader;

/// The buffers of a dispatch, in the order of their bindings.
#[derive(Default)]
pub(super) struct Buffers(KernelArguments);

impl Buffers {
    /// A contiguous tensor that the kernel reads. One that shares memory with another, as where a caller
    /// gives one tensor for two inputs, is copied.
    pub fn read(self, tensor: &CubeTensor) -> Self {
        let binding = tensor.handle.clone().binding();
        if self.0.buffers().any(|bound| overlap(bound, &binding)) {
            return self.buffer(&tensor.copy().handle, BufferIOAttr::ReadOnly);
        }
        self.buffer(&tensor.handle, BufferIOAttr::ReadOnly)
    }

    /// Memory that the kernel fills.
    pub fn write(self, handle: &Handle) -> Self {
        self.buffer(handle, BufferIOAttr::WriteOnly)
    }

    /// Memory whose content tells nothing of a launch that failed.
    pub fn count(self, handle: &Handle) -> Self {
        self.buffer(handle, BufferIOAttr::Dead)
    }

    /// WebGPU allows no overlap between buffers that a kernel may write, and ours are all declared so.
    fn buffer(self, handle: &Handle, access: BufferIOAttr) -> Self {
        let binding = handle.clone().binding();
        let bound = self.0.buffers();
        assert!(
            !bound.into_iter().any(|bound| overlap(bound, &binding)),
            "a kernel was given the same memory twice"
        );
        Self(self.0.with_buffer_io(binding, access))
    }

    /// Runs at least `count` invocations of `shader`; `info` is its uniform.
    pub fn launch_many(self, client: &Client, shader: Shader, count: usize, info: &[u32]) {
        let [x, y] = grid(count.div_ceil(shader.workgroup()));
        self.launch(client, shader, [x, y, 1], info);
    }

    /// Runs `workgroups` of `shader`; `info` is its uniform.
    pub fn launch(self, client: &Client, shader: Shader, workgroups: [usize; 3], info: &[u32]) {
        #[cfg(test)]
        super::traffic::add(&self.0);
        // To a whole number of 16 bytes.
        let mut info = info.to_vec();
        info.resize(info.len().next_multiple_of(4), 0);
        let pair = |pair: &[u32]| u64::from(pair[0]) | u64::from(pair[1]) << 32;
        let info = info.chunks(2).map(pair).collect();
        let [x, y, z] = workgroups.map(|count| count as u32);
        client.launch(
            Box::new(SourceKernel::new(
                shader,
                CubeDim::new_1d(shader.workgroup() as u32),
            )),
            CubeCount::Static(x, y, z),
            self.0.with_info(MetadataBindingInfo::custom(info)),
        );
    }
}

/// Whether two bindings have bytes in common.
fn overlap(a: &BufferBinding, b: &BufferBinding) -> bool {
    let (a_bytes, b_bytes) = (a.range(), b.range());
    a.memory.descriptor() == b.memory.descriptor()
        && a_bytes.start < b_bytes.end
        && b_bytes.start < a_bytes.end
}

/// Several tensors in one buffer, so that a kernel binds them as one.
pub(super) struct Shared {
    /// All of them.
    pub handle: Handle,
    client: Client,
    device: CubeDevice,
    parts: Vec<Part>,
}

struct Part {
    shape: Shape,
    /// In bytes.
    start: u64,
    end: u64,
}

impl Shared {
    /// Uninitialised memory for 32-bit floats of these shapes, where `like` is.
    pub fn new(like: &CubeTensor, shapes: impl IntoIterator<Item = Shape>) -> Self {
        let alignment = like.client.properties().memory.alignment;
        let mut size = 0;
        let parts = shapes
            .into_iter()
            .map(|shape| {
                let start = size;
                let bytes = (shape.num_elements() * size_of::<f32>()) as u64;
                size += bytes.next_multiple_of(alignment);
                let end = start + bytes;
                Part { shape, start, end }
            })
            .collect();
        Self {
            handle: like.client.empty(size as usize),
            client: like.client.clone(),
            device: like.device.clone(),
            parts,
        }
    }

    /// Where a part begins, in elements.
    pub fn offset(&self, part: usize) -> u32 {
        (self.parts[part].start / size_of::<f32>() as u64) as u32
    }

    /// A part as a tensor.
    pub fn tensor(&self, part: usize) -> CubeTensor {
        let Part { shape, start, end } = &self.parts[part];
        let handle = self.handle.clone().offset_start(*start);
        let handle = handle.offset_end(self.handle.size() - end);
        CubeTensor::new_contiguous(
            self.client.clone(),
            self.device.clone(),
            shape.clone(),
            handle,
            DType::F32,
        )
    }
}

/// `count` workgroups, or a few more, along two axes: no API promises more along one.
pub(super) fn grid(count: usize) -> [usize; 2] {
    let along = count.clamp(1, 65_535);
    [along, count.div_ceil(along)]
}

/// Contiguous 32-bit integers, as the kernels read them.
pub(super) fn as_i32(tensor: CubeTensor) -> CubeTensor {
    into_contiguous(match tensor.dtype {
        DType::I32 => tensor,
        _ => CubeBackend::int_cast(tensor, IntDType::I32),
    })
}
