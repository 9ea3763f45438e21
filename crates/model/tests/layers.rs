//! Layers as somebody else's program uses them: a step at a time, in parts, stacked; and what they say of an input
//! that doesn't fit.

use burn::module::Module;
use burn::tensor::{DType, Device, Distribution, Int, Tensor, TensorData};
use gatefold_model::*;

const SIZES: [usize; 3] = [3, 7, 5];
const HIDDEN: usize = 6;

fn input(device: &Device) -> Tensor<3> {
    Tensor::random(SIZES, Distribution::Normal(0.0, 1.0), device)
}

fn bits<const D: usize>(tensor: Tensor<D>) -> Vec<u32> {
    tensor.into_data().iter::<f32>().map(f32::to_bits).collect()
}

fn stack(cell: Cell, device: &Device) -> Stack {
    StackConfig::new(cell, 5, HIDDEN)
        .with_layers(2)
        .init(device)
}

fn assert_same<const D: usize>(found: Tensor<D>, expected: Tensor<D>, what: &str) {
    assert_eq!(bits(found), bits(expected), "{what}");
}

/// From projections that are made before.
#[test]
fn a_walk_in_parts_has_the_bits_of_the_whole() {
    let device = Device::flex();
    let [_, time, size] = SIZES;
    for cell in Cell::ALL {
        let layer = RecurrentCell::init(cell, &LayerConfig::new(size, 40), &device);
        let projections = layer.project(input(&device));
        let whole = layer.forward_projected(projections.clone(), None, None);
        let mut state = None;
        let mut parts = Vec::new();
        for t in 0..time {
            let part = projections.clone().narrow(1, t, 1);
            let walked = layer.forward_projected(part, None, state);
            parts.push(walked.hidden_states);
            state = Some(walked.final_state);
        }
        let state = state.unwrap();
        assert_eq!(
            bits(Tensor::cat(parts, 1)),
            bits(whole.hidden_states),
            "{cell}"
        );
        assert_eq!(bits(state.hidden), bits(whole.final_state.hidden), "{cell}");
        assert_eq!(
            state.cell.map(bits),
            whole.final_state.cell.map(bits),
            "{cell}"
        );
    }
}

#[test]
fn steps_and_parts_give_what_the_whole_gives() {
    let device = Device::flex();
    let input = input(&device);
    let [batch, time, size] = SIZES;
    for cell in Cell::ALL {
        let stack = stack(cell, &device);
        let whole = stack.forward(input.clone(), None, None);
        let mut states = stack.zero_states(batch);
        let mut streamed = Vec::new();
        for t in 0..time {
            let x = input.clone().narrow(1, t, 1).reshape([batch, size]);
            let hidden;
            (hidden, states) = stack.step(x, states);
            streamed.push(hidden.unsqueeze_dim::<3>(1));
        }
        let streamed = Tensor::cat(streamed, 1);
        assert_same(streamed, whole.hidden_states.clone(), cell.name());
        for (found, expected) in states.layers().iter().zip(whole.states.layers()) {
            let (found, expected) = (found.forward.clone(), expected.forward.clone());
            assert_same(found.hidden, expected.hidden, cell.name());
            assert_eq!(found.cell.is_some(), cell.has_cell_state());
        }

        let (first, states) = stack.seq(input.clone().narrow(1, 0, 3), stack.zero_states(batch));
        let (rest, _) = stack.seq(input.clone().narrow(1, 3, time - 3), states);
        let parts = Tensor::cat(vec![first, rest], 1);
        assert_same(parts, whole.hidden_states, cell.name());
    }
}

