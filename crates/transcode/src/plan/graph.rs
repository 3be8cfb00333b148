//! The filter graph: one source, a cascade of sizes, and a branch for each encode and capture.

use std::fmt::Write as _;

use crate::plan::images::Image;
use crate::plan::picture::{Area, Picture, SQUARE, Shape};
use crate::plan::{AudioEncode, Capture, Decode, Plan, VideoEncode, clips, script_file};
use crate::probe::Ratio;

impl Plan {
    /// ffmpeg's `-filter_complex`. Labels: `v0…` for video, `c0…` for captures, `a0…` for audio.
    pub(crate) fn filters(&self) -> String {
        let mut chains = Vec::new();
        if let Some(joint) = &self.joint {
            let encodes = self.audio.iter().enumerate();
            let encodes: Vec<_> = encodes.map(|(index, track)| (index, track.streams[0])).collect();
            chains.extend(joint.chains(self.picture.is_some(), &encodes));
        }
        if let Some(decode) = &self.picture {
            let graph = Graph {
                input: match self.joint {
                    Some(_) => "jv".to_owned(),
                    None => format!("0:{}", decode.stream),
                },
                decode,
                videos: &self.videos,
                captures: &self.captures,
                first_image: self.inputs() + self.sounds().len(),
            };
            chains.extend(graph.chains());
        }
        let tracks = self.audio.iter().enumerate();
        chains.extend(tracks.map(|(index, track)| {
            let loudness = track.loudness.map(|loudness| loudness.filters(track.sample_rate));
            let loudness = loudness.unwrap_or_default();
            format!("{}{loudness}[a{index}]", self.audio_filters(index, track))
        }));
        chains.join(";")
    }

    /// Filters of an audio encode before its loudness is corrected, with the stream that they begin at.
    pub(crate) fn audio_filters(&self, index: usize, track: &AudioEncode) -> String {
        let AudioEncode {
            file,
            streams,
            filters,
            format,
            ..
        } = track;
        if self.joint.is_some() {
            return format!("[ja{index}]{filters},{format}");
        }
        let sounds = self.sounds();
        let beside = file
            .as_deref()
            .and_then(|file| sounds.iter().position(|sound| *sound == file));
        let input = beside.map_or(0, |index| self.inputs() + index);
        let labels: Vec<String> = streams
            .iter()
            .map(|stream| format!("[{input}:{stream}]"))
            .collect();
        let labels = labels.concat();
        let merged = match streams.len() {
            0 | 1 => String::new(),
            count => format!("amerge=inputs={count},"),
        };
        let start = format!("{labels}{merged}{filters}");
        if self.clips.is_empty() {
            return format!("{start},{format}");
        }
        let clips = clips::audio_filters(&self.clips, self.source_rate, &format!("a{index}"));
        format!("{start},{clips},{format}")
    }
}

/// All that the graph of pictures is made from.
struct Graph<'a> {
    /// The label that it begins at.
    input: String,
    decode: &'a Decode,
    videos: &'a [VideoEncode],
    captures: &'a [Capture],
    /// ffmpeg's input of the first image.
    first_image: usize,
}

/// One size in the cascade.
struct Node<'a> {
    /// The part of the source picture that it shows.
    part: Option<Area>,
    size: (u32, u32),
    scaler: &'a str,
    /// Pictures keep ten bits and the source's colors.
    deep: bool,
    /// Index of the node it is scaled from; `None`: from the source.
    parent: Option<usize>,
}

/// A branch that leaves a node (or the source): its filters and the label at its end.
struct Branch<'a> {
    from: Option<usize>,
    filters: Vec<String>,
    /// Images over the picture, the input of the first one, and the filters after them.
    images: &'a [Image],
    first_image: usize,
    after: Vec<String>,
    label: String,
}

impl Branch<'_> {
    /// Chains from the label `input` to the branch's own.
    fn chains(&self, input: &str) -> Vec<String> {
        let after = (!self.after.is_empty()).then(|| self.after.join(","));
        if self.images.is_empty() {
            let filters: Vec<String> = self.filters.iter().cloned().chain(after).collect();
            return vec![format!("[{input}]{}[{}]", joined(&filters), self.label)];
        }
        let below = format!("{}p0", self.label);
        let mut chains = vec![format!("[{input}]{}[{below}]", joined(&self.filters))];
        let above = overlaid(self.images, self.first_image, &self.label, &mut chains);
        chains.push(format!(
            "[{above}]{}[{}]",
            after.as_deref().unwrap_or("null"),
            self.label
        ));
        chains
    }
}

