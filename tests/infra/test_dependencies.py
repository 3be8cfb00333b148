"""Every dependency in a manifest is used: by its crate's source, and each version in the root manifest by a crate."""

import json
import re
import subprocess
import tomllib

from conftest import ROOT

# Packages whose library has another name.
LIBRARIES = {"md-5": "md5"}


def packages(manifest):
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path", str(manifest)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["packages"]


def unused(package):
    """Dependencies of a package whose names are in none of its sources, as they are written in Rust."""
    folder = ROOT.joinpath(package["manifest_path"]).parent
    sources = [path for path in folder.rglob("*.rs") if "target" not in path.relative_to(folder).parts]
    text = "\n".join(re.sub(r"//[^\n]*", "", path.read_text()) for path in sources)
    for dependency in package["dependencies"]:
        name = dependency["rename"] or dependency["name"]
        name = LIBRARIES.get(name, name).replace("-", "_")
        if not re.search(rf"\b{name}\b", text):
            yield dependency["name"]


def test_every_dependency_is_used():
    found = packages(ROOT / "Cargo.toml")
    assert len(found) > 10
    wrong = {f"{package['name']}: {name}" for package in found for name in unused(package)}
    assert not wrong, f"remove these dependencies: {sorted(wrong)}"


def test_every_version_in_the_root_manifest_is_used():
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text())
    used = {dependency["name"] for package in packages(ROOT / "Cargo.toml") for dependency in package["dependencies"]}
    own = {package["name"] for package in packages(ROOT / "Cargo.toml")}
    assert set(manifest["workspace"]["dependencies"]) <= used | own