#[test]
fn a_layer_steps_from_zeros_as_it_walks() {
    let device = Device::flex();
    let [batch, time, size] = SIZES;
    let input = input(&device);
    let step = |t| input.clone().narrow(1, t, 1).reshape([batch, size]);

    let lstm = LstmConfig::new(5, HIDDEN).init(&device);
    let state = (0..time).fold(lstm.zero_state(batch), |state, t| lstm.step(step(t), state));
    let whole = lstm.forward(input.clone(), None, None).final_state;
    assert_same(state.hidden, whole.hidden, "hidden state");
    assert_same(state.cell, whole.cell, "cell state");

    let gru = GruConfig::new(5, HIDDEN).init(&device);
    let state = (0..time).fold(gru.zero_state(batch), |state, t| gru.step(step(t), state));
    let whole = gru.forward(input.clone(), None, None).final_hidden;
    assert_same(state, whole, "hidden state");

    let mut stepper = gru.stepper(batch);
    for t in 0..time {
        let x: Vec<f32> = step(t).into_data().iter().collect();
        stepper.step(&x);
    }
    let streamed = TensorData::new(stepper.hidden().to_vec(), [batch, HIDDEN]);
    let whole = gru.forward(input.clone(), None, None).final_hidden;
    assert_same(Tensor::from_data(streamed, &device), whole, "stepper");
}

/// A truncated walk has the gradients of its last part alone.
#[test]
fn detached_states_end_the_way_back() {
    let device = Device::flex().autodiff();
    for cell in Cell::ALL {
        let stack = stack(cell, &device);
        let [first, second] = [0, 3].map(|t| input(&device).narrow(1, t, 3).require_grad());
        let states = stack.forward(first.clone(), None, None).states;
        let walk = |states| {
            let walked = stack.forward(second.clone(), None, Some(states));
            walked.hidden_states.sum().backward()
        };
        let gradients = walk(states.clone());
        assert!(first.grad(&gradients).is_some(), "{cell}");
        let gradients = walk(states.detach());
        assert!(first.grad(&gradients).is_none() && second.grad(&gradients).is_some());
        assert!(
            !states.inner().layers()[0]
                .forward
                .hidden
                .device()
                .is_autodiff()
        );
    }
}

#[test]
fn a_time_first_layer_reads_and_answers_time_first() {
    let device = Device::flex();
    let layer = GruConfig::new(5, HIDDEN).init(&device);
    let mut time_first = layer.clone();
    time_first.batch_first = false;
    let lengths = Tensor::<1, Int>::from_data([7, 2, 0], &device);
    let input = input(&device);
    let expected = layer.forward(input.clone(), Some(lengths.clone()), None);
    let swapped = input.swap_dims(0, 1);
    let found = time_first.forward(swapped.clone(), Some(lengths.clone()), None);
    assert_eq!(
        bits(found.hidden_states.swap_dims(0, 1)),
        bits(expected.hidden_states.clone())
    );
    assert_eq!(bits(found.final_hidden), bits(expected.final_hidden));
    let projections = time_first.project(swapped);
    let found = time_first.forward_projected(projections, Some(lengths), None);
    assert_eq!(bits(found.hidden_states), bits(expected.hidden_states));
    let error = time_first.try_forward(Tensor::zeros([7, 3, 4], &device), None, None);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("expected [7, 3, 5] ([T, B, d_input]"),
        "{error}"
    );
}

#[test]
fn a_layer_without_biases_has_none_to_train() {
    let device = Device::flex().autodiff();
    let layer = LstmConfig::new(5, HIDDEN).with_bias(false).init(&device);
    let gradients = layer
        .forward(input(&device), None, None)
        .hidden_states
        .sum()
        .backward();
    assert!(layer.bias.val().grad(&gradients).is_none());
    assert!(layer.input_weight.val().grad(&gradients).is_some());
    assert_eq!(bits(layer.bias.val()), vec![0; 4 * HIDDEN]);
}