/// Lays images over the label `{name}p0`, one after the other. Returns the label of the result.
fn overlaid(images: &[Image], first: usize, name: &str, chains: &mut Vec<String>) -> String {
    for (index, image) in images.iter().enumerate() {
        let (below, above) = (format!("{name}p{index}"), format!("{name}p{}", index + 1));
        chains.extend(image.chains(first + index, &below, &above));
    }
    format!("{name}p{}", images.len())
}

impl<'a> Graph<'a> {
    fn chains(&self) -> Vec<String> {
        let nodes = self.nodes();
        let mut branches: Vec<Branch<'_>> = Vec::new();
        // Those of the source come first.
        let mut image = self.first_image + self.decode.images.len();
        for (index, node) in nodes.iter().enumerate() {
            branches.push(Branch {
                from: node.parent,
                filters: self.scaling(node),
                images: &[],
                first_image: 0,
                after: Vec::new(),
                label: format!("n{index}"),
            });
        }
        for (index, video) in self.videos.iter().enumerate() {
            branches.push(self.video_branch(&nodes, video, image, format!("v{index}")));
            image += video.treatment.images.len();
        }
        for (index, capture) in self.captures.iter().enumerate() {
            branches.push(self.capture_branch(&nodes, capture, image, format!("c{index}")));
            image += capture.treatment.images.len();
        }
        if branches.is_empty() {
            return Vec::new();
        }
        let mut chains = Vec::new();
        self.source(&branches, &mut chains);
        for (index, branch) in branches.iter().enumerate() {
            let node = (index < nodes.len()).then_some(index);
            let input = format!("x{index}");
            match node {
                Some(_) => chains.push(chain(&input, node, branch.filters.clone(), &branches)),
                None => chains.extend(branch.chains(&input)),
            }
        }
        chains
    }

    /// The decoded picture, with a copy for each branch that starts at it.
    fn source(&self, branches: &[Branch<'_>], chains: &mut Vec<String>) {
        let Decode {
            prepare,
            images,
            select,
            ..
        } = self.decode;
        let mut filters = prepare.clone();
        let mut input = self.input.clone();
        if !images.is_empty() {
            chains.push(format!("[{input}]{}[sp0]", joined(&filters)));
            input = overlaid(images, self.first_image, "s", chains);
            filters.clear();
        }
        filters.extend(select.iter().cloned());
        chains.push(chain(&input, None, filters, branches));
    }

    /// Sizes from large to small, each with the smallest picture that it can be scaled down from.
    fn nodes(&self) -> Vec<Node<'a>> {
        let mut sizes: Vec<_> = self
            .videos
            .iter()
            .map(|video| {
                let Picture {
                    part, scaled, scaler, ..
                } = &video.picture;
                (*part, *scaled, scaler.as_str(), video.deep)
            })
            .collect();
        sizes.sort_by_key(|&(part, (width, height), scaler, deep)| {
            (
                std::cmp::Reverse(u64::from(width) * u64::from(height)),
                width,
                scaler,
                deep,
                part,
            )
        });
        sizes.dedup();
        let mut nodes: Vec<Node<'_>> = Vec::new();
        for (part, size, scaler, deep) in sizes {
            let parent = smallest_covering(&nodes, (part, size, scaler, deep));
            nodes.push(Node {
                part,
                size,
                scaler,
                deep,
                parent,
            });
        }
        nodes
    }

    /// Filters that make one size of the cascade.
    fn scaling(&self, node: &Node<'_>) -> Vec<String> {
        let mut filters = match node.parent {
            Some(_) => vec![self.scale(node.size, node.scaler)],
            None => self.source_part(node.part, node.size, node.scaler),
        };
        match node.parent {
            None if node.deep => filters.push("format=yuv420p10le".to_owned()),
            None => filters.extend(self.decode.color.iter().cloned()),
            Some(_) => {}
        }
        filters
    }

    /// Filters that make a size of the source's picture, or of a part of it.
    fn source_part(&self, part: Option<Area>, size: (u32, u32), scaler: &str) -> Vec<String> {
        let mut filters = Vec::new();
        let mut shown = (self.decode.frame.width, self.decode.frame.height);
        if let Some(Area { x, y, width, height }) = part {
            filters.push(format!("crop={width}:{height}:{x}:{y}"));
            shown = (width, height);
        }
        filters.extend((size != shown).then(|| self.scale(size, scaler)));
        filters
    }

    fn scale(&self, (width, height): (u32, u32), scaler: &str) -> String {
        let fields = if self.decode.interlaced { ":interl=1" } else { "" };
        format!("scale={width}:{height}:flags={scaler}{fields}")
    }

