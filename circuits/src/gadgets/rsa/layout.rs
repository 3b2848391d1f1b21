//! What depends on the size of the modulus alone: how long the integers are, and the identities between them.

use std::sync::OnceLock;

use ark_ff::{Field, batch_inversion};
use num_bigint::BigInt;

use super::carries::{Identity, Interval, difference, product};
use crate::Fr;

/// Bits of a limb; the top limb has what remains.
pub(super) const LIMB_BITS: usize = 21;

/// Length of a modulus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// 2,048 bits.
    Rsa2048,
    /// 3,072 bits.
    Rsa3072,
    /// 4,096 bits.
    Rsa4096,
}

impl Size {
    /// All sizes.
    pub const ALL: [Self; 3] = [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// The size of so many bits.
    #[must_use]
    pub fn from_bits(bits: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.bits() == bits)
    }

    /// Bits of the modulus.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
        }
    }

    /// Bytes of the modulus and of a signature.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.bits() / 8
    }

    /// Field elements that a modulus is packed into: 9, 13 or 17.
    #[must_use]
    pub const fn packed_elements(self) -> usize {
        self.bytes().div_ceil(super::PACKED_BYTES)
    }

    /// The layout of this size, computed on first use.
    pub(super) fn layout(self) -> &'static Layout {
        static LAYOUTS: [OnceLock<Layout>; Size::ALL.len()] = [const { OnceLock::new() }; Size::ALL.len()];
        LAYOUTS[self as usize].get_or_init(|| Layout::new(self))
    }
}

/// How long an integer is. Its top limb may be a little longer than the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// From 0 to 2^n − 1.
    Natural(usize),
    /// From −2^(n + more) to 2^(n + more) − 1, in as many limbs as n bits have.
    Signed {
        /// n.
        bits: usize,
        /// Bits more.
        more: usize,
    },
}

impl Width {
    pub(super) fn limbs(self) -> usize {
        match self {
            Self::Natural(bits) | Self::Signed { bits, .. } => bits.div_ceil(LIMB_BITS),
        }
    }

    /// Bits of the whole, the sign's with them.
    pub(super) fn bits(self) -> usize {
        match self {
            Self::Natural(bits) => bits,
            Self::Signed { bits, more } => bits + more + 1,
        }
    }

    /// Bits of limb `i`.
    pub(super) fn limb_bits(self, i: usize) -> usize {
        if i + 1 < self.limbs() { LIMB_BITS } else { self.bits() - LIMB_BITS * i }
    }

    /// What is added to limb `i` so that it is not negative.
    pub(super) fn limb_offset(self, i: usize) -> u64 {
        match self {
            Self::Signed { .. } if i + 1 == self.limbs() => 1 << (self.limb_bits(i) - 1),
            _ => 0,
        }
    }

    /// The ranges of the limbs.
    pub(super) fn intervals(self) -> Vec<Interval> {
        let limb = |i: usize| {
            let least = -BigInt::from(self.limb_offset(i));
            let most = &least + (BigInt::from(1) << self.limb_bits(i)) - 1;
            (least, most)
        };
        (0..self.limbs()).map(limb).collect()
    }
}

/// Lengths, points and identities for one size.
pub(super) struct Layout {
    pub(super) size: Size,
    pub(super) modulus: Width,
    /// u of a power u/v.
    pub(super) numerator: Width,
    /// v of a power u/v.
    pub(super) denominator: Width,
    /// q of a squaring.
    pub(super) quotient: Width,
    /// q of the last identity.
    pub(super) last_quotient: Width,
    /// The encoded message, whose highest 15 bits are zero.
    pub(super) message: Width,
    /// u'·v² − v'·u² − q·n.
    pub(super) squaring: Identity,
    /// u²·u0 − EM·v²·v0 − q·n.
    pub(super) last: Identity,
    /// For each x = 1, 2, … the powers x^0, x^1, … The points are 0, 1, −1, 2, −2, …
    pub(super) powers: Vec<Vec<Fr>>,
    /// From the values of a square to its values at the points of `squaring`.
    pub(super) squares: Extension,
    /// From the values of a product of three to its values at the points of `last`.
    pub(super) triples: Extension,
}

impl Layout {
    fn new(size: Size) -> Self {
        // Below 2^half: numerators' size and denominators, which rational reconstruction keeps there.
        let half = size.bits() / 2;
        let modulus = Width::Natural(size.bits());
        let numerator = Width::Signed { bits: half, more: 0 };
        let denominator = Width::Natural(half);
        // (2^3·half + 2^3·half) / 2^(2·half − 1) = 2^(half + 2).
        let quotient = Width::Signed { bits: half, more: 2 };
        // (2^(3·half) + 2^(5·half − 15)) / 2^(2·half − 1), which is less than 2^(3·half − 13).
        let last_quotient = Width::Signed { bits: 3 * half - 13, more: 0 };
        let message = Width::Natural(size.bits() - 15);

        let [u, v, n, em] = [numerator, denominator, modulus, message].map(Width::intervals);
        let (u2, v2) = (product(&u, &u), product(&v, &v));
        let squaring = difference(&product(&u, &v2), &product(&v, &u2));
        let squaring = difference(&squaring, &product(&quotient.intervals(), &n));
        let last = difference(&product(&u2, &u), &product(&em, &product(&v2, &v)));
        let last = difference(&last, &product(&last_quotient.intervals(), &n));

        let points = points(last.len());
        let longest = modulus.limbs().max(last_quotient.limbs());
        let powers =
            |x: u64| std::iter::successors(Some(Fr::ONE), move |p| Some(*p * Fr::from(x))).take(longest);
        Self {
            size,
            modulus,
            numerator,
            denominator,
            quotient,
            last_quotient,
            message,
            powers: (1..=last.len() as u64 / 2).map(|x| powers(x).collect()).collect(),
            squares: Extension::new(&points, u2.len(), squaring.len()),
            triples: Extension::new(&points, u2.len() + u.len() - 1, last.len()),
            squaring: Identity::new(squaring, &points),
            last: Identity::new(last, &points),
        }
    }
}

fn points(count: usize) -> Vec<Fr> {
    let signed = (1..=count as u64 / 2).flat_map(|x| [Fr::from(x), -Fr::from(x)]);
    std::iter::once(Fr::from(0u64)).chain(signed).take(count).collect()
}

/// From the values of a polynomial at as many points as determine it to those at further points.
pub(super) struct Extension {
    /// Points that determine it.
    pub(super) from: usize,
    /// For each further point the weights of the values.
    pub(super) weights: Vec<Vec<Fr>>,
}

impl Extension {
    /// By Lagrange: the weight of value j at x is `Π_{k≠j} (x − x_k)/(x_j − x_k)`.
    fn new(points: &[Fr], from: usize, to: usize) -> Self {
        let (known, further) = (&points[..from], &points[from..to]);
        let others = |j: usize| (0..from).filter(move |k| *k != j);
        let mut scales: Vec<Fr> =
            (0..from).map(|j| others(j).map(|k| known[j] - known[k]).product()).collect();
        batch_inversion(&mut scales);
        let weights = |x: &Fr| {
            let mut distances: Vec<Fr> = known.iter().map(|point| *x - point).collect();
            let all: Fr = distances.iter().product();
            batch_inversion(&mut distances);
            distances.iter().zip(&scales).map(|(inverse, scale)| all * inverse * scale).collect()
        };
        Self { from, weights: further.iter().map(weights).collect() }
    }
}
