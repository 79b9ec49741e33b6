"""Build hook: the package's dependencies are what the lists in requirements/ name."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

BUILD_ONLY = {"-r build.in"}


class RequirementsHook(MetadataHookInterface):  # type: ignore[misc]  # hatchling ships no types
    """Reads the .in files, so that each list is written once."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in the dependencies, and the extras."""
        metadata["dependencies"] = self._named("run.in")
        metadata["optional-dependencies"] = {
            extra: self._named(f"{extra}.in") for extra in ("charts", "files", "local")
        }

    def _named(self, file: str) -> list[str]:
        lines = (Path(self.root) / "requirements" / file).read_text("utf-8").splitlines()
        return [
            line for line in lines if line and not line.startswith("#") and line not in BUILD_ONLY
        ]


def get_metadata_hook() -> type[RequirementsHook]:
    """What hatchling asks for."""
    return RequirementsHook
