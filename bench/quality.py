"""VMAF of the default template's renditions, at each of MediaConvert's quality tuning levels.

A rendition is scaled to the size of the source before it is compared, as a player does that fills a screen. At equal
bits a slower level must not look worse than a quicker one.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
from common import binary, measure, table
from engine import QUIET, ROOT, make_clip

LEVELS = ("SINGLE_PASS", "SINGLE_PASS_HQ", "MULTI_PASS_HQ")
# Of a rendition's picture, every third is compared.
SUBSAMPLE = 3


def run(options, folder: Path) -> None:
    clip = make_clip(folder, options.seconds)
    encode = binary(options, options.stack_profile, "examples/encode")
    rows, scores = [], {}
    for level in LEVELS:
        out = folder / level
        used = measure([encode, template(folder, level), clip, out], folder).cpu
        for name in sorted(playlist.stem for playlist in out.glob("g0/o*.m3u8")):
            # TS segments one after the other are a stream again.
            rendition = folder / f"{level}-{name}.ts"
            rendition.write_bytes(b"".join(path.read_bytes() for path in sorted(out.glob(f"g0/{name}_*.ts"))))
            score = vmaf(rendition, clip)
            scores.setdefault(name, []).append(score)
            size = rendition.stat().st_size / 1000
            rows.append([f"{level} {height(rendition)}", f"{size:.0f}", f"{score:.1f}", f"{used:.1f}"])
    table(
        f"(g) VMAF of {options.seconds} s of 1080p, renditions of the default template (bits are its own: VBR)",
        ["", "kB", "VMAF", "CPU s of the job"],
        rows,
    )
    falls = [name for name, values in scores.items() if values != sorted(values)]
    print(f"  VMAF falls from one level to the next: {', '.join(falls) or 'nowhere'}")


def template(folder: Path, level: str) -> Path:
    """The default template's HLS group, with this level for each output."""
    template = json.loads((ROOT / "job-templates/default.json").read_text())
    hls = template["Settings"]["OutputGroups"][0]
    template["Settings"]["OutputGroups"] = [hls]
    for output in hls["Outputs"]:
        output["VideoDescription"]["CodecSettings"]["H264Settings"]["QualityTuningLevel"] = level
    path = folder / f"{level}.json"
    path.write_text(json.dumps(template))
    return path


def height(rendition: Path) -> str:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=height", "-of", "csv=p=0"]
    said = subprocess.run([*command, rendition], check=True, capture_output=True, text=True).stdout
    return f"{said.split()[0]}p"


def vmaf(rendition: Path, source: Path) -> float:
    start = "setpts=PTS-STARTPTS"
    graph = (
        f"[0:v]{start},scale=1920:1080:flags=bicubic[a];[1:v]{start}[b];"
        f"[a][b]libvmaf=n_subsample={SUBSAMPLE}:n_threads=2"
    )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), *QUIET, "-v", "info", "-i", rendition, "-i", source]
    done = subprocess.run(
        [*command, "-filter_complex", graph, "-f", "null", "-"], check=True, capture_output=True, text=True
    )
    if not (score := re.search(r"VMAF score: ([\d.]+)", done.stderr)):
        sys.exit(f"bench: ffmpeg named no VMAF score: {done.stderr[-500:]}")
    return float(score[1])
