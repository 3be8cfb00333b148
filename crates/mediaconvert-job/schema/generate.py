"""Writes job-settings.json: the shapes below `ROOTS` in botocore's MediaConvert model, in brief.

    python3 crates/mediaconvert-job/schema/generate.py

Run it when the API has grown. Shapes: {"members": {name: shape}} for objects, {"item": shape} for lists,
{"value": shape} for maps, {"enum": [...]}, {"integer": [min, max]}, {"number": [min, max]},
{"string": [min, max, pattern]}, "boolean".
"""

import json
import pathlib
import re

import botocore.loaders

# Bodies of requests; settings of jobs, job templates and presets are members of them.
ROOTS = [
    "CreateJobRequest",
    "CreateJobTemplateRequest",
    "CreatePresetRequest",
    "CreateQueueRequest",
    "PutPolicyRequest",
    "StartJobsQueryRequest",
    "TagResourceRequest",
    "UntagResourceRequest",
    "UpdateJobTemplateRequest",
    "UpdatePresetRequest",
    "UpdateQueueRequest",
]


def number(name):
    """The range of a double: the model has it in the shape's name only, for example `__doubleMinNegative60Max6`."""
    found = re.fullmatch(r"__doubleMin((?:Negative)?\d+)(?:Max((?:Negative)?\d+))?", name)
    bounds = found.groups() if found else (None, None)
    return [None if bound is None else int(bound.replace("Negative", "-")) for bound in bounds]


def brief(name, shape):
    kind = shape["type"]
    if kind == "structure":
        members = [member for member in shape["members"].values() if "location" not in member]
        return {"members": {member["locationName"]: member["shape"] for member in members}}
    if kind == "list":
        return {"item": shape["member"]["shape"]}
    if kind == "map":
        return {"value": shape["value"]["shape"]}
    if kind == "string" and "enum" in shape:
        return {"enum": shape["enum"]}
    if kind == "string":
        return {"string": [shape.get("min", 0), shape.get("max"), shape.get("pattern")]}
    if kind in ("integer", "long"):
        return {"integer": [shape.get("min"), shape.get("max")]}
    if kind == "double":
        return {"number": number(name)}
    return {"boolean": "boolean"}[kind]


def main():
    shapes = botocore.loaders.Loader().load_service_model("mediaconvert", "service-2")["shapes"]
    found, todo = {}, list(ROOTS)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = shape = brief(name, shapes[name])
        if isinstance(shape, dict):
            todo += shape.get("members", {}).values()
            todo += [shape[key] for key in ("item", "value") if key in shape]
    lines = [f"{json.dumps(name)}:{json.dumps(found[name], separators=(',', ':'))}" for name in sorted(found)]
    target = pathlib.Path(__file__).with_name("job-settings.json")
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


main()
