"""Evaluates policies like IAM, as far as the stack's policies need it: exact actions, wildcard resources, string conditions."""

import fnmatch


def as_list(value):
    return value if isinstance(value, list) else [value]


def _matches(pattern, value):
    # Brackets are no wildcards in IAM.
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def _conditions_hold(statement, context):
    for operator, pairs in statement.get("Condition", {}).items():
        for key, wanted in pairs.items():
            found = context.get(key)
            if found is None:
                return False
            exact = operator in ("StringEquals", "Bool")
            assert exact or operator in ("StringLike", "ArnEquals", "ArnLike"), operator
            if not any(found == w if exact else _matches(w, found) for w in as_list(wanted)):
                return False
    return True


def allows(statements, action, resource, context=None):
    """Says whether the statements together let their principal do it."""
    verdict = False
    for statement in statements:
        fits = (
            any(_matches(a.lower(), action.lower()) for a in as_list(statement["Action"]))
            and any(_matches(r, resource) for r in as_list(statement["Resource"]))
            and _conditions_hold(statement, context or {})
        )
        if fits and statement["Effect"] == "Deny":
            return False
        verdict = verdict or fits
    return verdict


def statements(stack, role):
    """The inline statements of a role, with what it refers to as ARNs."""
    found = []
    for policy in stack.properties(role).get("Policies", []):
        found += policy["PolicyDocument"]["Statement"]
    for name in stack.of_type("AWS::IAM::Policy"):
        if f"<{role}>" in stack.properties(name)["Roles"]:
            found += stack.properties(name)["PolicyDocument"]["Statement"]
    return found
