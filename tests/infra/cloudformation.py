"""Reads a CloudFormation template and resolves it, as far as that goes without an account.

`Ref` and `GetAtt` of resources become `<Name>` and `<Name.Attribute>`: opaque, but comparable.
"""

import copy
import functools
import ipaddress
import pathlib
import re

import yaml
from awscli.customizations.cloudformation.yamlhelper import intrinsics_multi_constructor

PSEUDO = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackId": "arn:aws:cloudformation:us-east-1:111122223333:stack/film/x",
    "AWS::URLSuffix": "amazonaws.com",
}


# In C where there is one: the template is read by every test.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    pass


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)
_NOTHING = object()


@functools.cache
def parse(text):
    """The template as plain data, with its functions in their long form. Nothing changes it: a stack is made of a copy."""
    return yaml.load(text, Loader=_Loader)


def load(path):
    return parse(pathlib.Path(path).read_text(encoding="utf-8"))


class Stack:
    """A template with parameters: `resources`, `outputs` and `conditions`, resolved."""

    def __init__(self, template, parameters=None, name="film"):
        self.template = copy.deepcopy(template)
        self.values = {**PSEUDO, "AWS::StackName": name}
        for name, about in template.get("Parameters", {}).items():
            value = (parameters or {}).get(name, about.get("Default"))
            if value is None:
                raise AssertionError(f"parameter {name} has no value")
            if about["Type"] == "CommaDelimitedList" or about["Type"].startswith("List<"):
                value = str(value).split(",")
            self.values[name] = value
        unknown = set(parameters or {}) - set(template.get("Parameters", {}))
        assert not unknown, f"no such parameters: {unknown}"
        self.resources = {}
        for name, resource in self.template["Resources"].items():
            if "Condition" in resource and not self.condition(resource["Condition"]):
                continue
            self.resources[name] = self.resolve(resource)
        self.outputs = {
            name: self.resolve(output["Value"])
            for name, output in self.template.get("Outputs", {}).items()
            if "Condition" not in output or self.condition(output["Condition"])
        }

    def condition(self, name):
        return bool(self._function(self.template["Conditions"][name]))

    def _function(self, value):
        return self.resolve(value) is True

    def resolve(self, value):
        resolved = self._resolve(value)
        return None if resolved is _NOTHING else resolved

    def _resolve(self, value):
        if isinstance(value, list):
            items = [self._resolve(item) for item in value]
            return [item for item in items if item is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), = value.items()
            if name == "Ref":
                return self._ref(argument)
            if name == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if name.startswith("Fn::"):
                return _FUNCTIONS[name.removeprefix("Fn::")](self, argument)
        items = {key: self._resolve(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item is not _NOTHING}

    def _ref(self, name):
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self.values:
            return self.values[name]
        self._exists(name)
        return f"<{name}>"

    def _exists(self, name):
        """A reference to a resource whose condition is false would fail at deploy."""
        assert name in self.template["Resources"], f"there is no resource {name}"
        resource = self.template["Resources"][name]
        ok = "Condition" not in resource or self.condition(resource["Condition"])
        assert ok, f"{name} is referred to, and does not exist with these parameters"

    def _getatt(self, argument):
        name, attribute = argument
        self._exists(name)
        return f"<{name}.{attribute}>"

    def _sub(self, text):
        text, given = text if isinstance(text, list) else (text, {})
        given = {name: self._resolve(value) for name, value in given.items()}

        def one(match):
            name = match.group(1)
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in given:
                return str(given[name])
            if "." in name:
                return self._getatt(name.split(".", 1))
            return str(self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", one, text)

    def _select(self, argument):
        items = self._resolve(argument[1])
        # The parts of an attribute are not known before the stack exists.
        if len(items) == 1 and items[0].startswith("<"):
            return items[0]
        assert int(argument[0]) < len(items), f"Select {argument[0]} of {len(items)} items"
        return items[int(argument[0])]

    def _cidr(self, argument):
        block, count, bits = self._resolve(argument)
        subnets = ipaddress.ip_network(block).subnets(new_prefix=32 - int(bits))
        return [str(subnet) for subnet, _ in zip(subnets, range(int(count)))]

    def properties(self, name):
        assert name in self.resources, f"there is no {name}"
        return self.resources[name].get("Properties", {})

    def of_type(self, kind):
        return {name: r.get("Properties", {}) for name, r in self.resources.items() if r["Type"] == kind}

    def rules_hold(self):
        """Says whether the template's own Rules accept the parameters."""
        for rule in self.template.get("Rules", {}).values():
            if "RuleCondition" in rule and not self._function(rule["RuleCondition"]):
                continue
            if not all(self._function(item["Assert"]) for item in rule["Assertions"]):
                return False
        return True


# Evaluates each function of a template on its argument.
_FUNCTIONS = {
    "And": lambda stack, argument: all(map(stack._function, argument)),
    "Base64": Stack.resolve,
    "Cidr": Stack._cidr,
    "Equals": lambda stack, argument: len({str(stack._resolve(item)) for item in argument}) == 1,
    "GetAZs": lambda *_: ["us-east-1a", "us-east-1b", "us-east-1c"],
    "GetAtt": Stack._getatt,
    "If": lambda stack, argument: stack._resolve(argument[1 if stack.condition(argument[0]) else 2]),
    "Join": lambda stack, argument: argument[0].join(stack._resolve(argument[1])),
    "Not": lambda stack, argument: not stack._function(argument[0]),
    "Or": lambda stack, argument: any(map(stack._function, argument)),
    "Select": Stack._select,
    "Split": lambda stack, argument: stack._resolve(argument[1]).split(argument[0]),
    "Sub": Stack._sub,
}
