//! The VRF's keys.

use std::fmt;

use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::VrfError;
use crate::curve::{CurveError, POINT_BYTES, Point, SCALAR_BYTES, Scalar, generator};

/// The secret key sk, not zero, with its public key.
///
/// It cannot be printed:
/// ```compile_fail
/// fn print(secret: &sigveil_vrf_identity::vrf::SecretKey) -> String {
///     format!("{secret:?}")
/// }
/// ```
#[derive(ZeroizeOnDrop)]
pub struct SecretKey {
    scalar: Scalar,
    #[zeroize(skip)]
    public: PublicKey,
}

impl SecretKey {
    /// A random key.
    pub fn generate(rng: &mut (impl CryptoRngCore + ?Sized)) -> Self {
        let mut scalar = Scalar::random_nonzero(rng);
        let key = Self::from_scalar(scalar).expect("the scalar is not zero");
        scalar.zeroize();
        key
    }

    /// Reads 32 big-endian bytes of a number from 1 to l − 1.
    ///
    /// # Errors
    /// [`VrfError::Scalar`] for other bytes, [`VrfError::ZeroKey`] for zero.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, VrfError> {
        Self::from_scalar(Scalar::from_bytes(bytes)?)
    }

    fn from_scalar(scalar: Scalar) -> Result<Self, VrfError> {
        let public = generator().multiply(&scalar).map_err(|_| VrfError::ZeroKey)?;
        Ok(Self { scalar, public: PublicKey(public) })
    }

    /// The 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        Zeroizing::new(self.scalar.to_bytes())
    }

    /// PK = sk·G.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    pub(super) fn scalar(&self) -> &Scalar {
        &self.scalar
    }
}

/// The public key PK.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(Point);

impl PublicKey {
    /// Reads a point in 32 bytes.
    ///
    /// # Errors
    /// As [`Point::from_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CurveError> {
        Point::from_bytes(bytes).map(Self)
    }

    /// The point in 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; POINT_BYTES] {
        self.0.to_bytes()
    }

    /// The point.
    #[must_use]
    pub fn point(&self) -> Point {
        self.0
    }
}

impl From<Point> for PublicKey {
    fn from(point: Point) -> Self {
        Self(point)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        write!(f, "PublicKey({hex})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::curve::ScalarError;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    #[test]
    fn keys_round_trip() {
        let key = SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let again = SecretKey::from_bytes(&*key.to_bytes()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(PublicKey::from_bytes(&key.public_key().to_bytes()), Ok(key.public_key()));
    }

    #[test]
    fn one_has_the_generator() {
        let mut one = [0; 32];
        one[31] = 1;
        assert_eq!(SecretKey::from_bytes(&one).unwrap().public_key().point(), generator());
    }

    #[test]
    fn zero_and_unreduced_keys_are_refused() {
        assert_eq!(SecretKey::from_bytes(&[0; 32]).err(), Some(VrfError::ZeroKey));
        assert_eq!(SecretKey::from_bytes(&[255; 32]).err(), Some(VrfError::Scalar(ScalarError::NotReduced)));
    }
}
