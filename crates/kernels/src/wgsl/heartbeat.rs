//! Whether the device did what it was given.
//!
//! Metal calls a command buffer done that the driver ended because it took too long; what it was to compute
//! is then whatever the memory held before. So every workgroup of a walk counts itself at its end, in
//! memory that outlives the launch, and a heartbeat goes on to its next number only if the count is right.

use std::sync::{Mutex, PoisonError};

use burn::tensor::{Shape, StreamId};
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::launch::{Buffers, Shared};
use super::shader::Shader;

/// The ends of workgroups on one stream of a device.
struct Count {
    on_device: Handle,
    /// Launched since the last heartbeat.
    launched: u32,
}

static COUNTS: Mutex<Vec<Count>> = Mutex::new(Vec::new());

/// Streams that are remembered: a thread has its own, and nobody says when it ends.
const MOST_STREAMS: usize = 64;

/// What `act` makes of this stream's count.
fn with_count<T>(client: &Client, act: impl FnOnce(&mut Count) -> T) -> T {
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let (service, stream) = (client.service_id(), StreamId::current());
    let is_ours =
        |count: &Count| count.on_device.service == service && count.on_device.stream == stream;
    // The one that was used last stands last: the first may go.
    match counts.iter().position(is_ours) {
        Some(at) => counts[at..].rotate_left(1),
        None => {
            if counts.len() == MOST_STREAMS {
                counts.remove(0);
            }
            let on_device = client.create_from_slice(&0u32.to_ne_bytes());
            counts.push(Count {
                on_device,
                launched: 0,
            });
        }
    }
    act(counts.last_mut().expect("it was just put there"))
}

/// The memory in which a walk of so many workgroups counts their ends.
pub(super) fn expect(client: &Client, workgroups: [usize; 3]) -> Handle {
    let workgroups = workgroups.into_iter().product::<usize>() as u32;
    with_count(client, |count| {
        count.launched = count.launched.wrapping_add(workgroups);
        count.on_device.clone()
    })
}

/// The number behind `number` `[1]`, or that number again if a walk since the last heartbeat has not come to its
/// end.
pub(super) fn next(number: CubeTensor) -> CubeTensor {
    let number = into_contiguous(number);
    let client = number.client.clone();
    let (count, launched) = with_count(&client, |count| {
        (count.on_device.clone(), std::mem::take(&mut count.launched))
    });
    let next = Shared::new(&number, [Shape::from([1])]);
    Buffers::default()
        .count(&count)
        .read(&number)
        .write(&next.handle)
        .launch(&client, Shader::Heartbeat, [1, 1, 1], &[launched, 0]);
    next.tensor(0)
}
