//! The filter graph: one source, a cascade of sizes, and a branch for each encode and capture.

use std::fmt::Write as _;

use crate::plan::picture::{Picture, SQUARE, Shape};
use crate::plan::{AudioEncode, Capture, Decode, Plan, VideoEncode, clips, script_file};
use crate::probe::Ratio;

impl Plan {
    /// ffmpeg's `-filter_complex`. Labels: `v0…` for video, `c0…` for captures, `a0…` for audio.
    pub(crate) fn filters(&self) -> String {
        let mut chains = Vec::new();
        if let Some(decode) = &self.picture {
            let graph = Graph {
                decode,
                videos: &self.videos,
                captures: &self.captures,
            };
            chains = graph.chains();
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
            stream,
            filters,
            format,
            ..
        } = track;
        if self.clips.is_empty() {
            return format!("[0:{stream}]{filters},{format}");
        }
        let clips = clips::audio_filters(&self.clips, self.source_rate, &format!("a{index}"));
        format!("[0:{stream}]{filters},{clips},{format}")
    }
}

/// All that the graph of pictures is made from.
struct Graph<'a> {
    decode: &'a Decode,
    videos: &'a [VideoEncode],
    captures: &'a [Capture],
}

/// One size in the cascade.
struct Node<'a> {
    size: (u32, u32),
    scaler: &'a str,
    /// Pictures keep ten bits and the source's colors.
    deep: bool,
    /// Index of the node it is scaled from; `None`: from the source.
    parent: Option<usize>,
}

/// A branch that leaves a node (or the source): its filters and the label at its end.
struct Branch {
    from: Option<usize>,
    filters: Vec<String>,
    label: String,
}

impl<'a> Graph<'a> {
    fn chains(&self) -> Vec<String> {
        let nodes = self.nodes();
        let mut branches: Vec<Branch> = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            branches.push(Branch {
                from: node.parent,
                filters: self.scaling(node),
                label: format!("n{index}"),
            });
        }
        for (index, video) in self.videos.iter().enumerate() {
            let from = nodes.iter().position(|node| {
                let Picture { scaled, scaler, .. } = &video.picture;
                node.size == *scaled && node.scaler == scaler && node.deep == video.deep
            });
            branches.push(Branch {
                from,
                filters: self.video_filters(video),
                label: format!("v{index}"),
            });
        }
        for (index, capture) in self.captures.iter().enumerate() {
            branches.push(self.capture_branch(&nodes, capture, format!("c{index}")));
        }
        let mut chains = Vec::new();
        if !branches.is_empty() {
            chains.push(chain(
                &format!("0:{}", self.decode.stream),
                None,
                self.decode.prepare.clone(),
                &branches,
            ));
        }
        for (index, branch) in branches.iter().enumerate() {
            let node = (index < nodes.len()).then_some(index);
            let input = format!("x{index}");
            match node {
                Some(_) => chains.push(chain(&input, node, branch.filters.clone(), &branches)),
                None => chains.push(format!("[{input}]{}[{}]", joined(&branch.filters), branch.label)),
            }
        }
        chains
    }

    /// Sizes from large to small, each with the smallest picture that it can be scaled down from.
    fn nodes(&self) -> Vec<Node<'a>> {
        let mut sizes: Vec<_> = self
            .videos
            .iter()
            .map(|video| (video.picture.scaled, video.picture.scaler.as_str(), video.deep))
            .collect();
        sizes.sort_by_key(|&((width, height), scaler, deep)| {
            (
                std::cmp::Reverse(u64::from(width) * u64::from(height)),
                width,
                scaler,
                deep,
            )
        });
        sizes.dedup();
        let mut nodes: Vec<Node<'_>> = Vec::new();
        for (size, scaler, deep) in sizes {
            let parent = smallest_covering(&nodes, size, scaler, deep);
            nodes.push(Node {
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
        let mut filters = Vec::new();
        if node.parent.is_some() || node.size != (self.decode.frame.width, self.decode.frame.height) {
            filters.push(scale(node.size, node.scaler));
        }
        match node.parent {
            None if node.deep => filters.push("format=yuv420p10le".to_owned()),
            None => filters.extend(self.decode.color.iter().cloned()),
            Some(_) => {}
        }
        filters
    }

    fn video_filters(&self, video: &VideoEncode) -> Vec<String> {
        let mut filters = finish(&video.picture);
        filters.extend(video.script.map(|script| format!("ass={}", script_file(script))));
        if video.rate != self.decode.rate {
            filters.push(format!("fps=fps={}", video.rate));
        }
        filters
    }

    /// Takes pictures first and scales only those.
    fn capture_branch(&self, nodes: &[Node<'_>], capture: &Capture, label: String) -> Branch {
        let size = capture.picture.scaled;
        let from = smallest_covering(nodes, size, &capture.picture.scaler, false);
        // Picture k is the first one at or after k intervals; the margin is for rounded timestamps.
        let mut filters = vec![format!(
            "select=gte((t-start_t)*{}/{}+0.0001\\,selected_n)",
            capture.rate.num, capture.rate.den
        )];
        let source_size = from.map_or((self.decode.frame.width, self.decode.frame.height), |index| {
            nodes[index].size
        });
        if size != source_size {
            filters.push(scale(size, &capture.picture.scaler));
        }
        if from.is_none() {
            filters.extend(self.decode.color.iter().cloned());
        }
        filters.extend(finish(&capture.picture));
        // JPEG samples use the full range.
        filters.push("scale=out_range=pc,format=yuvj420p".to_owned());
        Branch { from, filters, label }
    }
}

/// The smallest node from which `size` can be made by scaling down, or which has that size by the same scaler.
fn smallest_covering(nodes: &[Node<'_>], size: (u32, u32), scaler: &str, deep: bool) -> Option<usize> {
    let covering = |node: &Node<'_>| node.size.0 >= size.0 && node.size.1 >= size.1;
    let other_scaler = |node: &Node<'_>| node.size == size && node.scaler != scaler;
    // Nodes are sorted from large to small.
    nodes
        .iter()
        .rposition(|node| node.deep == deep && covering(node) && !other_scaler(node))
}

/// Filters, then one copy of the picture for each branch that starts here.
fn chain(input: &str, node: Option<usize>, mut filters: Vec<String>, branches: &[Branch]) -> String {
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

fn scale((width, height): (u32, u32), scaler: &str) -> String {
    format!("scale={width}:{height}:flags={scaler}")
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
    }
    filters
}
