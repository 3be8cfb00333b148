//! The additional checksums of S3: they are read from a request, computed from its bytes, and stored.
//!
//! Source: "Checking object integrity in Amazon S3", S3 user guide.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{Checksum, ChecksumAlgorithm, ChecksumType};
use s3s::s3_error;
use serde::{Deserialize, Serialize};

use super::error::OperationError;

/// The algorithms a client may choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    pub(super) const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// The name as in `x-amz-checksum-algorithm`, the bytes of a value, and the parameters of a CRC. CRCs of parts can be
    /// combined into that of the whole; hashes cannot.
    fn properties(self) -> (&'static str, usize, Option<CrcAlgorithm>) {
        match self {
            Self::Crc32 => ("CRC32", 4, Some(CrcAlgorithm::Crc32IsoHdlc)),
            Self::Crc32c => ("CRC32C", 4, Some(CrcAlgorithm::Crc32Iscsi)),
            Self::Crc64Nvme => ("CRC64NVME", 8, Some(CrcAlgorithm::Crc64Nvme)),
            Self::Sha1 => ("SHA1", 20, None),
            Self::Sha256 => ("SHA256", 32, None),
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.properties().0
    }

    /// The name as in messages and headers.
    pub(super) fn lower(self) -> String {
        self.name().to_ascii_lowercase()
    }

    pub(super) fn dto(self) -> ChecksumAlgorithm {
        ChecksumAlgorithm::from_static(self.name())
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The header or trailer that carries the value.
    pub(super) fn header(self) -> String {
        format!("x-amz-checksum-{}", self.lower())
    }

    fn hasher(self) -> ChecksumHasher {
        let mut hasher = ChecksumHasher::default();
        match self {
            Self::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Self::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Self::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Self::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Self::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
        hasher
    }

    /// The value of this algorithm out of a set of results.
    fn pick(self, sums: Checksum) -> Option<String> {
        match self {
            Self::Crc32 => sums.checksum_crc32,
            Self::Crc32c => sums.checksum_crc32c,
            Self::Crc64Nvme => sums.checksum_crc64nvme,
            Self::Sha1 => sums.checksum_sha1,
            Self::Sha256 => sums.checksum_sha256,
        }
    }

    fn decode(self, value: &str) -> Option<Vec<u8>> {
        let (_, length, _) = self.properties();
        STANDARD.decode(value).ok().filter(|bytes| bytes.len() == length)
    }
}

/// A checksum as it is stored with an object or a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) algorithm: Algorithm,
    /// Base64; of a composite followed by `-` and the number of parts.
    pub(super) value: String,
    /// False for a checksum of the parts' checksums.
    pub(super) full_object: bool,
}

impl Stored {
    pub(super) fn checksum_type(&self) -> ChecksumType {
        checksum_type(self.full_object)
    }
}

pub(super) fn checksum_type(full_object: bool) -> ChecksumType {
    ChecksumType::from_static(if full_object {
        ChecksumType::FULL_OBJECT
    } else {
        ChecksumType::COMPOSITE
    })
}

/// Computes the MD5 of bytes, and their checksum if there is an algorithm.
pub(super) struct Hasher {
    md5: Md5,
    algorithm: Option<Algorithm>,
    sums: ChecksumHasher,
}

impl Hasher {
    pub(super) fn new(algorithm: Option<Algorithm>) -> Self {
        Self {
            md5: Md5::new(),
            algorithm,
            sums: algorithm.map(Algorithm::hasher).unwrap_or_default(),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sums.update(bytes);
    }

    pub(super) fn finish(self) -> ([u8; 16], Option<Stored>) {
        let sums = self.sums.finalize();
        let checksum = self.algorithm.and_then(|algorithm| {
            Some(Stored {
                algorithm,
                value: algorithm.pick(sums)?,
                full_object: true,
            })
        });
        (self.md5.finalize().into(), checksum)
    }
}

/// Sets the field of `$out` that belongs to the algorithm of `$stored`, an `Option<&Stored>`.
macro_rules! set_checksum {
    ($out:expr, $stored:expr) => {
        if let Some(stored) = $stored {
            let slot = match stored.algorithm {
                $crate::checksum::Algorithm::Crc32 => &mut $out.checksum_crc32,
                $crate::checksum::Algorithm::Crc32c => &mut $out.checksum_crc32c,
                $crate::checksum::Algorithm::Crc64Nvme => &mut $out.checksum_crc64nvme,
                $crate::checksum::Algorithm::Sha1 => &mut $out.checksum_sha1,
                $crate::checksum::Algorithm::Sha256 => &mut $out.checksum_sha256,
            };
            *slot = Some(stored.value.clone());
        }
    };
}
pub(super) use set_checksum;

/// The five checksum fields of an input, as one value.
macro_rules! take_checksums {
    ($input:expr) => {
        s3s::dto::Checksum {
            checksum_crc32: $input.checksum_crc32.take(),
            checksum_crc32c: $input.checksum_crc32c.take(),
            checksum_crc64nvme: $input.checksum_crc64nvme.take(),
            checksum_sha1: $input.checksum_sha1.take(),
            checksum_sha256: $input.checksum_sha256.take(),
            checksum_type: None,
        }
    };
}
pub(super) use take_checksums;

/// The one checksum that a request gives in its headers or XML, well formed.
pub(super) fn given(sums: &Checksum) -> Result<Option<(Algorithm, String)>, OperationError> {
    let mut found = Algorithm::ALL
        .into_iter()
        .filter_map(|algorithm| Some((algorithm, algorithm.pick(sums.clone())?)));
    let Some((algorithm, value)) = found.next() else {
        return Ok(None);
    };
    if found.next().is_some() {
        let text = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(s3_error!(InvalidRequest, "{text}").into());
    }
    // A composite value, as in a CompleteMultipartUpload, ends in the number of parts.
    let digest = value.split_once('-').map_or(value.as_str(), |(digest, _)| digest);
    if algorithm.decode(digest).is_none() {
        let header = algorithm.header();
        return Err(s3_error!(InvalidRequest, "Value for {header} header is invalid.").into());
    }
    Ok(Some((algorithm, value)))
}

/// The rule by which the checksum of a multipart object is made from those of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Multipart {
    pub(super) algorithm: Algorithm,
    pub(super) full_object: bool,
}

impl Multipart {
    /// Checks the choice made at `CreateMultipartUpload`.
    pub(super) fn choose(algorithm: Algorithm, kind: Option<&ChecksumType>) -> Result<Self, OperationError> {
        let full_object = match kind.map(ChecksumType::as_str) {
            Some(ChecksumType::FULL_OBJECT) => true,
            Some(ChecksumType::COMPOSITE) => false,
            Some(other) => {
                return Err(s3_error!(InvalidRequest, "Checksum Type {other} is not known.").into());
            }
            None => algorithm == Algorithm::Crc64Nvme,
        };
        let possible = if full_object {
            algorithm.properties().2.is_some()
        } else {
            algorithm != Algorithm::Crc64Nvme
        };
        if possible {
            return Ok(Self {
                algorithm,
                full_object,
            });
        }
        let (kind, name) = (checksum_type(full_object), algorithm.lower());
        let text = format!(
            "The {} checksum type cannot be used with the {name}",
            kind.as_str()
        );
        Err(s3_error!(InvalidRequest, "{text} checksum algorithm.").into())
    }

    /// The checksum of the whole. `parts` are the values and sizes of all parts, in order.
    pub(super) fn combine(self, parts: &[(String, u64)]) -> Option<Stored> {
        let value = match self.algorithm.properties().2 {
            Some(crc) if self.full_object => self.combine_crc(crc, parts)?,
            _ => {
                let mut hasher = self.algorithm.hasher();
                for (value, _) in parts {
                    hasher.update(&self.algorithm.decode(value)?);
                }
                format!("{}-{}", self.algorithm.pick(hasher.finalize())?, parts.len())
            }
        };
        Some(Stored {
            algorithm: self.algorithm,
            value,
            full_object: self.full_object,
        })
    }

    fn combine_crc(self, crc: CrcAlgorithm, parts: &[(String, u64)]) -> Option<String> {
        let mut whole: Option<u64> = None;
        for (value, size) in parts {
            let bytes = self.algorithm.decode(value)?;
            let part = bytes
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte));
            whole = Some(whole.map_or(part, |so_far| {
                crc_fast::checksum_combine(crc, so_far, part, *size)
            }));
        }
        let bytes = whole?.to_be_bytes();
        let (_, length, _) = self.algorithm.properties();
        Some(STANDARD.encode(&bytes[bytes.len() - length..]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = algorithm.hasher();
        hasher.update(bytes);
        algorithm.pick(hasher.finalize()).unwrap()
    }

    /// Check values of "123456789" from the CRC catalog, the others from coreutils.
    #[test]
    fn known_values() {
        let table = [
            (Algorithm::Crc32, "y/Q5Jg=="),
            (Algorithm::Crc32c, "4waSgw=="),
            (Algorithm::Crc64Nvme, "rosUhgp5mIg="),
            (Algorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (Algorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ];
        for (algorithm, value) in table {
            assert_eq!(sum(algorithm, b"123456789"), value, "{algorithm:?}");
        }
    }

    proptest! {
        #[test]
        fn the_crc_of_the_whole_follows_from_the_parts(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..5)) {
            for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
                let sums: Vec<_> = parts.iter().map(|p| (sum(algorithm, p), p.len() as u64)).collect();
                let combined = Multipart { algorithm, full_object: true }.combine(&sums).unwrap();
                prop_assert_eq!(combined.value, sum(algorithm, &parts.concat()));
            }
        }
    }

    #[test]
    fn a_composite_is_the_checksum_of_checksums_and_counts_the_parts() {
        let algorithm = Algorithm::Sha1;
        let parts = [(sum(algorithm, b"one"), 3), (sum(algorithm, b"two"), 3)];
        let digests: Vec<u8> = parts
            .iter()
            .flat_map(|(v, _)| algorithm.decode(v).unwrap())
            .collect();
        let whole = Multipart {
            algorithm,
            full_object: false,
        }
        .combine(&parts)
        .unwrap();
        assert_eq!(whole.value, format!("{}-2", sum(algorithm, &digests)));
        assert!(!whole.full_object);
    }

    #[test]
    fn kinds_that_s3_refuses() {
        let full = ChecksumType::from_static(ChecksumType::FULL_OBJECT);
        let composite = ChecksumType::from_static(ChecksumType::COMPOSITE);
        assert!(Multipart::choose(Algorithm::Sha256, Some(&full)).is_err());
        assert!(Multipart::choose(Algorithm::Crc64Nvme, Some(&composite)).is_err());
        assert!(Multipart::choose(Algorithm::Crc64Nvme, None).unwrap().full_object);
        assert!(!Multipart::choose(Algorithm::Crc32, None).unwrap().full_object);
    }

    #[test]
    fn one_well_formed_value_per_request() {
        let sums = |crc32: &str, sha1: Option<&str>| Checksum {
            checksum_crc32: Some(crc32.to_owned()),
            checksum_sha1: sha1.map(str::to_owned),
            ..Checksum::default()
        };
        assert_eq!(
            given(&sums("y/Q5Jg==", None)).unwrap().unwrap().0,
            Algorithm::Crc32
        );
        assert!(given(&sums("AAAA", None)).is_err());
        assert!(given(&sums("y/Q5Jg==", Some("98O8HYCOBHMq32eZZczDTKeuNEE="))).is_err());
        assert!(given(&Checksum::default()).unwrap().is_none());
    }
}
