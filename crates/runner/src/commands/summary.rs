//! `gatefold summary`

use anyhow::Result;
use burn::module::Module;
use burn::tensor::Device;
use gatefold_model::NetworkConfig;

use crate::cli::{SummaryArgs, with_flags};
use crate::output::{self, Format};

pub fn run(args: SummaryArgs) -> Result<()> {
    let config = with_flags(
        NetworkConfig::default(),
        |config| args.model.apply(config),
        |config| Ok(config.validate()?),
    )?;
    let network = config.blank(&Device::flex())?;
    let layers = network.summary();
    if args.format.format == Format::Json {
        return layers.iter().try_for_each(output::json);
    }
    let mut rows: Vec<Vec<String>> = layers
        .into_iter()
        .map(|layer| {
            vec![
                layer.layer,
                layer.output_shape,
                layer.parameters.to_string(),
            ]
        })
        .collect();
    let total = network.num_params().to_string();
    rows.push(vec!["total".into(), String::new(), total]);
    output::table(&["layer", "output shape", "parameters"], rows, 2)?;
    output::line("B: examples in a batch, T: their timesteps")
}