#[test]
fn inputs_that_do_not_fit_are_errors_in_the_layers_own_name() {
    let device = Device::flex();
    let layer = LstmConfig::new(5, HIDDEN).init(&device);
    let message = |input: Tensor<3>, lengths: Option<Tensor<1, Int>>, state| {
        layer
            .try_forward(input, lengths, state)
            .unwrap_err()
            .to_string()
    };
    let zeros = |shape| Tensor::<3>::zeros(shape, &device);
    assert_eq!(
        message(zeros([2, 5, 7]), None, None),
        "Lstm: input has shape [2, 5, 7], expected [2, 5, 5] ([B, T, d_input], nothing empty)"
    );
    assert!(message(zeros([2, 0, 5]), None, None).starts_with("Lstm: input has shape [2, 0, 5]"));
    assert!(message(zeros([0, 3, 5]), None, None).starts_with("Lstm: input has shape [0, 3, 5]"));
    let double = Tensor::<3>::zeros([2, 3, 5], (&device, DType::F64));
    assert_eq!(
        message(double, None, None),
        "Lstm: input is of F64, expected F32 as the layer's weights"
    );
    let lengths = Tensor::from_data([1, 2, 3], &device);
    assert_eq!(
        message(zeros([2, 3, 5]), Some(lengths), None),
        "Lstm: lengths has shape [3], expected [2] ([B])"
    );
    let state = LstmState::zeros([4, HIDDEN], &device);
    assert_eq!(
        message(zeros([2, 3, 5]), None, Some(state)),
        "Lstm: initial hidden state has shape [4, 6], expected [2, 6] ([B, H])"
    );
    let cell = RecurrentCell::from(layer.clone());
    let state = State::from(Tensor::zeros([2, HIDDEN], &device));
    assert_eq!(
        cell.try_forward(zeros([2, 3, 5]), None, Some(state))
            .unwrap_err()
            .to_string(),
        "Lstm: the state has no cell, and the layer's has one"
    );
    let stack = stack(Cell::Gru, &device);
    let error = stack.try_forward(zeros([2, 3, 4]), None, None).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("Gru: input has shape [2, 3, 4]"),
        "{error}"
    );
    let states = stack.zero_states(3);
    let error = stack
        .try_forward(zeros([2, 3, 5]), None, Some(states))
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("initial hidden state has shape [3, 6]"),
        "{error}"
    );
    let other = StackConfig::new(Cell::Gru, 5, HIDDEN).init(&device);
    let states = Some(other.zero_states(2));
    let error = stack
        .try_forward(zeros([2, 3, 5]), None, states)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the states are of 1 layers, one direction; the layers are 2 layers, one direction"
    );
}

#[test]
#[should_panic(expected = "Gru: a layer that walks time backwards can't go a step at a time")]
fn a_layer_that_walks_backwards_makes_no_steps() {
    let device = Device::flex();
    let layer = GruConfig::new(5, HIDDEN).with_reverse(true).init(&device);
    layer.step(Tensor::zeros([2, 5], &device), layer.zero_state(2));
}

#[test]
#[should_panic(expected = "can't go a step at a time: it walks backwards too")]
fn a_stack_that_walks_backwards_makes_no_steps() {
    let device = Device::flex();
    let stack = StackConfig::new(Cell::Rnn, 5, HIDDEN)
        .with_bidirectional(true)
        .init(&device);
    stack.step(Tensor::zeros([2, 5], &device), stack.zero_states(2));
}