    fn video_branch<'b>(
        &self,
        nodes: &[Node<'_>],
        video: &'b VideoEncode,
        first_image: usize,
        label: String,
    ) -> Branch<'b> {
        let Picture {
            part, scaled, scaler, ..
        } = &video.picture;
        let from = nodes.iter().position(|node| {
            node.part == *part && node.size == *scaled && node.scaler == scaler && node.deep == video.deep
        });
        let treatment = &video.treatment;
        let mut filters = treatment.filters.clone();
        filters.extend(finish(&video.picture));
        let mut after: Vec<String> = video
            .script
            .iter()
            .map(|script| format!("ass={}", script_file(*script)))
            .collect();
        if !treatment.pace.is_empty() {
            after.extend(treatment.pace.iter().cloned());
        } else if video.rate != self.decode.rate {
            after.push(format!("fps=fps={}", video.rate));
        }
        after.extend(treatment.last.iter().cloned());
        Branch {
            from,
            filters,
            images: &treatment.images,
            first_image,
            after,
            label,
        }
    }

    /// Takes pictures first and scales only those.
    fn capture_branch<'b>(
        &self,
        nodes: &[Node<'_>],
        capture: &'b Capture,
        first_image: usize,
        label: String,
    ) -> Branch<'b> {
        let Picture {
            part,
            scaled: size,
            scaler,
            ..
        } = &capture.picture;
        let from = smallest_covering(nodes, (*part, *size, scaler, false));
        let mut filters = Vec::new();
        if self.decode.interlaced {
            filters.push("bwdif=mode=send_frame:deint=all".to_owned());
        }
        let treatment = &capture.treatment;
        // Picture k is the first one at or after k intervals; the margin is for rounded timestamps.
        filters.push(format!(
            "select=gte((t-start_t)*{}/{}+0.0001\\,selected_n)",
            capture.rate.num, capture.rate.den
        ));
        match from {
            Some(index) if nodes[index].size == *size => {}
            Some(_) => filters.push(self.scale(*size, scaler)),
            None => {
                filters.extend(self.source_part(*part, *size, scaler));
                filters.extend(self.decode.color.iter().cloned());
            }
        }
        filters.extend(treatment.filters.iter().cloned());
        filters.extend(finish(&capture.picture));
        Branch {
            from,
            filters,
            images: &treatment.images,
            first_image,
            // JPEG samples use the full range.
            after: vec!["scale=out_range=pc,format=yuvj420p".to_owned()],
            label,
        }
    }
}

/// The smallest node from which a size can be made by scaling down, or which has that size by the same scaler.
fn smallest_covering(
    nodes: &[Node<'_>],
    (part, size, scaler, deep): (Option<Area>, (u32, u32), &str, bool),
) -> Option<usize> {
    let covering = |node: &Node<'_>| node.size.0 >= size.0 && node.size.1 >= size.1;
    let other_scaler = |node: &Node<'_>| node.size == size && node.scaler != scaler;
    // Nodes are sorted from large to small.
    nodes
        .iter()
        .rposition(|node| node.part == part && node.deep == deep && covering(node) && !other_scaler(node))
}

/// Filters, then one copy of the picture for each branch that starts here.
fn chain(input: &str, node: Option<usize>, mut filters: Vec<String>, branches: &[Branch<'_>]) -> String {
    let starts: Vec<usize> = branches
        .iter()
        .enumerate()
        .filter(|(_, branch)| branch.from == node)
        .map(|(index, _)| index)
        .collect();
    if starts.len() > 1 {
        filters.push(format!("split={}", starts.len()));
    }
    let mut text = format!("[{input}]{}", joined(&filters));
    for start in starts {
        // Writing to a String cannot fail.
        let _ = write!(text, "[x{start}]");
    }
    text
}

fn joined(filters: &[String]) -> String {
    if filters.is_empty() {
        "null".to_owned()
    } else {
        filters.join(",")
    }
}

/// Pixel shape and frame of an output.
fn finish(picture: &Picture) -> Vec<String> {
    let Ratio { num, den } = picture.sample_aspect;
    let mut filters = vec![if picture.sample_aspect == SQUARE {
        "setsar=1".to_owned()
    } else {
        format!("setsar={num}/{den}")
    }];
    match picture.shape {
        Shape::Whole => {}
        // Even offsets, because chroma has half the resolution.
        Shape::Pad(width, height) => filters.push(format!(
            "pad={width}:{height}:{}:{}",
            (width - picture.scaled.0) / 4 * 2,
            (height - picture.scaled.1) / 4 * 2
        )),
        Shape::Crop(width, height) => filters.push(format!("crop={width}:{height}")),
        Shape::Place {
            at: (x, y),
            size: (width, height),
        } => filters.push(format!("pad={width}:{height}:{x}:{y}")),
    }
    filters
}
