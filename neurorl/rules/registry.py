"""Find rules of the library, and rules that users add, by name."""

from __future__ import annotations

import sys

from neurorl.errors import ArgumentError, DescriptionError, UnknownNameError
from neurorl.network.naming import add_name, find_name
from neurorl.rules.base import Rule
from neurorl.rules.shipped import SHIPPED

RULES: dict[str, Rule] = dict(SHIPPED)
"""Map the name of each rule to it."""


def register_rule(rule: Rule) -> Rule:
    """Make a rule known by its name, and return it.

    Raises ArgumentError if another rule has the name, or if it has a colon, as names in modules.
    """
    if not isinstance(rule, Rule):
        raise ArgumentError("register_rule", "not a Rule", got=type(rule).__name__)
    add_name("rule", rule.name, rule, RULES)
    return rule


def find_rule(name: str) -> Rule:
    """Return the rule of a plain name, or of ``module:attribute`` if that module is imported.

    Raises UnknownNameError, which says what to import.
    """
    rule = find_name("rule", name, RULES)
    if not isinstance(rule, Rule):
        raise UnknownNameError(f"rule {name!r}", "that module has no such Rule")
    return rule


def saved(rule: str | Rule) -> str | Rule:
    """Return a rule as files hold it: a user's texts, else its name.

    The name is plain, or ``module:attribute``. Raises UnknownNameError, and DescriptionError for a
    function that is neither registered nor an attribute of a module.
    """
    named = rule if isinstance(rule, Rule) else find_rule(rule)
    if named.is_text:
        return named.name if is_shipped(named) and RULES.get(named.name) is named else named
    return _name_of(named) if isinstance(rule, Rule) else rule


def _name_of(rule: Rule) -> str:
    if RULES.get(rule.name) is rule:
        return rule.name
    own = getattr(rule.post_factors, "__module__", "")
    for module in (own, *sys.modules):
        for attribute, value in list(vars(sys.modules.get(module, sys)).items()):
            if value is rule:
                return f"{module}:{attribute}"
    what, remedy = "can't be found again by a name", "neurorl.rules.register_rule(rule) first"
    raise DescriptionError(f"rule {rule.name!r}", what, remedy=remedy)


def is_shipped(rule: Rule) -> bool:
    """Return whether *rule* is one of the library's."""
    return SHIPPED.get(rule.name) is rule
