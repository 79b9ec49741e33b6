"""Build hook: the package's dependencies are what requirements/run.in names."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

BUILD_ONLY = {"-r build.in"}


class RequirementsHook(MetadataHookInterface):  # type: ignore[misc]  # hatchling ships no types
    """Reads run.in, so that the list is written once."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in the dependencies."""
        lines = (Path(self.root) / "requirements" / "run.in").read_text("utf-8").splitlines()
        metadata["dependencies"] = [
            line for line in lines if line and not line.startswith("#") and line not in BUILD_ONLY
        ]


def get_metadata_hook() -> type[RequirementsHook]:
    """What hatchling asks for."""
    return RequirementsHook