#[test]
fn layers_that_make_no_stack_are_named() {
    let device = Device::flex();
    let gru = |config: GruConfig| RecurrentCell::from(config.init(&device));
    let layer = |forward, reverse| StackLayer { forward, reverse };
    let message = |layers| Stack::new(layers, 0.0).map(|_| ()).unwrap_err().to_string();
    let both = || {
        let reverse = GruConfig::new(5, HIDDEN).with_reverse(true);
        layer(gru(GruConfig::new(5, HIDDEN)), Some(gru(reverse)))
    };
    let above = |width| layer(gru(GruConfig::new(width, 4)), None);
    // A layer in one direction above one in both.
    let stack = Stack::new(vec![both(), above(2 * HIDDEN)], 0.0).unwrap();
    let states = Some(stack.zero_states(3));
    let walked = stack.try_forward(input(&device), None, states).unwrap();
    assert_eq!(walked.hidden_states.dims(), [3, 7, 4]);
    // As many states, for other layers.
    let other = vec![
        above(5),
        layer(gru(GruConfig::new(4, HIDDEN)), {
            let reverse = GruConfig::new(4, HIDDEN).with_reverse(true);
            Some(gru(reverse))
        }),
    ];
    let states = Some(Stack::new(other, 0.0).unwrap().zero_states(3));
    let error = stack.try_forward(input(&device), None, states).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the states are of 2 layers, both directions in [1]; the layers are 2 layers, both directions in [0]"
    );
    assert_eq!(message(vec![]), "layer 0 of the stack: there is none");
    assert!(message(vec![both(), above(HIDDEN)]).contains("layer 1 of the stack: it reads"));
    let time_first = GruConfig::new(5, 4).with_batch_first(false);
    assert!(message(vec![layer(gru(time_first), None)]).contains("time first"));
    let reverse = GruConfig::new(5, 4).with_reverse(true);
    assert!(message(vec![layer(gru(reverse), None)]).contains("the other way"));
}

#[test]
#[should_panic(expected = "Gru: a layer that walks time backwards can't go a step at a time")]
fn a_layer_that_walks_backwards_has_no_next_timesteps() {
    let device = Device::flex();
    let layer = GruConfig::new(5, HIDDEN).with_reverse(true).init(&device);
    layer.seq(input(&device), layer.zero_state(3));
}

#[test]
fn configurations_may_leave_out_all_but_the_sizes() {
    let config: LstmConfig = serde_json::from_str(r#"{ "d_input": 5, "d_hidden": 6 }"#).unwrap();
    assert!(config.bias && config.batch_first && !config.reverse);
    let again = serde_json::to_string(&config.clone().with_reverse(true)).unwrap();
    let again: LstmConfig = serde_json::from_str(&again).unwrap();
    assert!(again.reverse);
    let unknown =
        serde_json::from_str::<LstmConfig>(r#"{ "d_input": 5, "d_hidden": 6, "clip": 1 }"#);
    assert!(unknown.unwrap_err().to_string().contains("clip"));
    let stack: StackConfig =
        serde_json::from_str(r#"{ "cell": "gru", "d_input": 5, "d_hidden": 6 }"#).unwrap();
    assert_eq!(stack, StackConfig::new(Cell::Gru, 5, 6));
}

#[test]
fn a_layer_shows_its_sizes() {
    let layer = LstmConfig::new(5, HIDDEN).init(&Device::flex());
    let shown = layer.to_string();
    assert!(
        shown.contains("d_input: 5") && shown.contains("d_hidden: 6"),
        "{shown}"
    );
    assert!(shown.contains("params: 288"), "{shown}");
    assert_eq!(layer.num_params(), 288);
}

/// Halves and doubles have no kernels on the CPU, and are right.
#[test]
fn other_floats_give_the_same_numbers() {
    let device = Device::flex();
    let layer = LstmConfig::new(5, HIDDEN).init(&device);
    let expected: Vec<f64> = layer
        .forward(input(&device).ones_like(), None, None)
        .hidden_states
        .into_data()
        .iter()
        .collect();
    for (dtype, tolerance) in [(DType::F64, 1e-6), (DType::F16, 5e-3), (DType::BF16, 5e-2)] {
        let mut other = layer.clone();
        other.input_weight = other.input_weight.map(|tensor| tensor.cast(dtype));
        other.recurrent_weight = other.recurrent_weight.map(|tensor| tensor.cast(dtype));
        other.bias = other.bias.map(|tensor| tensor.cast(dtype));
        let ones = TensorData::ones::<f32, _>(SIZES);
        let ones = Tensor::<3>::from_data(ones, (&device, dtype));
        let states = other.forward(ones, None, None).hidden_states;
        let found: Vec<f64> = states.into_data().iter().collect();
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < tolerance,
                "{dtype:?}: {found} {expected}"
            );
        }
    }
}
