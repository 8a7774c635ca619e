"""The reference describes everything there is, and nothing else."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Collection
from typing import get_args

import pytest
from help.tables import table, tables

import lstmtui
from lstmtui import words
from lstmtui.__main__ import COMPLETION
from lstmtui.analysis import laws
from lstmtui.analysis.diagnosis import NAMES, depth, exploding, gates, padding, reads, units, vanishing
from lstmtui.analysis.diagnosis.verdict import FEWEST_STEPS
from lstmtui.cells import CELLS
from lstmtui.cells.glossary import GLOSSARY
from lstmtui.commands import VERBS as COMMANDS
from lstmtui.commands import verb
from lstmtui.help import topic_text
from lstmtui.help.page import page
from lstmtui.help.topics import TOPICS
from lstmtui.remote.wire import bounds, frames
from lstmtui.scenario import schema
from lstmtui.scenario.inputs import InputTable
from lstmtui.scenario.tasks import TASKS
from lstmtui.session.verbs import ALIASES, VERBS
from lstmtui.tui.config import TABLES as TABLES_OF_CONFIG
from lstmtui.tui.key_names import textual_names
from lstmtui.tui.keys import KEYS, label
from lstmtui.tui.theme import GROUNDS, ROLES
from lstmtui.watching import watch


def same(described: Collection[str], there: Collection[str]) -> None:
    """Both hold the same, once each; the message says what is missing and what is too much."""
    missing, extra = sorted(set(there) - set(described)), sorted(set(described) - set(there))
    assert (missing, extra) == ([], [])
    assert len(described) == len(set(described))


@pytest.mark.parametrize("topic", TOPICS)
def test_code_is_read_to_its_end_in_eighty_columns(topic: str) -> None:
    blocks = re.findall(r"^```\w*\n(.*?)^```$", topic_text(topic), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    whole = {line.strip() for line in page(topic).splitlines()}
    assert [line for line in lines if line.strip() not in whole] == []


def test_every_command_of_the_language_has_its_line() -> None:
    usages = [usage for verb in VERBS.values() for usage in verb.usage.split(" | ")]
    same([usage for t in tables("verbs") for usage in t.first], usages)
    for short, name in ALIASES.items():
        assert re.search(rf"`{short}`( and `\w`)? {name}", topic_text("verbs")), short


def test_every_verb_of_the_command_line_has_its_line() -> None:
    described = [line.split()[1] for line in table("commands", column="verb").first if " " in line]
    same(described, COMMANDS)


def test_every_option_has_its_line_with_the_verbs_that_have_it() -> None:
    owners: dict[str, list[str]] = {"--version": ["lstmtui"], COMPLETION: ["lstmtui"]}
    for name in COMMANDS:
        parser = argparse.ArgumentParser(add_help=False)
        verb(name).add_arguments(parser)
        for action in parser._actions:
            for option in action.option_strings:
                if option.startswith("--"):
                    owners.setdefault(option, []).append(name)
    rows = table("commands", column="option").rows[1:]
    described = {row[0].strip("`").split()[0]: row[1].split() for row in rows}
    assert described == owners


def test_every_word_of_expressions_has_its_line() -> None:
    same(table("expressions", column="name").first, words.SCALARS)
    same([line.split("(")[0] for line in table("expressions", column="function").first], words.FUNCTIONS)
    signs = [sign for line in table("expressions", column="sign").first for sign in line.split()]
    same(
        signs,
        [*["+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!="], *words.CONNECTIVES],
    )


def test_every_name_of_the_glossary_has_its_line() -> None:
    rows = table("quantities", column="name").rows[1:]
    entries = [[f"`{entry.name}`", entry.meaning, entry.also] for entry in GLOSSARY]
    assert rows == entries


def test_every_cell_has_its_line_and_its_quantities_in_order() -> None:
    rows = table("quantities", "Cells").rows[1:]
    assert {row[0]: row[2] for row in rows} == {
        f"`{name}`": f"`{' '.join(cell.quantities)}`" for name, cell in CELLS.items()
    }


def test_every_key_has_its_line() -> None:
    for group in dict.fromkeys(key.group for key in KEYS):
        expected = [
            [f"`{label(key)}`", key.help, f"`{key.command}`" if key.command else ""]
            for key in KEYS
            if key.group == group
        ]
        assert table("keys", group).rows[1:] == expected


def test_every_table_role_and_key_of_the_configuration_has_its_line() -> None:
    same(table("config", column="key").first, TABLES_OF_CONFIG)
    same(table("config", column="role").first, (*GROUNDS, *ROLES))
    rows = {row[0].strip("`"): row[1:] for row in table("config", column="name").rows[1:]}
    keys = {key.id: key for key in KEYS if key.id != "panel"}
    assert {name: help for name, (_, help) in rows.items()} == {key.id: key.help for key in keys.values()}
    for name, (written, _) in rows.items():
        pressed = [n for key in written.strip("`").split() for n in textual_names(key)]
        assert pressed == list(keys[name].keys), name


FAMILIES = (gates, units, vanishing, exploding, depth, padding, reads)
"""The modules with the thresholds: of a verdict NAME_LOOK and NAME_BAD, or UNITS_LOOK and UNITS_BAD."""


def written(threshold: float) -> str:
    """A threshold as the reference writes it."""
    if threshold == units.UNITS_LOOK:
        return "any unit"
    if 0.001 < threshold <= 1:
        return f"{100 * threshold:g} %"
    return f"{threshold:.0e}".replace("e+0", "e").replace("e-0", "e-")


def test_every_verdict_has_its_line_with_its_thresholds() -> None:
    rows = {row[0].strip("`"): row[1:] for row in table("verdicts").rows[1:]}
    same(list(rows), NAMES)
    assert rows.pop("nonfinite")[1:] == ["–", "any"]
    assert rows.pop("state")[2] == "on the graph of an earlier call; zeros before every timestep"
    for name, (measures, look, bad) in rows.items():
        prefix = name.upper() if any(hasattr(m, f"{name.upper()}_LOOK") for m in FAMILIES) else "UNITS"
        (family,) = (vars(m) for m in FAMILIES if hasattr(m, f"{prefix}_LOOK"))
        least, most = (written(family[f"{prefix}_{end}"]) for end in ("LOOK", "BAD"))
        assert look.startswith(least), name
        assert bad.startswith(most), name
        constants = [value for key, value in family.items() if key.isupper() and isinstance(value, float)]
        there = {text for value in constants for text in (f"{value:g}", f"{100 * value:g} %")} | {"0"}
        assert set(re.findall(r"(?<!\()\d[\d.]*(?: %)?", measures + bad.removeprefix(most))) <= there, name
    assert f"fewer than {FEWEST_STEPS} timesteps" in topic_text("verdicts")


def test_every_law_its_status_and_its_arguments_have_their_lines() -> None:
    assert table("laws", column="law").rows[1:] == [[f"`{name}`", says] for name, says in laws.NAMES.items()]
    same(table("laws", column="status").first, laws.STATUSES)
    same(table("laws", column="argument").first, parameters_of(lstmtui.laws)[2:])


TABLES = {
    "The top of the file": [schema.FileTable],
    "[objective]": [schema.ObjectiveTable],
    "[[model]]": [schema.ModelTable, *schema.ModelTable.__subclasses__()],
    "session = …": [schema.SessionTable],
    "[run]": [schema.RunTable],
    "[playback]": [schema.PlaybackTable],
    "[laws]": [schema.LawsTable],
}


def keys_of(model: type[schema.Table]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_of_a_scenario_has_its_line(heading: str) -> None:
    same(table("scenarios", heading).first, set().union(*map(keys_of, TABLES[heading])))


def test_every_key_of_the_input_and_every_task_has_its_line() -> None:
    same(table("scenarios", "[input]", "key").first, {*keys_of(InputTable), "length", "batch", "seed"})
    rows = {row[0]: row[1:] for row in table("scenarios", "[input]", "task").rows[1:]}
    assert rows == {
        f"`{task.name}`": [
            task.summary,
            "; ".join(
                f"`{name} = {option.default:g}`: {option.help}" for name, option in task.options.items()
            ),
        ]
        for task in TASKS.values()
    }


def test_every_table_of_a_scenario_is_described() -> None:
    every = {t for t in vars(schema).values() if isinstance(t, type) and issubclass(t, schema.Table)}
    described = {t for models in TABLES.values() for t in models} | {InputTable}
    assert every - described == {schema.Table, schema.TargetTable}
    for key in keys_of(schema.TargetTable):
        assert f"{key} = …" in topic_text("scenarios")


@pytest.mark.parametrize(
    ("key", "model", "field"),
    [
        ("`loss`", schema.ObjectiveTable, "loss"),
        ("`normalize`", schema.InputTable, "normalize"),
        ("`dtype`", schema.RunTable, "dtype"),
    ],
)
def test_the_words_that_a_key_takes_are_listed(key: str, model: type[schema.Table], field: str) -> None:
    (line,) = (row[1] for t in tables("scenarios") for row in t.rows if row[0] == key and '"' in row[1])
    annotation = model.model_fields[field].annotation
    literal = [get_args(part) or (part,) for part in (annotation, *get_args(annotation))]
    words = {word for part in literal for word in part if isinstance(word, str)}
    same(re.findall(r'"(\w+)"', line), words)


def test_every_public_name_has_its_line_with_its_parameters() -> None:
    lines = table("python", "From Python").first
    same([line.split("(")[0] for line in lines], lstmtui.__all__)
    for line in lines:
        if "(" in line:
            name, parameters = re.fullmatch(r"(\w+)\((.*)\)", line).groups()  # type: ignore[union-attr]
            assert parameters.split(", ") == parameters_of(getattr(lstmtui, name)), name


def test_every_public_attribute_of_a_trace_has_its_line() -> None:
    lines = [line for line in table("python", "A Trace").first if line != 'trace["f"]']
    hooks = ("draw_html", "answer_why")
    there = [name for name in dir(lstmtui.Trace) if not name.startswith("_") and name not in hooks]
    same([line.split("(")[0] for line in lines], there)
    for line in lines:
        if "(" in line:
            name, parameters = re.fullmatch(r"(\w+)\((.*)\)", line).groups()  # type: ignore[union-attr]
            assert parameters.split(", ") == parameters_of(getattr(lstmtui.Trace, name)), name


def test_every_argument_of_watch_has_its_line_with_its_default() -> None:
    rows = table("watch", column="argument").rows[1:]
    parameters = inspect.signature(watch).parameters.values()
    same([row[0].strip("`") for row in rows], [p.name for p in parameters])
    for row, parameter in zip(rows, parameters, strict=True):
        if parameter.default not in (inspect.Parameter.empty, None):
            assert row[2] == str(parameter.default)


def test_the_limits_of_remote_sessions_are_those_of_the_code() -> None:
    text = " ".join(topic_text("security").split())
    assert f"at most {frames.LARGEST_FRAME >> 20} MiB, {bounds.MOST_ELEMENTS:,} values, " in text
    assert f"{bounds.DEEPEST} levels and texts of {bounds.LONGEST_TEXT >> 20} MiB" in text


def parameters_of(callable_: object) -> list[str]:
    return [name for name in inspect.signature(callable_).parameters if name != "self"]  # type: ignore[arg-type]
