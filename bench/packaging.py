"""CPU seconds of one CMAF set with both manifests against what people write by hand: one ffmpeg for HLS, one for DASH.

The settings are read from our own argument list, as in engine.py. Ours is measured whole: probe, ffmpeg, manifests.
"""

import json
import subprocess
from pathlib import Path

from common import binary, measure, mid, table
from engine import QUIET, ROOT, make_clip, settings

TARGET = 0.60
HEIGHTS = {360, 540, 720}


def run(options, folder: Path) -> None:
    clip = make_clip(folder, options.seconds)
    encode = binary(options, options.stack_profile, "examples/encode")
    template = three_renditions(folder)
    argv = subprocess.run(
        [encode, template, clip, folder / "plan", "--print"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    videos, audio = settings(argv)

    ours, by_hand = [], []
    for number in range(options.rounds):
        out = folder / f"packaging-{number}"
        ours.append(measure([encode, template, clip, out / "ours"], folder).cpu)
        used = (by_one_command(clip, videos, audio, out / muxer.__name__, muxer) for muxer in (hls, dash))
        by_hand.append(sum(used))
    ratio = mid(mine / other for mine, other in zip(ours, by_hand))
    table(
        f"(f) CMAF of {options.seconds} s of 1080p: three renditions, HLS and DASH, median of {options.rounds} rounds",
        ["", "CPU s", "ours / this", "target"],
        [
            ["our engine, one set", f"{mid(ours):.1f}", "1.00", ""],
            ["one ffmpeg for HLS, one for DASH", f"{mid(by_hand):.1f}", f"{ratio:.2f}", f"<= {TARGET:.2f}"],
        ],
    )


def three_renditions(folder: Path) -> Path:
    """Our CMAF template without its largest rendition and its thumbnails."""
    template = json.loads((ROOT / "job-templates/cmaf.json").read_text())
    cmaf = template["Settings"]["OutputGroups"][0]
    cmaf["Outputs"] = [
        output
        for output in cmaf["Outputs"]
        if "VideoDescription" not in output or output["VideoDescription"]["Height"] in HEIGHTS
    ]
    template["Settings"]["OutputGroups"] = [cmaf]
    path = folder / "three-renditions.json"
    path.write_text(json.dumps(template))
    return path


def hls(number: int) -> list[str]:
    names = ["-hls_fmp4_init_filename", f"init{number}.mp4", f"hls{number}.m3u8"]
    return ["-f", "hls", "-hls_time", "6", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4", *names]


def dash(number: int) -> list[str]:
    names = ["-init_seg_name", f"init{number}.m4s", "-media_seg_name", f"{number}-$RepresentationID$-$Number$.m4s"]
    return ["-f", "dash", "-seg_duration", "6", *names, f"dash{number}.mpd"]


def by_one_command(clip: Path, videos, audio: list[str], out: Path, muxer) -> float:
    """One decode, a scaler for each rendition, and each rendition with its sound."""
    out.mkdir(parents=True)
    count = len(videos)
    split = f"[0:v]split={count}" + "".join(f"[s{n}]" for n in range(count))
    chains = [f"[s{n}]scale={w}:{h}:flags=bicubic[v{n}]" for n, (w, h, _) in enumerate(videos)]
    command = ["ffmpeg", *QUIET, "-i", clip, "-filter_complex", ";".join([split, *chains])]
    for number, (_, _, options) in enumerate(videos):
        command += ["-map", f"[v{number}]", "-map", "0:a", *options, *audio, *muxer(number)]
    return measure(command, out).cpu
