//! The methods that the layers of all cells have, each with its own output and state.

/// Gives a layer its methods, its configuration's, and its display.
macro_rules! layer {
    ($layer:ident, $output:ident, $state:ty) => {
        impl $crate::layers::LayerConfig<$layer> {
            /// A layer on `device`; `device.seed(..)` before makes it reproducible.
            ///
            /// # Panics
            /// Where [`validate`](Self::validate) is an error, or a layer without recurrent products is to drop from them.
            pub fn init(&self, device: &burn::tensor::Device) -> $layer {
                self.init_with(&mut $crate::initializers::device_rng(device), device)
            }

            /// A layer whose weights are drawn from `rng`: the same on every device.
            ///
            /// # Panics
            /// Where [`validate`](Self::validate) is an error, or a layer without recurrent products is to drop from them.
            pub fn init_with(
                &self,
                rng: &mut impl rand::Rng,
                device: &burn::tensor::Device,
            ) -> $layer {
                let weights =
                    &mut $crate::initializers::FirstWeights::Drawn(self.initializers, rng);
                self.layer(weights, device)
            }
        }

        $crate::layers::layer::methods!($layer, $output, $state);

        impl burn::module::ModuleDisplay for $layer {
            fn custom_settings(&self) -> Option<burn::module::DisplaySettings> {
                burn::module::DisplaySettings::new()
                    .with_new_line_after_attribute(false)
                    .optional()
            }

            fn custom_content(
                &self,
                content: burn::module::Content,
            ) -> Option<burn::module::Content> {
                let [input, hidden] = self.parameters().sizes();
                content
                    .add("d_input", &input)
                    .add("d_hidden", &hidden)
                    .add("batch_first", &self.batch_first)
                    .add("reverse", &self.reverse)
                    .optional()
            }
        }
    };
}

/// Gives what has `parameters(&self) -> Parameters` the methods of a layer.
macro_rules! methods {
    ($layer:ident, $output:ident, $state:ty) => {
        impl $layer {
            /// Runs over whole sequences.
            ///
            /// - `input`: `[B, T, d_input]`, or `[T, B, d_input]` where `batch_first` is false;
            /// - `lengths`: valid timesteps of each row, `[B]`; all of them if `None`;
            /// - `state`: the initial state, zeros if `None`;
            /// - returns hidden states `[B, T, H]` (or `[T, B, H]`), zero past a row's length, and the final state.
            ///
            /// # Panics
            /// Where [`try_forward`](Self::try_forward) is an error, with its words.
            pub fn forward(
                &self,
                input: burn::tensor::Tensor<3>,
                lengths: Option<burn::tensor::Tensor<1, burn::tensor::Int>>,
                state: Option<$state>,
            ) -> gatefold_kernels::$output {
                $crate::layers::or_panic(self.try_forward(input, lengths, state))
            }

            /// [`forward`](Self::forward), with an error that names the layer and the input that doesn't fit.
            ///
            /// # Errors
            /// [`InputError`](gatefold_kernels::InputError) if shapes, types or devices don't fit together.
            pub fn try_forward(
                &self,
                input: burn::tensor::Tensor<3>,
                lengths: Option<burn::tensor::Tensor<1, burn::tensor::Int>>,
                state: Option<$state>,
            ) -> Result<gatefold_kernels::$output, gatefold_kernels::InputError> {
                let state = state.map(Into::into);
                let masks = &mut $crate::dropout::OfDevice;
                let walked = self.parameters().forward(input, lengths, state, masks)?;
                Ok(walked.try_into().expect("a walk gives what its cell has"))
            }

            /// `x W + b` for every timestep: `[B, T, d_input]` → `[B, T, G·H]`, or `[T, B, d_input]` →
            /// `[B, T, G·H]` where `batch_first` is false.
            ///
            /// # Panics
            /// If the input is of another width, type or device.
            pub fn project(&self, input: burn::tensor::Tensor<3>) -> burn::tensor::Tensor<3> {
                let parameters = self.parameters();
                $crate::layers::or_panic(parameters.check_sequence(&input));
                parameters.project(parameters.batch_first(input))
            }

            /// `x W + b` for every row: `[N, d_input]` → `[N, G·H]`. Of an embedding's rows it makes the table
            /// of [`Projections::per_word`](gatefold_kernels::Projections::per_word).
            ///
            /// # Panics
            /// If the rows are of another width, type or device.
            pub fn project_rows(&self, rows: burn::tensor::Tensor<2>) -> burn::tensor::Tensor<2> {
                let parameters = self.parameters();
                let checked = parameters.check_input(&rows, "[N, d_input], nothing empty");
                $crate::layers::or_panic(checked);
                parameters.project_rows(rows)
            }

            /// [`forward`](Self::forward) from what [`project`](Self::project) returns, or from a projection a
            /// word; batch first.
            ///
            /// # Panics
            /// If shapes, types or devices don't fit together.
            pub fn forward_projected(
                &self,
                projections: impl Into<gatefold_kernels::Projections>,
                lengths: Option<burn::tensor::Tensor<1, burn::tensor::Int>>,
                state: Option<$state>,
            ) -> gatefold_kernels::$output {
                let state = state.map(Into::into);
                let masks = &mut $crate::dropout::OfDevice;
                let walked = self
                    .parameters()
                    .walk(projections.into(), lengths, state, masks);
                let walked = $crate::layers::or_panic(walked);
                walked.try_into().expect("a walk gives what its cell has")
            }

            /// The state that a sequence starts from: zeros for `batch` rows.
            pub fn zero_state(&self, batch: usize) -> $state {
                let state = self.parameters().zero_state(batch);
                state.try_into().expect("a state has what its cell has")
            }

            /// One timestep: `input` `[B, d_input]` and the state before give the state after, whose hidden
            /// part is the output. Steps give what [`forward`](Self::forward) over all of them does,
            /// but that in training each drops other units.
            ///
            /// # Panics
            /// If shapes, types or devices don't fit together, or the layer walks backwards.
            pub fn step(&self, input: burn::tensor::Tensor<2>, state: $state) -> $state {
                let masks = &mut $crate::dropout::OfDevice;
                let state = self.parameters().step(input, state.into(), masks);
                let state = $crate::layers::or_panic(state);
                state.try_into().expect("a state has what its cell has")
            }

            /// The next timesteps of sequences that were read up to `state`: `input` as in
            /// [`forward`](Self::forward), hidden states `[B, T, H]` and the state to go on from.
            ///
            /// # Panics
            /// If shapes, types or devices don't fit together, or the layer walks backwards.
            pub fn seq(
                &self,
                input: burn::tensor::Tensor<3>,
                state: $state,
            ) -> (burn::tensor::Tensor<3>, $state) {
                let masks = &mut $crate::dropout::OfDevice;
                let walked = self.parameters().seq(input, state.into(), masks);
                let walked = $crate::layers::or_panic(walked);
                let state = walked.final_state.try_into();
                (
                    walked.hidden_states,
                    state.expect("a state has what its cell has"),
                )
            }

            /// The layer on the CPU for `batch` rows, in plain vectors: the fastest way to go a timestep at a time.
            /// Its weights are read from the device once.
            ///
            /// # Panics
            /// If the layer walks backwards, or `batch` is 0.
            pub fn stepper(&self, batch: usize) -> gatefold_kernels::Stepper {
                $crate::layers::or_panic(self.parameters().stepper(batch))
            }
        }
    };
}

pub(super) use {layer, methods};
