"""Every verb of the language: a module for each family, and one table that parsing, help, completion,
execution and front ends are made from."""

from lstmtui.session.verbs.breaking import BREAKING
from lstmtui.session.verbs.changing import CHANGING
from lstmtui.session.verbs.diagnosing import DIAGNOSING
from lstmtui.session.verbs.evaluating import EVALUATING
from lstmtui.session.verbs.explaining import EXPLAINING
from lstmtui.session.verbs.predicting import PREDICTING
from lstmtui.session.verbs.scripting import SCRIPTING
from lstmtui.session.verbs.selecting import SELECTING
from lstmtui.session.verbs.showing import SHOWING
from lstmtui.session.verbs.undoing import UNDOING
from lstmtui.session.verbs.verb import Verb
from lstmtui.session.verbs.walking import WALKING

__all__ = ["ALIASES", "OTHER_NAMES", "VERBS", "Verb"]

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        *WALKING,
        *SELECTING,
        *BREAKING,
        *DIAGNOSING,
        *EVALUATING,
        *EXPLAINING,
        *CHANGING,
        *UNDOING,
        *PREDICTING,
        *SHOWING,
        *SCRIPTING,
    )
}
"""By name, in the order of the help."""

ALIASES: dict[str, str] = {alias: verb.name for verb in VERBS.values() for alias in verb.aliases}
"""Which verb a shorter name stands for."""

OTHER_NAMES: dict[str, str] = {name: verb.name for verb in VERBS.values() for name in verb.other_names}
"""Which verb is meant by a name that other debuggers have for it."""
