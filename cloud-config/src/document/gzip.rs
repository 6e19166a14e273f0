//! Unpacking, with a limit.

use std::io::{ErrorKind, Read as _};

use flate2::read::MultiGzDecoder;

/// Why bytes cannot be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GzipError {
    /// They end too early.
    #[error("is cut off: the gzip data ends too early")]
    Truncated,
    /// They are not what gzip makes.
    #[error("is not gzip data, or is damaged")]
    Damaged,
    /// There is more in them than anybody needs.
    #[error("is larger than {} MiB once unpacked", .0 >> 20)]
    TooLarge(usize),
}

/// Whether bytes begin as gzip data does.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Unpacks at most `limit` bytes.
pub(crate) fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<u8>, GzipError> {
    if !is_gzip(bytes) {
        return Err(GzipError::Damaged);
    }
    let mut unpacked = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(bytes).take(most).read_to_end(&mut unpacked).map_err(
        |error| match error.kind() {
            ErrorKind::UnexpectedEof => GzipError::Truncated,
            _ => GzipError::Damaged,
        },
    )?;
    if unpacked.len() > limit {
        return Err(GzipError::TooLarge(limit));
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn unpacking_is_packing_undone() {
        assert_eq!(unpack(&pack(b"#cloud-config\n"), 100), Ok(b"#cloud-config\n".to_vec()));
    }

    #[test]
    fn what_ends_early_is_refused_wherever_it_ends() {
        let packed = pack(b"#cloud-config\nhostname: one\n");
        for length in 2..packed.len() {
            assert_eq!(unpack(&packed[..length], 100), Err(GzipError::Truncated), "{length}");
        }
    }

    #[test]
    fn damage_is_told() {
        let mut packed = pack(b"#cloud-config\nhostname: one\n");
        let checksum = packed.len() - 8;
        packed[checksum] ^= 1;

        assert_eq!(unpack(&packed, 100), Err(GzipError::Damaged));
        assert_eq!(unpack(b"text", 100), Err(GzipError::Damaged));
    }

    #[test]
    fn unpacking_stops_at_the_limit() {
        assert_eq!(unpack(&pack(&[b'a'; 2000]), 1999), Err(GzipError::TooLarge(1999)));
        assert_eq!(unpack(&pack(&[b'a'; 2000]), 2000), Ok(vec![b'a'; 2000]));
    }
}
