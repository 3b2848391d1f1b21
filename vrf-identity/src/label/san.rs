//! The subject alternative name of a certificate: `urn:sigveil:<mode>:<profile>:<label>` (protocol.md §6).

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};
use thiserror::Error;

use super::{Label, Mode, Profile};

/// Characters of a label in base32: 256 bits in 260.
pub const LABEL_CHARACTERS: usize = 52;

const NAMESPACE: &str = "urn:sigveil:";

/// RFC 4648 base32 in lower case, without padding; slack bits must be zero.
static BASE32: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().expect("a fixed specification with 32 distinct symbols")
});

/// Why a string is no SAN of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SanError {
    /// Not `urn:sigveil:` and three parts.
    #[error("not of the form urn:sigveil:<mode>:<profile>:<label>")]
    Form,
    /// A mode that does not exist.
    #[error("unknown mode")]
    Mode,
    /// A profile that does not exist.
    #[error("unknown profile")]
    Profile,
    /// Not 52 characters.
    #[error("the label has not {LABEL_CHARACTERS} characters")]
    LabelLength,
    /// Not lower-case base32 with zero slack bits.
    #[error("the label is not canonical lower-case base32")]
    LabelEncoding,
    /// A number not below r.
    #[error("the label is not below the field's order")]
    LabelRange,
}

impl SanError {
    /// Stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Form => "san-form",
            Self::Mode => "san-mode",
            Self::Profile => "san-profile",
            Self::LabelLength => "san-label-length",
            Self::LabelEncoding => "san-label-encoding",
            Self::LabelRange => "san-label-range",
        }
    }
}

/// Mode, profile and label of a certificate.
///
/// Parsing is strict: the one string that [`Display`](fmt::Display) gives is the one that parses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct San {
    /// The mode of the evaluation.
    pub mode: Mode,
    /// The label's profile.
    pub profile: Profile,
    /// The label.
    pub label: Label,
}

impl fmt::Display for San {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = BASE32.encode(&self.label.to_bytes());
        write!(f, "{NAMESPACE}{}:{}:{label}", self.mode, self.profile)
    }
}

impl FromStr for San {
    type Err = SanError;

    fn from_str(text: &str) -> Result<Self, SanError> {
        let mut parts = text.strip_prefix(NAMESPACE).ok_or(SanError::Form)?.split(':');
        let (Some(mode), Some(profile), Some(label), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SanError::Form);
        };
        let mode = Mode::from_name(mode).ok_or(SanError::Mode)?;
        let profile = Profile::from_name(profile).ok_or(SanError::Profile)?;
        let san = Self { mode, profile, label: parse_label(label)? };
        // Holds by construction today; compared so that no later leniency above lets a second spelling through.
        if san.to_string() == text { Ok(san) } else { Err(SanError::Form) }
    }
}

fn parse_label(text: &str) -> Result<Label, SanError> {
    if text.len() != LABEL_CHARACTERS {
        return Err(SanError::LabelLength);
    }
    let bytes = BASE32.decode(text.as_bytes()).map_err(|_| SanError::LabelEncoding)?;
    Label::from_bytes(&bytes).map_err(|_| SanError::LabelRange)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::Scope;
    use super::super::tests::key;
    use super::*;
    use crate::Fr;
    use crate::field::limbs_to_bytes;
    use ark_ff::PrimeField;
    use proptest::prelude::*;

    fn sample() -> San {
        let label = Label::derive(&key(Mode::Open, 1), Scope::Stable);
        San { mode: Mode::Open, profile: Profile::Stable, label }
    }

    #[test]
    fn form_is_fixed() {
        let one = Label::from_bytes(&[[0; 31].as_slice(), &[1]].concat()).unwrap();
        let san = San { mode: Mode::Blind, profile: Profile::Unlinkable, label: one };
        // 256 bits, then four slack bits: the last character holds the lowest bit and the slack, 1_0000.
        assert_eq!(san.to_string(), format!("urn:sigveil:blind:unlinkable:{}q", "a".repeat(51)));
    }

    #[test]
    fn each_refusal_by_its_own_check() {
        let good = sample().to_string();
        let (head, label) = good.rsplit_once(':').unwrap();
        let parse = |text: &str| text.parse::<San>();
        assert_eq!(parse(&good), Ok(sample()));
        assert_eq!(parse(&good.replace("urn:", "URN:")), Err(SanError::Form));
        assert_eq!(parse(&good.replace("sigveil", "fulcio")), Err(SanError::Form));
        assert_eq!(parse(&format!("{good}:")), Err(SanError::Form));
        assert_eq!(parse(head), Err(SanError::Form));
        assert_eq!(parse(&good.replace("open", "shut")), Err(SanError::Mode));
        assert_eq!(parse(&good.replace("open", "Open")), Err(SanError::Mode));
        assert_eq!(parse(&good.replace("stable", "")), Err(SanError::Profile));
        assert_eq!(parse(&format!("{good}a")), Err(SanError::LabelLength));
        assert_eq!(parse(&good[..good.len() - 1]), Err(SanError::LabelLength));
        assert_eq!(parse(&format!("{head}:{}", label.to_uppercase())), Err(SanError::LabelEncoding));
        assert_eq!(
            parse(&format!("{head}:{}", label.replace(&label[..1], "1"))),
            Err(SanError::LabelEncoding)
        );
    }

    #[test]
    fn slack_bits_must_be_zero() {
        let good = sample().to_string();
        let last = good.chars().last().unwrap();
        assert!(matches!(last, 'a' | 'q'), "one bit of data, four of slack");
        let next = char::from(last as u8 + 1);
        let bad = format!("{}{next}", &good[..good.len() - 1]);
        assert_eq!(bad.parse::<San>(), Err(SanError::LabelEncoding));
    }

    #[test]
    fn label_not_below_r_is_refused() {
        let order = BASE32.encode(&limbs_to_bytes(&Fr::MODULUS));
        assert_eq!(format!("urn:sigveil:open:stable:{order}").parse::<San>(), Err(SanError::LabelRange));
    }

    proptest! {
        #[test]
        fn sans_round_trip(number: u64, mode in 0usize..2, profile in 0usize..3) {
            let label = Label::derive(&key(Mode::Open, number), Scope::Stable);
            let san = San { mode: Mode::ALL[mode], profile: Profile::ALL[profile], label };
            prop_assert_eq!(san.to_string().parse::<San>(), Ok(san));
        }

        #[test]
        fn what_parses_is_the_canonical_string(text in "urn:sigveil:(open|blind):(stable|epoch):[a-z2-7]{51}[aqb]") {
            if let Ok(san) = text.parse::<San>() {
                prop_assert_eq!(san.to_string(), text);
            }
        }
    }
}
