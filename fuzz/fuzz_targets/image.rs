//! Images that a job lays over pictures: what is accepted has a size within the limits, whatever the header claims.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transcode::image::{HEADER, ImageError, size};

fuzz_target!(|bytes: &[u8]| {
    let header = &bytes[..bytes.len().min(HEADER)];
    for suffix in ["png", "BMP", "tga", "jpg", ""] {
        let read = size(header, suffix);
        // The header decides alone.
        assert_eq!(size(bytes, suffix), read);
        match read {
            Ok((width, height)) => {
                assert!((1..=8192).contains(&width) && (1..=8192).contains(&height));
                assert!(u64::from(width) * u64::from(height) <= 16 << 20);
            }
            Err(ImageError::TooLarge(width, height)) => {
                assert!(u64::from(width) * u64::from(height) > 16 << 20 || width > 8192 || height > 8192);
            }
            Err(ImageError::NoImage) => {}
        }
    }
});
