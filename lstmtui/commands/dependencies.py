"""What lstmtui depends on, and what of it is installed, read from the metadata of its package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGE = "lstmtui"


@dataclass(frozen=True)
class Dependency:
    """A package that lstmtui declares."""

    name: str
    required: str
    """The versions that will do, such as ">=2.6"; may be empty."""
    extra: str
    """The extra that wants it, such as "onnx"; empty where lstmtui itself does."""
    installed: str | None
    """Its version here."""
    fits: bool
    """Whether it is installed in a version that will do."""

    def __str__(self) -> str:
        required = self.required + (f" for [{self.extra}]" if self.extra else "")
        if self.installed is None:
            return f"not installed, wanted {required}".rstrip()
        if self.fits:
            return f"{self.installed}, as wanted {required}".rstrip()
        return f"{self.installed} does not fit, wanted {required}: pip install '{self.name}{self.required}'"


def dependencies() -> Iterator[Dependency]:
    """Every declared dependency: lstmtui's own, then those of each extra."""
    try:
        about = metadata(PACKAGE)
    except PackageNotFoundError:  # run from a folder of sources
        return
    declared = [Requirement(text) for text in about.get_all("Requires-Dist") or ()]
    own = [needed for needed in declared if _applies(needed, "")]
    for extra in ("", *(about.get_all("Provides-Extra") or ())):
        for needed in declared:
            if needed in own if not extra else needed not in own and _applies(needed, extra):
                yield _dependency(needed, extra)


def _applies(needed: Requirement, extra: str) -> bool:
    return needed.marker is None or needed.marker.evaluate({"extra": extra})


def _dependency(needed: Requirement, extra: str) -> Dependency:
    try:
        installed = version(needed.name)
    except PackageNotFoundError:
        installed = None
    fits = installed is not None and needed.specifier.contains(installed, prereleases=True)
    return Dependency(canonicalize_name(needed.name), str(needed.specifier), extra, installed, fits)
