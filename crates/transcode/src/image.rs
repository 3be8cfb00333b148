//! Reads the headers of images that a job lays over pictures. Pure.
//!
//! An image is judged before ffmpeg sees it: a file of a few bytes may claim to be 30,000 pixels wide.

/// Longest side in pixels.
const MAX_SIDE: u32 = 8192;
/// Pixels of one image: 64 MiB in memory.
const MAX_PIXELS: u64 = 16 << 20;
/// The bytes of a file that its header is in.
pub const HEADER: usize = 26;

/// A file that cannot be laid over a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    #[error("it is no PNG, TGA or BMP image")]
    NoImage,
    #[error("it has {0}x{1} pixels; the limit is 16,777,216 pixels and 8192 on a side")]
    TooLarge(u32, u32),
}

/// Width and height from the beginning of a file. `suffix` is that of its name, which decides where the format has
/// no mark of its own (TGA).
pub fn size(header: &[u8], suffix: &str) -> Result<(u32, u32), ImageError> {
    let read = match suffix.to_ascii_lowercase().as_str() {
        "png" => png(header),
        "bmp" => bmp(header),
        "tga" => tga(header),
        _ => None,
    };
    let (width, height) = read
        .filter(|(width, height)| *width > 0 && *height > 0)
        .ok_or(ImageError::NoImage)?;
    if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge(width, height));
    }
    Ok((width, height))
}

/// <https://www.w3.org/TR/png-3/#11IHDR>
fn png(header: &[u8]) -> Option<(u32, u32)> {
    let rest = header.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")?;
    let number = |at: usize| Some(u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?));
    Some((number(0)?, number(4)?))
}

/// A bitmap with the header of Windows 3 or later, whose height is negative if its first row is the top.
fn bmp(header: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| Some(i32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    if !header.starts_with(b"BM") || number(14)? < 40 {
        return None;
    }
    Some((number(18)?.unsigned_abs(), number(22)?.unsigned_abs()))
}

/// Truevision TGA 2.0: with or without a palette, runs, or colors, at a depth that there is.
fn tga(header: &[u8]) -> Option<(u32, u32)> {
    let number = |at: usize| {
        Some(u32::from(u16::from_le_bytes(
            header.get(at..at + 2)?.try_into().ok()?,
        )))
    };
    let (palette, kind, depth) = (*header.get(1)?, *header.get(2)?, *header.get(16)?);
    let known = palette <= 1 && matches!(kind, 1..=3 | 9..=11) && matches!(depth, 8 | 15 | 16 | 24 | 32);
    known.then_some(())?;
    Some((number(12)?, number(14)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        file.extend(width.to_be_bytes());
        file.extend(height.to_be_bytes());
        file
    }

    fn bmp_of(width: i32, height: i32) -> Vec<u8> {
        let mut file = b"BM".to_vec();
        file.resize(14, 0);
        for number in [40, width, height] {
            file.extend(number.to_le_bytes());
        }
        file
    }

    fn tga_of(width: u16, height: u16) -> Vec<u8> {
        let mut file = vec![0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend(width.to_le_bytes());
        file.extend(height.to_le_bytes());
        file.extend([32, 0]);
        file
    }

    #[test]
    fn sizes_are_in_headers() {
        for (file, suffix, expected) in [
            (png_of(640, 48), "PNG", Ok((640, 48))),
            (png_of(30_000, 10), "png", Err(ImageError::TooLarge(30_000, 10))),
            (png_of(8000, 8000), "png", Err(ImageError::TooLarge(8000, 8000))),
            (png_of(0, 10), "png", Err(ImageError::NoImage)),
            (png_of(640, 48)[..20].to_vec(), "png", Err(ImageError::NoImage)),
            (png_of(640, 48), "bmp", Err(ImageError::NoImage)),
            (bmp_of(320, -24), "bmp", Ok((320, 24))),
            (bmp_of(i32::MIN, 1), "bmp", Err(ImageError::TooLarge(1 << 31, 1))),
            (tga_of(64, 32), "tga", Ok((64, 32))),
            (
                b"<html><body>not found</body></html>".to_vec(),
                "tga",
                Err(ImageError::NoImage),
            ),
            (Vec::new(), "tga", Err(ImageError::NoImage)),
            (png_of(640, 48), "svg", Err(ImageError::NoImage)),
        ] {
            let header = &file[..file.len().min(HEADER)];
            assert_eq!(size(header, suffix), expected, "{suffix}");
        }
    }
}
