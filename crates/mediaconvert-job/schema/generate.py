"""Writes job-settings.json: the shapes below `JobSettings` in botocore's MediaConvert model, in brief.

    python3 crates/mediaconvert-job/schema/generate.py

Run it when the API has grown. Shapes: {"members": {name: shape}} for objects, {"item": shape} for lists,
{"value": shape} for maps, {"enum": [...]}, {"integer": [min, max]}, {"string": [min, max]}, "number", "boolean".
"""

import json
import pathlib

import botocore.loaders

ROOT = "JobSettings"


def brief(shape):
    kind = shape["type"]
    if kind == "structure":
        return {"members": {member["locationName"]: member["shape"] for member in shape["members"].values()}}
    if kind == "list":
        return {"item": shape["member"]["shape"]}
    if kind == "map":
        return {"value": shape["value"]["shape"]}
    if kind == "string" and "enum" in shape:
        return {"enum": shape["enum"]}
    if kind == "string":
        return {"string": [shape.get("min", 0), shape.get("max")]}
    if kind in ("integer", "long"):
        return {"integer": [shape.get("min"), shape.get("max")]}
    return {"double": "number", "float": "number", "boolean": "boolean"}[kind]


def main():
    shapes = botocore.loaders.Loader().load_service_model("mediaconvert", "service-2")["shapes"]
    found, todo = {}, [ROOT]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = shape = brief(shapes[name])
        if isinstance(shape, dict):
            todo += shape.get("members", {}).values()
            todo += [shape[key] for key in ("item", "value") if key in shape]
    lines = [f"{json.dumps(name)}:{json.dumps(found[name], separators=(',', ':'))}" for name in sorted(found)]
    target = pathlib.Path(__file__).with_name("job-settings.json")
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
