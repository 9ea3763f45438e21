//! The vector instructions that the walks run on.

use std::ffi::OsStr;
use std::fmt;
use std::sync::LazyLock;

use pulp::Arch;
use thiserror::Error;

const VARIABLE: &str = "GATEFOLD_SIMD";

/// A level of a processor's vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimdLevel {
    /// None: a value at a time.
    Plain,
    /// AVX2 with FMA, eight values at a time.
    Avx2,
    /// AVX-512, sixteen values at a time.
    Avx512,
    /// NEON, four values at a time.
    Neon,
    /// WebAssembly's vectors of 128 bits, four values at a time.
    Simd128,
}

/// The level's name in `GATEFOLD_SIMD`: `plain`, `avx2`, `avx512`, `neon` or `simd128`.
impl fmt::Display for SimdLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
            Self::Simd128 => "simd128",
        })
    }
}

/// What the recurrent operations run on where they run on the CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simd {
    /// The level in use.
    pub level: SimdLevel,
    /// What this processor has, the fastest last.
    pub available: Vec<SimdLevel>,
}

/// `GATEFOLD_SIMD` names what this processor doesn't have.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{VARIABLE} is {given:?}, expected a level that this processor has: {}", names(.available))]
pub struct SimdError {
    /// The variable's value.
    pub given: String,
    /// What this processor has.
    pub available: Vec<SimdLevel>,
}

fn names(levels: &[SimdLevel]) -> String {
    let names: Vec<String> = levels.iter().map(SimdLevel::to_string).collect();
    names.join(", ")
}

/// The level of vector instructions in use on the CPU, and those that this processor has. The fastest is
/// taken, or the one that the environment variable `GATEFOLD_SIMD` names when it is first needed. Results differ
/// from level to level in their last bits. Burn's own matrix products choose for themselves.
///
/// # Errors
/// [`SimdError`] if the variable names no level of this processor; the operations panic with the same words.
pub fn simd() -> Result<Simd, SimdError> {
    let (level, _) = IN_USE.clone()?;
    Ok(Simd {
        level,
        available: levels(&available()),
    })
}

/// What the walks run on.
///
/// # Panics
/// Where [`simd`] is an error.
pub(super) fn arch() -> Arch {
    match &*IN_USE {
        Ok((_, arch)) => *arch,
        Err(error) => panic!("{error}"),
    }
}

type Level = (SimdLevel, Arch);

static IN_USE: LazyLock<Result<Level, SimdError>> =
    LazyLock::new(|| choose(std::env::var_os(VARIABLE).as_deref(), &available()));

/// What this processor has, the fastest last.
pub(super) fn available() -> Vec<Level> {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    use pulp::x86::{V3, V4};
    let levels = [
        Some((SimdLevel::Plain, Arch::Scalar)),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        V3::try_new().map(|simd| (SimdLevel::Avx2, Arch::V3(simd))),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        V4::try_new().map(|simd| (SimdLevel::Avx512, Arch::V4(simd))),
        #[cfg(target_arch = "aarch64")]
        pulp::aarch64::Neon::try_new().map(|simd| (SimdLevel::Neon, Arch::Neon(simd))),
        #[cfg(target_arch = "wasm32")]
        pulp::wasm::Simd128::try_new().map(|simd| (SimdLevel::Simd128, Arch::Simd128(simd))),
    ];
    levels.into_iter().flatten().collect()
}

fn levels(levels: &[Level]) -> Vec<SimdLevel> {
    levels.iter().map(|(level, _)| *level).collect()
}

/// The level of this name, or the fastest where none is given.
fn choose(given: Option<&OsStr>, available: &[Level]) -> Result<Level, SimdError> {
    let found = match given.filter(|given| !given.is_empty()) {
        None => available.last(),
        Some(given) => available
            .iter()
            .find(|(level, _)| given == level.to_string().as_str()),
    };
    found.copied().ok_or_else(|| SimdError {
        given: given.unwrap_or_default().to_string_lossy().into_owned(),
        available: levels(available),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_level_is_taken_unless_another_is_named() {
        let available = available();
        let chosen = |given: Option<&str>| {
            let (level, _) = choose(given.map(OsStr::new), &available)?;
            Ok::<_, SimdError>(level)
        };
        let fastest = available.last().map(|(level, _)| *level).unwrap();
        assert_eq!(chosen(None), Ok(fastest));
        assert_eq!(chosen(Some("")), Ok(fastest));
        for (level, _) in &available {
            assert_eq!(chosen(Some(&level.to_string())), Ok(*level));
        }
    }

    #[test]
    fn a_level_that_the_processor_lacks_is_an_error_that_says_what_it_has() {
        let only_plain = [(SimdLevel::Plain, Arch::Scalar)];
        for given in ["avx512", "neon", "AVX2", "fast"] {
            let error = choose(Some(OsStr::new(given)), &only_plain).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "GATEFOLD_SIMD is \"{given}\", expected a level that this processor has: plain"
                )
            );
        }
    }
}
