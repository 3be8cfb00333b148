"""CPU seconds of our engine against what people write by hand, with the very same encoder settings.

The settings are read from our own argument list, so the contestants cannot drift apart: what differs is how often
the source is decoded, how pictures are scaled, and whether equal encodes are shared.
"""

import re
import subprocess
import sys
from pathlib import Path

from common import binary, measure, mid, table

ROOT = Path(__file__).resolve().parent.parent
TARGETS = {"five commands": 0.68, "one plain graph": 0.88}


def run(options, folder: Path) -> None:
    clip = make_clip(folder, options.seconds)
    encode = binary(options, options.stack_profile, "examples/encode")
    template = ROOT / "job-templates/default.json"
    argv = subprocess.run(
        [encode, template, clip, folder / "plan", "--print"], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    videos, audio = settings(argv)

    ours, five, plain = [], [], []
    for number in range(options.rounds):
        out = folder / f"round-{number}"
        ours.append(ours_once(argv, out / "ours"))
        five.append(five_commands(clip, videos, audio, out / "five"))
        plain.append(plain_graph(clip, videos, audio, out / "plain"))
    report(options, ours, five, plain)


def make_clip(folder: Path, seconds: int) -> Path:
    clip = folder / "clip.mp4"
    # A little noise, because without it the picture would be easier than any camera's; and a phone's bit rate,
    # because decoding more than that would flatter whoever decodes once.
    measure(
        ["ffmpeg", "-nostdin", "-v", "error", "-y"]
        + ["-f", "lavfi", "-i", f"testsrc2=size=1920x1080:rate=30:duration={seconds},noise=alls=4:allf=t"]
        + ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"]
        + ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
        + ["-b:v", "12M", "-maxrate", "14M", "-bufsize", "24M"]
        + ["-c:a", "aac", "-ac", "2", clip],
        folder,
    )
    return clip


def settings(argv: list[str]) -> tuple[list[tuple[int, int, list[str]]], list[str]]:
    """Of each encode its size and options, and the options of the sound, out of our argument list."""
    graph = argv[argv.index("-filter_complex") + 1]
    sizes = sorted({(int(w), int(h)) for w, h in re.findall(r"scale=(\d+):(\d+)", graph)})
    options: dict[int, list[str]] = {}
    audio: list[str] = []
    for flag, value in zip(argv, argv[1:]):
        if match := re.fullmatch(r"(-\S+):v:(\d+)", flag):
            options.setdefault(int(match[2]), []).extend([f"{match[1]}:v", value])
        elif (match := re.fullmatch(r"(-\w+):a:0", flag)) and "metadata" not in flag:
            audio.extend([f"{match[1]}:a", value])
    if len(sizes) != len(options) or not audio:
        sys.exit(f"bench: our arguments have another form than this script knows: {' '.join(argv)}")
    # The default template lists its sizes in rising order, as do the encodes.
    videos = [(w, h, options[index]) for index, (w, h) in enumerate(sizes)]
    return videos, [*audio, "-ac", "2", "-ar", "48000"]


def hls(name: str) -> list[str]:
    return ["-f", "hls", "-hls_time", "6", "-hls_playlist_type", "vod", f"{name}.m3u8"]


MP4 = ["-movflags", "+faststart", "video.mp4"]
THUMBNAILS = ["-c:v", "mjpeg", "-q:v", "3", "thumb.%07d.jpg"]


def ours_once(argv: list[str], out: Path) -> float:
    for group in ("g0", "g1", "g2"):
        (out / group).mkdir(parents=True)
    return measure(["ffmpeg", *argv], out).cpu


def five_commands(clip: Path, videos, audio: list[str], out: Path) -> float:
    out.mkdir(parents=True)
    largest = videos[-1]
    jobs = [(video, hls(f"hls{video[1]}")) for video in videos] + [(largest, MP4)]
    used = 0.0
    for (width, height, options), target in jobs:
        scale = ["-vf", f"scale={width}:{height}:flags=bicubic"]
        used += measure(["ffmpeg", *QUIET, "-i", clip, *scale, *options, *audio, *target], out).cpu
    width, height, _ = videos[0]
    scale = ["-vf", f"fps=1/5,scale={width}:{height}:flags=bicubic,format=yuvj420p"]
    return used + measure(["ffmpeg", *QUIET, "-i", clip, *scale, "-an", *THUMBNAILS], out).cpu


def plain_graph(clip: Path, videos, audio: list[str], out: Path) -> float:
    out.mkdir(parents=True)
    largest = videos[-1]
    jobs = [(video, hls(f"hls{video[1]}")) for video in videos] + [(largest, MP4)]
    chains = [f"[s{n}]scale={w}:{h}:flags=bicubic[v{n}]" for n, ((w, h, _), _) in enumerate(jobs)]
    width, height, _ = videos[0]
    chains.append(f"[s{len(jobs)}]fps=1/5,scale={width}:{height}:flags=bicubic,format=yuvj420p[t]")
    split = f"[0:v]split={len(jobs) + 1}" + "".join(f"[s{n}]" for n in range(len(jobs) + 1))
    command = ["ffmpeg", *QUIET, "-i", clip, "-filter_complex", ";".join([split, *chains])]
    for number, ((_, _, options), target) in enumerate(jobs):
        command += ["-map", f"[v{number}]", "-map", "0:a", *options, *audio, *target]
    return measure([*command, "-map", "[t]", *THUMBNAILS], out).cpu


QUIET = ["-nostdin", "-v", "error", "-y"]


def report(options, ours, five, plain) -> None:
    rows = [["our engine", f"{mid(ours):.1f}", "1.00", ""]]
    for name, values in (("five commands", five), ("one plain graph", plain)):
        # Round by round, because neighbours in time saw the same machine.
        ratio = mid(mine / other for mine, other in zip(ours, values))
        rows.append([name, f"{mid(values):.1f}", f"{ratio:.2f}", f"<= {TARGETS[name]:.2f}"])
    table(
        f"(a) Encode of {options.seconds} s of 1080p with the default template, median of {options.rounds} rounds",
        ["", "CPU s", "ours / this", "target"],
        rows,
    )
