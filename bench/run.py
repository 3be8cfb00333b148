"""Side-by-side measurements in one run, as a table: `make bench`, or one part of it: `make bench ARGS=engine`.

The machine is never quiet: contestants take turns, and medians are compared. Ratios carry over to other
machines, seconds do not.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import engine
import packaging
import quality
import s3
import signing
import submit

ROOT = Path(__file__).resolve().parent.parent
PARTS = {
    "engine": engine.run,
    "submit": submit.run,
    "s3": s3.run,
    "signing": signing.run,
    "packaging": packaging.run,
    "quality": quality.run,
}


def main() -> None:
    options = arguments()
    for tool in ("ffmpeg", "ffprobe", "openssl", "cp", "node"):
        if not shutil.which(tool):
            sys.exit(f"bench: {tool} is missing: install it, then start again")
    with TemporaryDirectory(prefix="vod-bench-") as folder:
        for part in options.parts or PARTS:
            PARTS[part](options, Path(folder))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="default: all")
    parser.add_argument("--target", type=Path, default=Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")))
    parser.add_argument("--stack-profile", default="fast", help="of vod and the engine (default: fast)")
    parser.add_argument("--function-profile", default="release", help="of the function (default: release)")
    parser.add_argument("--seconds", type=int, default=20, help="length of the clip (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="of all parts but submit (default: 3)")
    parser.add_argument("--cold-starts", type=int, default=15, help="of the submit part (default: 15)")
    parser.add_argument("--mebibytes", type=int, default=1024, help="size of the S3 part's object (default: 1024)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
