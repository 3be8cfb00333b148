//! Blocks of a media playlist that differ in digits alone: found many bytes at a time, and written by copying.

use std::ops::Range;

use super::Writer;

/// A block that was just written: lines that stayed as they are, and the name of a file.
pub(super) struct Repeated {
    /// Bytes of the block in the source.
    pub(super) source: usize,
    /// Those before the name.
    pub(super) head: usize,
    /// Those of the name.
    pub(super) name: usize,
    /// Where the block begins in the output.
    pub(super) begun: usize,
}

impl Writer {
    /// Writes the blocks in `text`, which begins with `block`, that repeat it. Returns how many bytes of `text` they are.
    ///
    /// A digit in place of another changes nothing of what a line means, with one exception: the last one of a
    /// suffix, for `.m3u9` and `.m3u8` are treated differently.
    pub(super) fn repeat(&mut self, block: &Repeated, text: &[u8]) -> usize {
        let Repeated {
            source,
            head,
            name,
            begun,
        } = *block;
        if text[head + name - 1].is_ascii_digit() {
            return 0;
        }
        let times = alike(text, source) / source;
        if times == 0 {
            return 0;
        }
        let (first, written) = (self.out.len(), self.out.len() - begun);
        fill(&mut self.out, begun, times);

        let mut blocks = Blocks {
            text,
            period: source,
            out: &mut self.out[first..],
            out_period: written,
        };
        let name_at = written - 1 - self.suffix.len() - name;
        blocks.put_digits(0..head, 0);
        blocks.put_digits(head..head + name, name_at);
        times * source
    }
}

/// Blocks of a source, and copies of the first one's output that are to have the digits of the others.
struct Blocks<'a> {
    text: &'a [u8],
    period: usize,
    out: &'a mut [u8],
    out_period: usize,
}

impl Blocks<'_> {
    /// Puts in the digits of the part of each block that stands at `to` in the output.
    fn put_digits(&mut self, part: Range<usize>, to: usize) {
        // Of a size that is known beforehand a copy is one instruction and no call.
        if part.len() < 8 {
            self.put_pieces::<1>(part, to);
        } else {
            self.put_pieces::<8>(part, to);
        }
    }

    fn put_pieces<const N: usize>(&mut self, part: Range<usize>, to: usize) {
        let mut at = part.start;
        while let Some(digit) = self.text[at..part.end].iter().position(u8::is_ascii_digit) {
            let piece = (at + digit).min(part.end - N);
            let place = to + piece - part.start;
            let sources = self.text[self.period..].chunks_exact(self.period);
            for (from, to) in sources.zip(self.out.chunks_exact_mut(self.out_period)) {
                to[place..place + N].copy_from_slice(&from[piece..piece + N]);
            }
            at = piece + N;
        }
    }
}

/// How many bytes from `period` on are what stands `period` bytes before them, or a digit where that is one.
fn alike(text: &[u8], period: usize) -> usize {
    const WIDTH: usize = 32;
    let digit = |byte: u8| byte.wrapping_sub(b'0') < 10;
    let same = |(before, after): (&u8, &u8)| (before == after) | (digit(*before) & digit(*after));
    let later = &text[period..];
    // Whole chunks without a branch per byte, which compilers turn into vector instructions; then the rest.
    let (chunks, _) = text.as_chunks::<WIDTH>();
    let (later_chunks, _) = later.as_chunks::<WIDTH>();
    let whole = chunks
        .iter()
        .zip(later_chunks)
        .take_while(|(before, after)| before.iter().zip(*after).fold(true, |all, pair| all & same(pair)))
        .count();
    let at = whole * WIDTH;
    at + text[at..]
        .iter()
        .zip(&later[at..])
        .take_while(|pair| same(*pair))
        .count()
}

/// Appends what `out` holds from `begun` on, `times` times, doubling what is copied.
fn fill(out: &mut Vec<u8>, begun: usize, times: usize) {
    let end = out.len() + times * (out.len() - begun);
    out.reserve(end - out.len());
    while out.len() < end {
        let more = (end - out.len()).min(out.len() - begun);
        out.extend_from_within(begun..begun + more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_may_differ_and_nothing_else() {
        for (text, period, expected) in [
            ("a1\na2\na3\n", 3, 6),
            ("a1\na2\nb3\n", 3, 3),
            ("a1\na2\nax\n", 3, 4),
            ("ax\na1\n", 3, 1),
            ("a1\n", 3, 0),
            ("0123456789abcdef9876543210abcdef0123456789abcdeF", 16, 31),
        ] {
            assert_eq!(alike(text.as_bytes(), period), expected, "{text}");
        }
    }

    #[test]
    fn filling_doubles() {
        for times in 0..9 {
            let mut out = b"-ab".to_vec();
            fill(&mut out, 1, times);
            assert_eq!(out, format!("-ab{}", "ab".repeat(times)).into_bytes());
        }
    }
}
